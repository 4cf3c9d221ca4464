"""`ganbench plan`: what `run` would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.options import as_json, resolved_device, selected, selection
from benchmark.cli.streams import print_json
from benchmark.records.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from benchmark.suites import Suite
    from benchmark.suites.plan import PlannedRun
    from benchmark.suites.prepare import Need


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

    What would be fetched is listed with its size, and the room there is for it.

    \b
    ganbench plan quick --budget 1000 --seeds 0-4
    """
    from benchmark.engines.base import default_jobs
    from benchmark.suites.plan import expected_seconds
    from benchmark.suites.plan import plan as planned_runs
    from benchmark.suites.prepare import needs

    chosen = selected(suite, patterns, seeds, budget, dataset, numerics)
    device = resolved_device(chosen, device)
    lacking = {name: needed for name, needed in needs(chosen).items() if needed}
    ready = tuple(name for name in chosen.experiments if name not in lacking)
    runs = planned_runs(chosen.revised(patterns=ready), out, device, anywhere=True) if ready else []
    seconds = expected_seconds(runs, out)
    to_do = [run for run in runs if not run.state.finished]
    known = [seconds[run.experiment] for run in to_do if run.experiment in seconds]
    all_known = len(known) == len(to_do) and not lacking
    hours = sum(known) / default_jobs(device) / 3600 if all_known else None
    waiting = [(name, seed) for seed in chosen.seeds for name in lacking]
    to_fetch = {need.name: need for needed in lacking.values() for need in needed}
    if json_:
        print_json(
            {
                "suite": chosen.name,
                "device": device,
                "expected_hours": hours,
                "runs": [
                    *(_planned(run) for run in runs),
                    *(_waiting(chosen, name, seed, lacking[name]) for name, seed in waiting),
                ],
                "to_fetch": [_to_fetch(need) for need in to_fetch.values()],
            }
        )
        return
    from benchmark.cli.text import print_table, print_text

    print_table(
        ("experiment", "seed", "G-iterations", "evaluations", "state", "run"),
        [
            *(_planned_row(run) for run in runs),
            *(_waiting_row(chosen, name, seed, lacking[name]) for name, seed in waiting),
        ],
        title=f"{chosen.name}: {chosen.title}",
        right=(1, 2, 3),
    )
    if to_fetch:
        print_text("")
        _print_to_fetch(to_fetch.values())
        print_text("")
    n_all, n_open = len(runs) + len(waiting), len(to_do) + len(waiting)
    expected = _expected(hours if to_do else None, default_jobs(device)) if n_open else ""
    print_text(f"{plural(n_all, 'run')} on {device}: {n_all - n_open} finished, {n_open} to do{expected}.")


def _planned_row(run: PlannedRun) -> tuple[str, ...]:
    return (
        run.experiment,
        str(run.seed),
        str(run.gen_iters),
        str(len(run.spec["evaluate_at"])),
        run.state.text(),
        run.directory.name,
    )


def _waiting_row(suite: Suite, name: str, seed: int, needed: Collection[Need]) -> tuple[str, ...]:
    evaluations = len(suite.evaluate_at(name))
    return (name, str(seed), str(suite.budget(name)), str(evaluations), f"needs {_names(needed)}", "")


def _expected(hours: float | None, jobs: int) -> str:
    if hours is None:
        return ", time unknown: no earlier run in this folder to judge by"
    return f", about {hours * 60:.0f} min at {jobs} at a time, judged by earlier runs"


def _planned(run: PlannedRun) -> dict[str, Any]:
    from benchmark.records import identity

    return {
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


def _waiting(suite: Suite, name: str, seed: int, needed: Collection[Need]) -> dict[str, Any]:
    """Of a run whose ids are not known before its data are."""
    return {
        "experiment": name,
        "seed": seed,
        "gen_iters": suite.budget(name),
        "state": "not planned",
        "reason": f"needs {_names(needed)}",
        **dict.fromkeys(("run_id", "cell_id", "env_id", "directory")),
    }


def _to_fetch(need: Need) -> dict[str, Any]:
    return {
        "name": need.name,
        "files": list(need.files),
        "download_bytes": need.download_bytes,
        "content_bytes": need.content_bytes,
        "place": str(need.place),
        "free_bytes": need.free_bytes,
        "by_hand": need.by_hand or None,
    }


def _print_to_fetch(found: Collection[Need]) -> None:
    from benchmark.cli.text import print_table

    print_table(
        ("what", "download", "on disk", "free there", "from", "to"),
        [
            (
                need.name,
                _megabytes(need.download_bytes),
                _megabytes(need.content_bytes),
                _megabytes(need.free_bytes),
                f"by hand: {need.by_hand}" if need.by_hand else need.files[0] + _more(need.files),
                str(need.place),
            )
            for need in found
        ],
        title="not here yet; `ganbench run` fetches what may be downloaded",
        right=(1, 2, 3),
    )


def _more(files: Collection[str]) -> str:
    return f" and {len(files) - 1} more" if len(files) > 1 else ""


def _names(needed: Collection[Need]) -> str:
    return ", ".join(need.name for need in needed)


def _megabytes(n_bytes: int | None) -> str:
    from benchmark.records.quantities import count

    return "not known" if n_bytes is None else f"{count(round(n_bytes / 1e6))} MB"
