"""Two sets of records side by side, without a verdict. Pure functions."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.judging import statistics
from benchmark.records.cells import score
from benchmark.records.quantities import metric_title
from benchmark.records.record import differing_results
from benchmark.records.summary import Spread, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmark.judging.statistics import Interval

    Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of one cell on both sides.

    Attributes:
        experiment, cell, protocol, metric: what it is; protocol and metric are empty for runs without score.
        a, b: final scores over seeds; None where a side has none.
        runs_a, runs_b: runs of the cell; 0 where a side does not have it.
        diverged_a, diverged_b: how many of these diverged.
        difference: mean of b − mean of a, in units of the metric.
        interval: its 90 % interval (Welch), where both have two values and no copy of the other's runs.
        same_bits: whether all seeds that both have came out equal bit for bit; None where they share none.
        copies: how many seeds came out equal bit for bit.

    """

    experiment: str
    cell: str
    protocol: str
    metric: str
    a: Spread | None
    b: Spread | None
    runs_a: int
    runs_b: int
    diverged_a: int
    diverged_b: int
    difference: float | None
    interval: Interval | None
    same_bits: bool | None
    copies: int

    def as_dict(self) -> dict[str, Any]:
        """JSON types."""
        return dataclasses.asdict(self)

    def texts(self) -> tuple[str, ...]:
        """Experiment, cell, metric, A, B, difference with its interval, and bits, to be shown."""
        difference = "" if self.difference is None else f"{self.difference:+.3g}"
        if self.interval is not None:
            difference += f" [{self.interval.low:.3g}, {self.interval.high:.3g}]"
        some = f"{self.copies} equal" if self.copies else "differ"
        bits = {None: "", True: "equal", False: some}[self.same_bits]
        return (
            self.experiment,
            self.cell[:8],
            f"{self.protocol} {metric_title(self.metric)}".strip(),
            spread_text(self.a, self.runs_a, self.diverged_a),
            spread_text(self.b, self.runs_b, self.diverged_b),
            difference,
            bits if self.runs_a and self.runs_b else "only A" if self.runs_a else "only B",
        )


def spread_text(spread: Spread | None, runs: int, diverged: int) -> str:
    """`12.3 ± 0.4 (n = 3), 1 diverged`; a dash where there is no run."""
    if not runs:
        return "–"
    lost = f"{diverged} diverged" if diverged else ""
    if spread is None:
        return lost or "no score"
    sd = "" if spread.sd is None else f" ± {spread.sd:.2g}"
    return ", ".join(filter(None, (f"{spread.mean:.4g}{sd} (n = {spread.n})", lost)))


def side_by_side(a: Sequence[Record], b: Sequence[Record]) -> list[Row]:
    """All cells of either side, by experiment; each side has one record of a cell and seed."""
    sides = [_by_cell(a), _by_cell(b)]
    cells = {**sides[0], **sides[1]}
    order = sorted(cells, key=lambda cell: (cells[cell][0]["experiment"], cell))
    return [row for cell in order for row in _rows(sides[0].get(cell, []), sides[1].get(cell, []))]


def apart(rows: Sequence[Row], a: Sequence[Record], b: Sequence[Record]) -> list[str]:
    """Why cells of one experiment do not share a row: which settings differ."""
    specs = {record["cell_id"]: record["spec"] for record in (*a, *b)}
    alone: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for row in rows:
        if not row.runs_b:
            alone[row.experiment][0].add(row.cell)
        elif not row.runs_a:
            alone[row.experiment][1].add(row.cell)
    return [
        f"{name}: cell {one[:8]} of A and cell {other[:8]} of B differ in "
        f"{', '.join(differing(specs[one], specs[other]))}"
        for name, (first, second) in sorted(alone.items())
        for one in sorted(first)
        for other in sorted(second)
    ]


def _by_cell(records: Sequence[Record]) -> dict[str, list[Record]]:
    cells: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        cells[record["cell_id"]].append(record)
    return cells


def _rows(a: Sequence[Record], b: Sequence[Record]) -> Iterator[Row]:
    first = (*a, *b)[0]
    equal = _equal_bits(a, b)
    scored = [(p["name"], metric) for p in first["spec"]["protocols"] for metric in p["metrics"]]
    for protocol, metric in scored or [("", "")]:
        values = [
            [x for r in side if (x := score(r["final"], protocol, metric)) is not None] for side in (a, b)
        ]
        difference, interval = _difference(*values)
        if any(equal):
            interval = None  # a run that is on both sides makes them no two samples
        yield Row(
            experiment=first["experiment"],
            cell=first["cell_id"],
            protocol=protocol,
            metric=metric,
            a=summarise(values[0]),
            b=summarise(values[1]),
            runs_a=len(a),
            runs_b=len(b),
            diverged_a=sum(r["status"] == "diverged" for r in a),
            diverged_b=sum(r["status"] == "diverged" for r in b),
            difference=difference,
            interval=interval,
            same_bits=all(equal) if equal else None,
            copies=sum(equal),
        )


def _difference(a: Sequence[float], b: Sequence[float]) -> tuple[float | None, Interval | None]:
    if not a or not b:
        return None, None
    if len(a) < 2 or len(b) < 2:
        return sum(b) / len(b) - sum(a) / len(a), None
    comparison = statistics.welch(a, b)
    return comparison.difference, statistics.interval(*comparison)


def _equal_bits(a: Sequence[Record], b: Sequence[Record]) -> list[bool]:
    """Whether the two runs of a seed are equal bit for bit, for every seed that both sides have."""
    then = {record["seed"]: record for record in a}
    return [not differing_results(then[r["seed"]], r) for r in b if r["seed"] in then]


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """What makes two specs two cells, as `name (in a | in b)`."""
    one, other = dict(_leaves(a)), dict(_leaves(b))
    keys = sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
    return [f"{key} ({one.get(key, '–')} | {other.get(key, '–')})" for key in keys] or [
        "nothing that is told"
    ]


def _leaves(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What makes a cell (`identity.cell_id`), by name, as short texts."""
    experiment = spec["experiment"]
    for name, entry in experiment["settings"].items():
        yield name, _short(entry["value"])
    for key in ("image_shape", "image_range", "classes", "train_images", "starts_from"):
        yield key, _short(experiment.get(key))
    yield "first_stage", _short((spec.get("starts_from") or {}).get("cell_id"))
    yield "dataset", f"{spec['dataset']['name']} {str(spec['dataset']['digest'])[:8]}"
    for key in ("gen_iters", "evaluate_at"):
        yield key, _short(spec.get(key))
    for key, value in (spec.get("numerics") or {}).items():
        yield f"numerics.{key}", _short(value)
    for protocol in spec["protocols"]:
        for key, value in protocol.items():
            if key not in ("title", "note"):
                yield f"{protocol['name']}.{key}", _short(value)


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 40 else f"{text[:40]}…"
