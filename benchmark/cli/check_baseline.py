"""`ganbench check-baseline`: whether experiments keep to the contract."""

from __future__ import annotations

import os
import sys
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
    from benchmark.training.contract import process

    for name in names:
        experiments.check_pattern(name, "check-baseline")
        baselines.check_left_out(name)  # also where others match: what cannot be loaded does not pass
    chosen = experiments.matching(names, baselines.names(), "check-baseline")
    found: list[dict[str, Any]] = []
    before = set(process.left_running())
    with numerics.applied():
        for name in chosen:
            experiment = baselines.get(name)
            if not json_:
                print_text(name, style="bold")
            for finding in contract.examine(experiment):
                found.append({"experiment": name, **vars(finding), "ok": finding.ok})
                if not json_:
                    print_text(_line(finding))
            if not all(one["ok"] for one in found if one["experiment"] == name):
                continue
            rate = contract.measured(experiment)
            if isinstance(rate, contract.Finding):
                found.append({"experiment": name, **vars(rate), "ok": rate.ok})
                line = _line(rate)
            else:
                found.append({"experiment": name, "check": "speed", "ok": True, "gen_iters_per_s": rate})
                line = f"      speed: {rate:.3g} G-iterations/s here, on one thread of the CPU"
            if not json_:
                print_text(line)
    if json_:
        print_json(found)
    code = 0 if all(one["ok"] for one in found) else 1
    if set(process.left_running()) - before:
        sys.stdout.flush()
        os._exit(code)  # as no end of the interpreter comes before theirs
    return code


def _line(finding: Any) -> str:
    if not finding.what:
        return f"ok    {finding.check}"
    where = f"{finding.where}: " if finding.where else ""
    return f"{'note' if finding.only_note else 'FAIL'}  {finding.check}: {where}{finding.what}"
