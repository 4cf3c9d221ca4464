"""The first screen: a line per experiment with samples, scores, curve and state; then what it means."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.pictures.style import look
from benchmark.records.quantities import DASH, count, metric_title, plural
from benchmark.records.summary import decimals_for, summarise
from benchmark.report.naming import cited, display_names
from benchmark.report.remarks import remarks
from benchmark.report.samples import Grid, real_thumbnail, thumbnail
from benchmark.report.scores import Comparison, seeds_text, short_state
from benchmark.report.traces import mean_points, trace
from benchmark.report.verdicts import COMPARABLE, outcome_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmark.records.cells import Cell, Grouping
    from benchmark.report.verdicts import Papers

_WIDTH, _HEIGHT = 120.0, 34.0
"""Of a sparkline, in its own units."""


@dataclass(frozen=True)
class Sparkline:
    """A small curve: points of an SVG polyline, y downwards, and what it says to those who do not see it."""

    points: str
    end: tuple[float, float]
    colour: str
    description: str
    width: float = _WIDTH
    height: float = _HEIGHT


@dataclass(frozen=True)
class Line:
    """One experiment, or the real data.

    Attributes:
        name: the method as its paper writes it.
        label: of the cell.
        citation: authors and year; empty without.
        thumbnail: some samples at the budget.
        scores: mean ± sd by the overview's columns.
        seeds: how many, and what became of the others.
        curve: of the first column.
        state: the verdict against the paper, or how far the runs got.
        remarks: what stands out.

    """

    name: str
    label: str
    citation: str
    thumbnail: Grid | None
    scores: tuple[str, ...]
    seeds: str
    curve: Sparkline | None
    state: str
    remarks: tuple[str, ...]
    is_scale: bool = False


@dataclass(frozen=True)
class Overview:
    """Lines under the scores of their columns, and the sentences below them."""

    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    meaning: tuple[str, ...]
    tally: str


def overview(grouping: Grouping, compared: Sequence[Comparison], found: Papers, note: str) -> Overview:
    """Make the first screen; `note` is the suite's own."""
    by_label: dict[str, list[tuple[Comparison, Cell]]] = defaultdict(list)
    for c in compared:
        for cell in c.cells:
            by_label[cell.label].append((c, cell))
    # Only where one comparison has every cell may scores share a column.
    one = next((c for c in compared if len(c.cells) == len(grouping.cells)), None)
    columns = tuple(metric_title(m) for m in one.metrics) if one else ("Scores",)
    names = display_names(grouping.cells)
    lines = [_line(cell, names, by_label[cell.label], one, found) for cell in grouping.cells]
    for name in sorted({m.experiment for m in grouping.absent}):
        own = [m for m in grouping.absent if m.experiment == name]
        states = ", ".join(sorted({short_state(m) for m in own}))
        blank = (DASH,) * len(columns)
        lines.append(
            Line(name.partition("/")[0], name, "", None, blank, f"0 of {len(own)}", None, states, ())
        )
    if one:
        lines.append(_real_line(one, grouping))
    return Overview(columns, tuple(lines), _meaning(grouping, compared, note), found.summary)


def _line(
    cell: Cell,
    names: Mapping[str, str],
    own: list[tuple[Comparison, Cell]],
    one: Comparison | None,
    found: Papers,
) -> Line:
    c = one or (own[0][0] if own else None)
    scores = tuple(_score(one, cell, m) for m in one.metrics) if one else (_all_scores(own),)
    metric = c.metrics[0] if c else None
    return Line(
        names[cell.label],
        cell.label,
        cited(cell.experiment),
        thumbnail(cell),
        scores,
        seeds_text(cell),
        _sparkline(c, cell, metric) if c and metric else None,
        _state(cell, found),
        remarks(cell, c, metric),
    )


def _score(c: Comparison, cell: Cell, metric: str) -> str:
    every = [x for other in c.cells for x in c.final(other, metric)] + c.real_data(metric)
    spread = summarise(c.final(cell, metric))
    return spread.text(decimals_for(every)) if spread else DASH


