"""`ganbench env`: what a record would say about this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.options import OneOf, as_json, out
from benchmark.cli.streams import print_json

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option("--device", default="auto", type=OneOf(["auto", "cpu", "cuda"]), show_default=True)
@click.option(
    "--like-reference",
    "suite",
    metavar="SUITE",
    help="Fail (exit code 1) if the accepted reference of SUITE was made on another device model.",
)
@out
@as_json
def env(device: str, suite: str | None, out: Path, json_: bool) -> int:
    """Print the environment that identifies results made here, and the provenance put into records."""
    from benchmark.records import environment, identity, provenance
    from benchmark.training.numerics import FAITHFUL

    described = environment.describe(environment.resolve_device(device))
    if suite is not None:
        return _compare(str(described["device"]), suite, out, json_)
    content: dict[str, Any] = {
        "env_id": identity.env_id(described, FAITHFUL),
        "environment": described,
        "numerics": FAITHFUL,
        **provenance.machine(),
        **provenance.launch(sys.argv),
    }
    if json_:
        print_json(content)
        return 0
    from benchmark.cli.text import print_table

    rows = []
    for key, value in content.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        rows += [
            (
                f"{key} {name}".strip(),
                "none" if x is None else " ".join(map(str, x)) if isinstance(x, list) else str(x),
            )
            for name, x in inner
        ]
    print_table(("what", "value"), rows)
    return 0


def _compare(device: str, suite: str, out: Path, json_: bool) -> int:
    """Before hours are spent on a machine whose results could not be compared."""
    from benchmark import suites
    from benchmark.cli.text import print_text
    from benchmark.judging import accepted

    path = accepted.find(suites.load(suite), out)
    records = accepted.read(path)
    models = sorted({str(r["provenance"]["environment"].get("device")) for r in records or ()})
    same = models == [device] if records is not None else None
    if json_:
        print_json({"device": device, "reference": str(path), "reference_devices": models, "same": same})
    elif same is None:
        print_text(f"{path}: nothing was accepted yet, so any machine will do. This one: {device}")
    else:
        this = "too" if same else f"is {device}"
        print_text(f"The reference was made on {', '.join(models)}; this machine {this}.")
    return 1 if same is False else 0
