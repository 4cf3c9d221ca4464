"""Runs that were stopped before their budget and go on: `results/unfinished/<suite>/<experiment>/seed<N>/`.

A folder has a run's own `spec.json` and `events.jsonl`. What it says until then is a curve and no
result: that is the value at the budget, and a shorter budget is another experiment.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmark.records import store
from benchmark.records.quantities import count, metric_title
from benchmark.report import markdown
from benchmark.report.traces import curve_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmark.records.loaded import LoadedRecord
    from benchmark.report.table import Table

    Record = Mapping[str, Any]

_LIKE = ("dataset", "numerics", "device", "sources", "seed")
"""Parts of a spec, beside name and settings, that make of two runs one computation until the shorter ends."""


def section(folder: Path, runs: Sequence[LoadedRecord]) -> Iterator[str]:
    """Of a page in Markdown, where there are any; `runs` are the finished ones."""
    if found := [*tables(folder, [run.record for run in runs])]:
        commands = ", ".join(f"`ganbench run {path.name}`" for path in sorted(folder.glob("*")))
        yield "## Not finished"
        yield (
            "These runs were stopped before their budget. What they scored until then is no result: a "
            f"result is the value at the budget. To train them whole, from the beginning: {commands}."
        )
        yield from map(markdown.table, found)


def begun(folder: Path) -> list[Record]:
    """Each with `spec`, `seed` and `curve`, as a record has them, and no result.

    Args:
        folder: `results/unfinished`, or that of one suite in it; there need be none.

    """
    found: list[Record] = []
    for path in sorted(folder.rglob("spec.json")):
        spec: Record = json.loads(path.read_text(encoding="utf-8"))
        points = {e["gen_iters"]: e for e in store.events(path.parent) if e["event"] == "evaluated"}
        found.append({"spec": spec, "seed": spec["seed"], "curve": [*points.values()]})
    return found


def tables(folder: Path, records: Sequence[Record]) -> Iterator[Table]:
    """A curve of each, beside those of finished runs of the same computation.

    Args:
        folder: `results/unfinished`; there need be none.
        records: finished runs.

    """
    for run in begun(folder):
        alike = [r for r in records if _same_computation(r["spec"], run["spec"])]
        for protocol in run["spec"]["protocols"]:
            yield _curve(run["spec"], protocol["name"], protocol["metrics"][0], run["curve"], alike)


def _same_computation(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    of_experiment = (a["experiment"][part] == b["experiment"][part] for part in ("name", "settings"))
    return all(of_experiment) and all(a[part] == b[part] for part in _LIKE)


def _curve(spec: Record, protocol: str, metric: str, points: Sequence[Any], alike: Sequence[Record]) -> Table:
    who = f"{spec['experiment']['name']} seed {spec['seed']}"
    until = count(max((point["gen_iters"] for point in points), default=0))
    caption = (
        f"{who} of suite {spec['suite']}, not finished: scored until {until} of {count(spec['gen_iters'])} "
        f"G-iterations. {metric_title(metric)} by protocol {protocol}."
    )
    if alike:
        caption += " Beside it, finished runs of the same computation, to another budget."
    finished = [(f"as finished in suite {record['suite']}", record["curve"]) for record in alike]
    return curve_table(caption, [(who, points), *finished], protocol, metric)