def _all_scores(own: list[tuple[Comparison, Cell]]) -> str:
    found = [f"{metric_title(m)} {_score(c, cell, m)} ({c.name})" for c, cell in own for m in c.metrics]
    return "; ".join(found) or "not scored"


def _sparkline(c: Comparison, cell: Cell, metric: str) -> Sparkline | None:
    """The mean over finished seeds; every curve of a comparison on the same scale, real data included."""
    curves = {
        other.label: mean_points([trace(r, c.name, metric, "gen_iters") for r in other.records])
        for other in c.cells
    }
    own = curves[cell.label]
    if len(own) < 2:
        return None
    values = [p.y for points in curves.values() for p in points] + c.real_data(metric)
    low, high, last = min(values), max(values), max(c.gen_iters, 1)
    scale = (_HEIGHT - 6) / (high - low) if high > low else 0.0
    at = [(3 + (_WIDTH - 8) * p.x / last, _HEIGHT - 3 - scale * (p.y - low)) for p in own]
    return Sparkline(
        " ".join(f"{x:.1f},{y:.1f}" for x, y in at),
        (round(at[-1][0], 1), round(at[-1][1], 1)),
        look(cell.label).colour,
        f"{metric_title(metric)} from {own[0].y:.4g} to {own[-1].y:.4g} over {count(own[-1].gen_iters)} "
        "G-iterations",
    )


def _state(cell: Cell, found: Papers) -> str:
    """What the runs come to beside the paper, in the order of the verdicts; else how far they got."""
    own = [j for j in found.judged if cell.label in j.cells and j.verdict.outcome in COMPARABLE]
    if own:
        kinds = {"ordering": " (ordering)"}
        return "; ".join(dict.fromkeys(f"{outcome_text(j)}{kinds.get(j.claim.kind, '')}" for j in own))
    at = count(cell.first["gen_iters"])
    return f"reached {at} G-iterations" if cell.finished else f"no seed reached {at} G-iterations"


def _real_line(c: Comparison, grouping: Grouping) -> Line:
    scores = []
    for metric in c.metrics:
        values = [x for cell in c.cells for x in c.final(cell, metric)] + c.real_data(metric)
        scores.append(c.real_data_text(metric, decimals_for(values)))
    picture = next((g for cell in grouping.cells if (g := real_thumbnail(cell)) is not None), None)
    name = str(c.dataset["name"])
    return Line("Real images", name, "", picture, tuple(scores), "", None, "the scale", (), is_scale=True)


def _meaning(grouping: Grouping, compared: Sequence[Comparison], note: str) -> tuple[str, ...]:
    """What this result says, and what it does not."""
    cells = [cell for cell in grouping.cells if cell.finished]
    if not cells:
        return tuple(filter(None, (note,)))
    budgets = sorted({cell.first["gen_iters"] for cell in cells})
    seeds = sorted({len(cell.finished) for cell in cells})
    says = (
        f"This shows how far each method came after {' or '.join(map(count, budgets))} G-iterations of its "
        f"own kind, with {f'{seeds[0]} to ' if len(seeds) > 1 else ''}{plural(seeds[-1], 'seed')} each."
    )
    said = no_ranking(cells, compared)
    return tuple(filter(None, (says, said, f"The suite says: {note}" if note else "")))


def no_ranking(cells: Sequence[Cell], compared: Sequence[Comparison] = ()) -> str:
    """Why scores of these finished cells are no ranking; with comparisons, also of ours beside papers'."""
    limits = []
    if max(len(cell.finished) for cell in cells) == 1:
        limits.append("one seed tells nothing about the spread over seeds")
    if compared and not any(c.protocol["comparable_with_papers"] for c in compared):
        limits.append("the scores are comparable with each other only, not with any paper")
    limits.append("G-iterations cost unequal time and critic updates from method to method")
    return f"It is no ranking: {'; '.join(limits)}."
