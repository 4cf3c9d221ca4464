"""The scores of a cell as points of a chart, their means, and the same as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.records.cells import score
from benchmark.records.quantities import DASH, count, metric_title
from benchmark.records.summary import decimals_for, summarise
from benchmark.records.summary import mean as mean_of
from benchmark.report.scores import Comparison
from benchmark.report.table import Row, Table, numbers, words


@dataclass(frozen=True)
class Point:
    """An evaluation on one axis."""

    gen_iters: int
    x: float
    y: float


@dataclass(frozen=True)
class Trace:
    """The evaluations of one seed, and whether it reached the budget."""

    seed: int
    done: bool
    points: tuple[Point, ...]


def trace(record: dict[str, Any], protocol: str, metric: str, key: str) -> Trace:
    """The finite scores of a run against the curve's `key`."""
    points = tuple(
        Point(p["gen_iters"], float(p[key]), y)
        for p in record["curve"]
        if (y := score(p, protocol, metric)) is not None
    )
    return Trace(record["seed"], record["status"] == "done", points)


def mean_points(traces: Sequence[Trace]) -> list[Point]:
    """Means where every finished seed was scored: elsewhere the line would jump with the set of seeds."""
    done = [{p.gen_iters: p for p in one.points} for one in traces if one.done]
    shared = sorted(set.intersection(*map(set, done))) if done else []
    return [Point(k, mean_of([t[k].x for t in done]), mean_of([t[k].y for t in done])) for k in shared]


def curve_table(
    caption: str,
    curves: Sequence[tuple[str, Sequence[dict[str, Any]]]],
    protocol: str,
    metric: str,
) -> Table:
    """The metric at every G-iteration of the first curve: a column for each, by the title beside it."""
    by_k = [{point["gen_iters"]: point for point in curve} for _, curve in curves]
    rows = []
    for k in sorted(by_k[0] if by_k else ()):
        values = [score(points.get(k), protocol, metric) for points in by_k]
        rows.append(Row((count(k), *(DASH if value is None else f"{value:.2f}" for value in values))))
    return Table(caption, numbers("G-iterations", *(title for title, _ in curves)), tuple(rows))


def value_table(c: Comparison, metric: str) -> Table:
    """Mean ± sd of the finished seeds at every evaluation, as a chart of this metric shows them."""
    cells = [[trace(r, c.name, metric, "gen_iters") for r in cell.records] for cell in c.cells]
    done = [[{p.gen_iters: p.y for p in t.points} for t in traces if t.done] for traces in cells]
    decimals = decimals_for([y for traces in done for t in traces for y in t.values()])
    rows = []
    for k in sorted({k for traces in done for t in traces for k in t}):
        spreads = [summarise([t[k] for t in traces if k in t]) for traces in done]
        rows.append(Row((count(k), *(s.text(decimals) if s else DASH for s in spreads))))
    columns = *words("G-iterations"), *numbers(*(cell.label for cell in c.cells), spread=True)
    caption = f"{metric_title(metric)}, mean ± sd over finished seeds, protocol {c.name}."
    return Table(caption, columns, tuple(rows))
