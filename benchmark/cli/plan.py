"""`ganbench plan`: what `run` would do."""

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
def plan(
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
    r"""Show the runs of SUITE and what each still needs. Writes nothing, needs no GPU and no data.

    \b
    ganbench plan quick --budget 1000 --seeds 0-4
    """
    from benchmark.engines.base import default_jobs
    from benchmark.records import identity
    from benchmark.suites.plan import expected_seconds
    from benchmark.suites.plan import plan as planned_runs

    chosen = selected(suite, patterns, seeds, budget, dataset, numerics)
    device = resolved_device(chosen, device)
    runs = planned_runs(chosen, out, device, anywhere=True)
    seconds = expected_seconds(runs, out)
    to_do = [run for run in runs if not run.state.finished]
    known = [seconds[run.experiment] for run in to_do if run.experiment in seconds]
    hours = sum(known) / default_jobs(device) / 3600 if len(known) == len(to_do) else None
    if json_:
        print_json(
            {
                "suite": chosen.name,
                "device": device,
                "expected_hours": hours,
                "runs": [
                    {
                        "experiment": run.experiment,
                        "seed": run.seed,
                        "gen_iters": run.gen_iters,
                        "state": run.state.name,
                        "reason": run.state.reason,
                        "run_id": run.run_id,
                        "cell_id": identity.cell_id(run.spec),
                        "env_id": run.env_id or None,
                        "directory": str(run.directory),
                    }
                    for run in runs
                ],
            }
        )
        return
    from benchmark.cli.text import print_table, print_text

    print_table(
        ("experiment", "seed", "G-iterations", "evaluations", "state", "run"),
        [
            (
                run.experiment,
                str(run.seed),
                str(run.gen_iters),
                str(len(run.spec["evaluate_at"])),
                run.state.text(),
                run.directory.name,
            )
            for run in runs
        ],
        title=f"{chosen.name}: {chosen.title}",
        right=(1, 2, 3),
    )
    expected = (
        f", about {hours * 60:.0f} min at {default_jobs(device)} at a time, judged by earlier runs"
        if hours is not None and to_do
        else ", time unknown: no earlier run in this folder to judge by"
        if to_do
        else ""
    )
    print_text(
        f"{len(runs)} runs on {device}: {len(runs) - len(to_do)} finished, {len(to_do)} to do{expected}."
    )
