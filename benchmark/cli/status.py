"""`ganbench status`: what a suite's runs are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from benchmark.cli.options import as_json, resolved_device, selected, selection
from benchmark.cli.streams import print_json

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@selection
@as_json
def status(
    suite: str,
    patterns: tuple[str, ...],
    seeds: str | None,
    budget: int | None,
    dataset: str | None,
    numerics: str | None,
    device: str,
    out: Path,
    json_: bool,
) -> None:
    """Show which runs of SUITE are done, running, interrupted, failed, stale or not run."""
    from benchmark.suites.plan import plan

    chosen = selected(suite, patterns, seeds, budget, dataset, numerics)
    runs = plan(chosen, out, resolved_device(chosen, device), anywhere=True)
    if json_:
        print_json(
            [
                {
                    "experiment": run.experiment,
                    "seed": run.seed,
                    "state": run.state.name,
                    "gen_iters": run.state.gen_iters,
                    "budget": run.gen_iters,
                    "reason": run.state.reason,
                    "directory": str(run.directory),
                }
                for run in runs
            ]
        )
        return
    from benchmark.cli.text import print_table, print_text

    print_table(
        ("experiment", "seed", "state", "G-iterations"),
        [
            (run.experiment, str(run.seed), run.state.text(), f"{run.state.gen_iters}/{run.gen_iters}")
            for run in runs
        ],
        title=f"{chosen.name} in {out}",
        right=(1, 3),
    )
    names = [run.state.name for run in runs]
    counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
    print_text(f"{len(runs)} runs: {counts}.")
