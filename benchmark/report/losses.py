"""Losses of every G-iteration, and whether they follow the scores (WGAN 2017, Figures 3 and 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from baselines.critic_losses import critic_loss
from benchmark.escape import markup
from benchmark.evaluation import loss_curves
from benchmark.evaluation.loss_curves import Line
from benchmark.pictures.labels import plain_numbers
from benchmark.pictures.style import house_style, look, to_svg
from benchmark.records import loss_file
from benchmark.records.cells import Cell
from benchmark.records.loaded import LoadedRecord
from benchmark.records.quantities import DASH, count, finite, metric_title
from benchmark.report.figure import Figure
from benchmark.report.table import Row, Table, numbers, words

MOST_POINTS = 200
"""Of a drawn line: more would make the page large and no curve clearer."""


@dataclass(frozen=True)
class Losses:
    """The section: a chart per cell, the table on losses and scores, and what could not be drawn finely."""

    figures: tuple[Figure, ...]
    table: Table | None
    notes: tuple[str, ...]


def losses(cells: Sequence[tuple[Cell, str]]) -> Losses:
    """Draw each cell's losses (stem beside it) and correlate them with its scores."""
    read = [(cell, stem, [_columns(run) for run in cell.runs]) for cell, stem in cells]
    drawn = (_figure(cell, stem, [lines for lines, _ in runs]) for cell, stem, runs in read)
    notes = [f"{cell.label}: {why}" for cell, _, runs in read for _, why in runs if why]
    rows = [row for cell, _, runs in read if (row := _row(cell, [lines for lines, _ in runs]))]
    return Losses(tuple(f for f in drawn if f), _table(rows) if rows else None, tuple(dict.fromkeys(notes)))


def _columns(run: LoadedRecord) -> tuple[dict[str, Line], str]:
    """Lines by title: filtered, of every G-iteration; else of the evaluation points, and why."""
    record = run.record
    kind = critic_loss(record["spec"]["experiment"])
    try:
        columns = loss_file.read(run.directory, record)
    except loss_file.UnusableLosses as error:
        return _at_evaluations(record), f"{error}; losses are drawn at the evaluation points only"
    lines: dict[str, Line] = {}
    for name in sorted(columns):
        if name == "critic":
            lines[loss_curves.quantity(kind)] = loss_curves.filtered(loss_curves.line(columns, kind))
        else:
            values = columns[name].astype(np.float64)
            kept = np.flatnonzero(np.isfinite(values))
            lines[_title(name)] = loss_curves.filtered(Line(kept + 1, values[kept]))
    return lines, ""


def _title(name: str) -> str:
    """`generator loss`, `gradient penalty`."""
    words = name.replace("_", " ")
    return words if words.endswith("penalty") else f"{words} loss"


def _at_evaluations(record: Mapping[str, Any]) -> dict[str, Line]:
    points = [(p["gen_iters"], p["losses"]) for p in record["curve"] if p["losses"]]
    lines = {}
    for name in sorted({name for _, losses in points for name in losses}):
        found = [(k, y) for k, losses in points if (y := finite(losses.get(name))) is not None]
        lines[_title(name)] = Line(np.array([k for k, _ in found]), np.array([y for _, y in found]))
    return lines


def _figure(cell: Cell, stem: str, runs: Sequence[Mapping[str, Line]]) -> Figure | None:
    """One small panel per loss; None where none were recorded."""
    titles = list(dict.fromkeys(title for lines in runs for title in lines))
    if not titles:
        return None
    with house_style():
        canvas = Canvas(figsize=(2.1 * len(titles), 1.6))
        colour = look(cell.label).colour
        for ax, title in zip(canvas.subplots(1, len(titles), squeeze=False)[0], titles, strict=True):
            done = [record["status"] == "done" for record in cell.records]
            _draw(ax, [(lines.get(title), ok) for lines, ok in zip(runs, done, strict=True)], colour)
            ax.set_title(markup(title), fontsize=8.5, loc="left", parse_math=False)
            ax.set_xlim(0, cell.first["gen_iters"] or 1)
            ax.set_xlabel("G-iterations", fontsize=8)
            ax.tick_params(labelsize=7.5, length=2)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            ax.yaxis.set_major_locator(MaxNLocator(4))
            plain_numbers(ax)
        canvas.subplots_adjust(left=0.105, right=0.965, top=0.86, bottom=0.27, wspace=0.36)
        svg = to_svg(canvas)
    return Figure(stem, svg, cell.label, f"Small line charts of {cell.label}: {', '.join(titles)}.")


def _draw(ax: Axes, seeds: Sequence[tuple[Line | None, bool]], colour: str) -> None:
    """Thin seeds, dashed with × where one diverged; bold their mean over G-iterations that all finished."""
    finished = [line for line, done in seeds if done and line is not None]
    for line, done in seeds:
        if line is None or not len(line.values):
            continue
        x, y = loss_curves.thinned(line, MOST_POINTS)
        ax.plot(x, y, color=colour, linewidth=0.7, alpha=0.55, linestyle="-" if done else (0, (3, 2)))
        if not done:
            ax.plot(x[-1:], y[-1:], color=colour, marker="x", markersize=7, markeredgewidth=1.8)
    if finished and all(np.array_equal(line.gen_iters, finished[0].gen_iters) for line in finished):
        mean = Line(finished[0].gen_iters, np.mean([line.values for line in finished], axis=0))
        x, y = loss_curves.thinned(mean, MOST_POINTS)
        ax.plot(x, y, color=colour, linewidth=1.9)


def _row(cell: Cell, runs: Sequence[Mapping[str, Line]]) -> Row | None:
    """The critic's curve of the finished seeds against the first score; None without curve or score."""
    title = loss_curves.quantity(critic_loss(cell.experiment))
    pairs = [
        (p["name"], m) for m in ("fid", "is") for p in cell.first["spec"]["protocols"] if m in p["metrics"]
    ]
    found = [
        (lines[title], record)
        for lines, record in zip(runs, cell.records, strict=True)
        if record["status"] == "done" and title in lines and len(lines[title].values)
    ]
    if not pairs or not found:
        return None
    protocol, metric = pairs[0]
    agreed = [
        loss_curves.agreement(line, loss_curves.score(record["curve"], protocol, metric))
        for line, record in found
    ]
    ends = [np.mean([line.values[i] for line, _ in found]) for i in (0, -1)]
    rhos = [a.rho for a in agreed if a.rho is not None]
    return Row.of(
        cell.label,
        title,
        *(f"{x:.3g}".replace("-", "−") for x in ends),
        f"{metric_title(metric)} ({protocol})",
        _rho(float(np.mean(rhos))) if rhos else DASH,
        ", ".join(map(_rho, rhos)) or DASH,
        count(min(a.n for a in agreed)),
    )


def _rho(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _table(rows: Sequence[Row]) -> Table:
    columns = (
        *words("Experiment", "Curve"),
        *numbers("at the start", "at the end", group="Mean over seeds"),
        *words("Score"),
        *numbers("mean", "each seed", group="Rank correlation"),
        *numbers("Evaluations"),
    )
    width = loss_curves.FILTER_WIDTH
    notes = (
        "WGAN (2017) claims that the Wasserstein estimate falls as samples get better: Spearman's ρ near +1 "
        "with FID, near −1 with IS; and that the JS lower bound of GANs does not. The estimate has no unit: "
        "compare it within an experiment only.",
        f"Curves are under a median filter over {width} G-iterations, as the paper's.",
    )
    return Table("Does the critic's loss follow the score?", columns, tuple(rows), notes)
