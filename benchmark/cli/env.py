"""`ganbench env`: what a record would say about this machine."""

from __future__ import annotations

import sys
from typing import Any

import click

from benchmark.cli.options import as_json, print_json


@click.command()
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]), show_default=True)
@as_json
def env(device: str, json_: bool) -> None:
    """Print the environment that identifies results made here, and the provenance put into records."""
    from benchmark import environment, identity, provenance
    from benchmark.training.numerics import FAITHFUL

    described = environment.describe(environment.resolve_device(device))
    content: dict[str, Any] = {
        "env_id": identity.env_id(described),
        "environment": described,
        "numerics": FAITHFUL,
        **provenance.machine(),
        **provenance.launch(sys.argv),
    }
    if json_:
        print_json(content)
        return
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
