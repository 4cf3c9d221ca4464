"""`ganbench bench`: how fast this machine trains, generates and scores, as shares of what it can."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli import complete
from benchmark.cli.options import OneOf, as_json, experiments_of, out
from benchmark.cli.streams import print_json
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmark.judging.throughput import Finding

_STYLES = {"slower": "red", "faster": "yellow", "unchanged": "green", "new": "dim"}


@click.command()
@click.argument("what", nargs=-1, metavar="[SUITE | GLOB...]", shell_complete=complete.suites_and_experiments)
@click.option("--accept", "accepting", is_flag=True, help="What is measured now becomes the accepted speed.")
@click.option(
    "--check", "checking", is_flag=True, help="Compare with the accepted speed of this device model."
)
@click.option(
    "--reference",
    "reference_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The accepted speeds; default: OUT/reference/bench.json, or those that came with ganbench.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="What may be lost of an accepted share of the roof; default: 0.3.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, max=3600),
    default=5.0,
    show_default=True,
    metavar="S",
    help="Of G-iterations for each experiment, at least; a few seconds more go elsewhere.",
)
@click.option("--device", type=OneOf(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@out
@as_json
def bench(
    what: tuple[str, ...],
    accepting: bool,
    checking: bool,
    reference_file: Path | None,
    tolerance: float | None,
    seconds: float,
    device: str,
    out: Path,
    json_: bool,
) -> int:
    r"""Measure the speed of experiments (of a SUITE; that a GLOB matches; default: of quick) on this machine.

    Of each experiment, at its own batch and width: G-iterations and generated images per second, and what a
    run's process needs before the first of them. Of each protocol whose network is here: scored images per
    second. On a CPU, a second is one of the process on its one thread, as in a run: others who use the
    machine do not count. No data are needed.

    Each is measured in turns with a large convolution and a matrix product, the roof of this machine. The
    share of the roof is the part of the time that the work's own products would take at that rate. It changes
    less than the rates when the machine is busy or clocks down, so it is what --check compares. What each
    lever is worth: docs/speed.md.

    \b
    ganbench bench                       the experiments of the suite quick; OUT/bench.json keeps the figures
    ganbench bench 'sngan/*' gan/mnist   some
    ganbench bench --accept              what will be compared with: OUT/reference/bench.json
    ganbench bench --check               is it as fast as accepted, on this model?

    \b
    0  as fast as accepted, or nothing to compare was asked for
    1  slower: by more than the tolerance, and beyond the spread over rounds
    2  usage or configuration
    4  nothing was accepted on this device model
    """
    from benchmark.cli.text import note
    from benchmark.engines.benching import processes
    from benchmark.judging import throughput as judging
    from benchmark.records import environment, shipped, store, throughput

    if accepting and checking:
        raise UserError("--accept and --check exclude each other", where="ganbench bench")
    if not checking and (tolerance is not None or (reference_file and not accepting)):
        raise UserError("--tolerance and --reference go with --check", where="ganbench bench")
    names = experiments_of(what or ("quick",), "ganbench bench")
    kind = environment.resolve_device(device)
    described = environment.describe(kind)
    model = str(described["device"])
    own = throughput.accepted_path(out)
    accepted = _accepted(shipped.find(own, reference_file), model) if checking else None
    store.open_folder(out)
    measured = processes.everything(names, kind, seconds, lambda name: note(f"measuring {name}"))
    block = _signed(*measured, described)
    throughput.add(throughput.path_of(out), model, block)
    findings = judging.compare(block, accepted, tolerance or judging.TOLERANCE) if accepted else []
    if accepting:
        where = reference_file or own
        throughput.add(where, model, block)
        note(f"Accepted for {model}: {where}. Commit it.")
    if json_:
        print_json({"device": model, **block, "findings": [vars(f) for f in findings]})
    else:
        _print(model, block)
        _print_findings(findings)
    if checking and judging.exit_code(findings) == 4:
        raise NothingToJudge(
            "none of these was accepted", where=model, do="Accept it: ganbench bench --accept"
        )
    return judging.exit_code(findings) if checking else 0


def _accepted(path: Path, model: str) -> Mapping[str, Any]:
    from benchmark.records import throughput

    devices: dict[str, Mapping[str, Any]] = throughput.read(path)
    if model not in devices:
        others = ", ".join(devices)
        what = (
            f"has speeds of {others}, and this is {model}" if others else f"no speed was accepted for {model}"
        )
        raise NothingToJudge(what, where=str(path), do="Accept one here: ganbench bench --accept")
    return devices[model]


def _signed(
    experiments: dict[str, Any], protocols: dict[str, Any], described: Mapping[str, Any]
) -> dict[str, Any]:
    """Both with when they were measured, and with which torch."""
    made = {"torch": described["torch"], "utc": datetime.now(UTC).isoformat(timespec="seconds")}
    return {
        "experiments": {name: {**found, **made} for name, found in experiments.items()},
        "protocols": {name: {**found, **made} for name, found in protocols.items()},
    }


def _print(model: str, block: Mapping[str, Any]) -> None:
    from benchmark.cli.text import note, print_table
    from benchmark.report import speed

    for table in speed.tables(model, block):
        print_table(
            [column.full_header for column in table.columns],
            [row.cells for row in table.rows],
            title=table.caption,
            right=[i for i, column in enumerate(table.columns) if column.numeric],
        )
    left_out: dict[str, list[str]] = {}
    for name, entry in block["protocols"].items():
        if "left_out" in entry:
            left_out.setdefault(entry["left_out"], []).append(name)
    for reason, names in left_out.items():
        note(f"Not measured: {', '.join(names)}: {reason}.")


def _print_findings(findings: list[Finding]) -> None:
    from rich.text import Text

    from benchmark.cli.text import print_table
    from benchmark.judging.throughput import NAMES

    if not findings:
        return
    rows = [
        (
            f.name,
            NAMES[f.measure],
            Text(f.outcome, style=_STYLES[f.outcome]),
            "" if f.ratio is None else f"{f.ratio:.2f}",
        )
        for f in findings
    ]
    print_table(("what", "of", "outcome", "now ÷ accepted"), rows, title="Against the accepted", right=(3,))
