"""`ganbench check-baseline`: whether experiments keep to the contract."""

from __future__ import annotations

from typing import Any

import click

from benchmark.cli.options import as_json
from benchmark.cli.streams import print_json


@click.command("check-baseline")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@as_json
def check_baseline(names: tuple[str, ...], json_: bool) -> int:
    r"""Check that the experiments NAME (or patterns) keep to what every experiment must.

    Shapes and range of the images, sources of settings, latents and data of training, determinism, leaking
    gradients, both networks move, a continued run has the same bits, nothing is tied to a device. Trains a
    few G-iterations of each on drawn images; needs no data. A note is no failure. Exit code 1 when something
    fails.

    \b
    ganbench check-baseline mygan/digits
    ganbench check-baseline 'mygan/*'
    """
    import baselines
    from benchmark.cli.text import print_text
    from benchmark.suites import experiments
    from benchmark.training import contract, numerics

    chosen = experiments.matching(names, baselines.names(), "check-baseline")
    found: list[dict[str, Any]] = []
    with numerics.applied():
        for name in chosen:
            experiment = baselines.get(name)
            if not json_:
                print_text(name, style="bold")
            for finding in contract.examine(experiment):
                found.append({"experiment": name, **vars(finding), "ok": finding.ok})
                if not json_:
                    print_text(_line(finding))
            if all(one["ok"] for one in found if one["experiment"] == name):
                rate = contract.speed(experiment)
                found.append({"experiment": name, "check": "speed", "ok": True, "gen_iters_per_s": rate})
                if not json_:
                    print_text(f"      speed: {rate:.3g} G-iterations/s here, on one thread of the CPU")
    if json_:
        print_json(found)
    return 0 if all(one["ok"] for one in found) else 1


def _line(finding: Any) -> str:
    if not finding.what:
        return f"ok    {finding.check}"
    where = f"{finding.where}: " if finding.where else ""
    return f"{'note' if finding.only_note else 'FAIL'}  {finding.check}: {where}{finding.what}"
