"""Scores and losses against G-iterations."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import blended_transform_factory

from benchmark.report.cells import Cell, score
from benchmark.report.figure import COLOURS, INK, MARKERS, MUTED, Figure, house_style, to_svg
from benchmark.report.quantities import NARROW_SPACE, count, finite, metric_title
from benchmark.report.scores import Comparison
from benchmark.report.summary import mean

LOG_RANGE = 20.0
"""Largest over smallest value from which a FID axis is logarithmic."""
REACH = 10.0
"""Factor between the best score and real data up to which the axis extends to real data."""

Line = tuple[list[int], list[float]]


def score_figure(c: Comparison, metric: str, stem: str) -> Figure:
    """Draw one panel: per cell the mean of the finished seeds (bold), each seed (thin), × for divergence."""
    with house_style():
        canvas = Canvas(figsize=(6.4, 4.0))
        ax = canvas.subplots()
        ends: list[tuple[float, int]] = []
        values: list[float] = []
        for i, cell in enumerate(c.cells):
            seeds = [(_score_line(r, c.name, metric), r["status"] == "done") for r in cell.records]
            values += [y for (_, ys), _ in seeds for y in ys]
            end = _draw_cell(ax, seeds, i)
            if end is not None:
                ends.append((end, i))
        level = mean(c.real_data(metric)) if c.real_data(metric) else None
        near = level is not None and _within_reach(level, values)
        _axes(ax, c, metric, [*values, level] if near and level is not None else values)
        if level is not None:
            _real_line(ax, level, near)
        labels = [_shorten(cell.label) for cell in c.cells]
        canvas.subplots_adjust(
            left=0.075, right=1 - 0.011 * max(map(len, labels)) - 0.05, top=0.92, bottom=0.12
        )
        _direct_labels(ax, ends, labels)
        svg = to_svg(canvas)
    caption = (
        f"{metric_title(metric)} against G-iterations, protocol {c.name}. "
        "Bold with markers: mean over finished seeds; thin: each seed"
        + ("; dashed: real data" if near else "")
        + ("; ×: where a seed diverged." if any(cell.diverged for cell in c.cells) else ".")
    )
    finals = [f"{cell.label} {mean(v):.4g}" for cell in c.cells if (v := c.final(cell, metric))]
    at_end = f" Mean at {count(c.gen_iters)}: {', '.join(finals)}." if finals else ""
    description = (
        f"Line chart of {metric_title(metric)[:-2]} against G-iterations, {len(c.cells)} experiments.{at_end}"
    )
    return Figure(stem, svg, caption, description)


def loss_figure(cell: Cell, stem: str) -> Figure | None:
    """Draw critic and generator loss in two small panels; None where none were recorded."""
    names = sorted({name for r in cell.records for p in r["curve"] for name in (p["losses"] or {})})
    if not names:
        return None
    with house_style():
        canvas = Canvas(figsize=(2.1 * len(names), 1.6))
        for i, (ax, name) in enumerate(
            zip(canvas.subplots(1, len(names), squeeze=False)[0], names, strict=True)
        ):
            seeds = [(_loss_line(r, name), r["status"] == "done") for r in cell.records]
            _draw_cell(ax, seeds, i, marker_size=2.5)
            ax.set_title(f"{name} loss", fontsize=8.5, loc="left", parse_math=False)
            ax.set_xlim(0, cell.first["gen_iters"])
            ax.set_xlabel("G-iterations", fontsize=8)
            ax.tick_params(labelsize=7.5, length=2)
            ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            ax.yaxis.set_major_locator(MaxNLocator(4))
            _plain_numbers(ax)
        canvas.subplots_adjust(left=0.105, right=0.965, top=0.86, bottom=0.27, wspace=0.36)
        svg = to_svg(canvas)
    return Figure(
        stem, svg, cell.label, f"Small line charts of the {' and '.join(names)} loss of {cell.label}."
    )


def _score_line(record: dict[str, Any], protocol: str, metric: str) -> Line:
    points = [(p["gen_iters"], s) for p in record["curve"] if (s := score(p, protocol, metric)) is not None]
    return [x for x, _ in points], [y for _, y in points]


def _loss_line(record: dict[str, Any], name: str) -> Line:
    points = [
        (p["gen_iters"], y)
        for p in record["curve"]
        if (y := finite((p["losses"] or {}).get(name))) is not None
    ]
    return [x for x, _ in points], [y for _, y in points]


def _draw_cell(
    ax: Axes, seeds: Sequence[tuple[Line, bool]], i: int, marker_size: float = 4.0
) -> float | None:
    """Thin seeds, bold mean; the mean's last value for its label (a diverged seed's where none finished)."""
    colour = COLOURS[i % len(COLOURS)]
    end: float | None = None
    for (xs, ys), done in seeds:
        ax.plot(xs, ys, color=colour, linewidth=0.7, alpha=0.55, linestyle="-" if done else (0, (3, 2)))
        if not done and ys:
            ax.plot(xs[-1:], ys[-1:], color=colour, marker="x", markersize=7, markeredgewidth=1.8)
            end = ys[-1]
    done_lines = [dict(zip(*line, strict=True)) for line, done in seeds if done]
    # A mean only where every finished seed was scored: elsewhere it would jump with the set of seeds.
    shared = sorted(set.intersection(*map(set, done_lines))) if done_lines else []
    if shared:
        ys = [mean([line[x] for line in done_lines]) for x in shared]
        ax.plot(
            shared,
            ys,
            color=colour,
            linewidth=1.9,
            marker=MARKERS[i % len(MARKERS)],
            markersize=marker_size,
            linestyle="-" if i < len(COLOURS) else "--",
            clip_on=False,
            zorder=3,
        )
        end = ys[-1]
    return end


def _axes(ax: Axes, c: Comparison, metric: str, values: Sequence[float]) -> None:
    ax.set_xlim(0, c.gen_iters)
    ax.set_xlabel("G-iterations")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    label = f"{metric_title(metric)} ({c.protocol['extractor']}, {c.sample_sizes()})"
    if metric == "fid" and values and min(values) > 0 and max(values) / min(values) > LOG_RANGE:
        ax.set_yscale("log")
        wide = max(values) / min(values) > 1e3
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=20))
        ax.yaxis.set_minor_formatter(NullFormatter())
        label += ", log scale"
    # The label lies above the axis: written along it, it would be longer than the axis and hard to read.
    ax.set_title(label, loc="left", x=-0.1, fontsize=9, parse_math=False)
    _plain_numbers(ax)


def _plain_numbers(ax: Axes) -> None:
    # Not matplotlib's own formats: its log and offset notations are mathtext, which is not text in the SVG.
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.6g}".replace("-", "−")))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}".replace(",", NARROW_SPACE)))


def _within_reach(level: float, values: Sequence[float]) -> bool:
    """Whether an axis that shows `level` still shows how the values differ."""
    if not values or min(values) <= 0 or level <= 0:
        return True
    return min(values) / REACH <= level <= max(values) * REACH


def _real_line(ax: Axes, level: float, near: bool) -> None:
    """A dashed line at the score of real data, or a note at the edge it lies beyond."""
    place: Any = ax.transAxes
    text = f"real data {level:.3g}"
    if near:
        ax.axhline(level, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
        height, place = level, blended_transform_factory(ax.transAxes, ax.transData)
    elif level < ax.get_ylim()[0]:
        height, text = 0.0, f"{text} lies below this axis"
    else:
        height, text = 0.94, f"{text} lies above this axis"
    ax.annotate(
        text,
        (0.015, height),
        xycoords=place,
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=8,
        color=INK,
    )


def _direct_labels(
    ax: Axes, ends: Sequence[tuple[float, int]], labels: Sequence[str], gap: float = 0.052
) -> None:
    """Names right of the lines' ends, pushed apart to `gap` of the height, joined to them by a thin line."""
    # transData still carries matplotlib's old view limits until the axes are asked for theirs.
    ax.get_ylim()
    places = []
    for y, i in ends:
        at = ax.transAxes.inverted().transform(ax.transData.transform((0.0, y)))[1]
        places.append((min(max(float(at), 0.0), 1.0), i))
    for (at, i), shown in zip(sorted(places), _spaced([at for at, _ in sorted(places)], gap), strict=True):
        colour = COLOURS[i % len(COLOURS)]
        ax.plot(
            [1.0, 1.025, 1.045],
            [at, shown, shown],
            transform=ax.transAxes,
            color=colour,
            linewidth=0.8,
            clip_on=False,
        )
        ax.plot(
            [1.045],
            [shown],
            transform=ax.transAxes,
            color=colour,
            marker=MARKERS[i % len(MARKERS)],
            markersize=4.5,
            clip_on=False,
        )
        ax.text(1.065, shown, labels[i], transform=ax.transAxes, va="center", fontsize=8.5, parse_math=False)
    if not ends:
        ax.text(0.5, 0.5, "no finite scores", transform=ax.transAxes, ha="center", color=MUTED)


def _spaced(sorted_places: Sequence[float], gap: float) -> list[float]:
    out: list[float] = []
    for at in sorted_places:
        out.append(max(at, out[-1] + gap) if out else at)
    # Pushed past the top: push the crowd back down.
    ceiling = math.inf if not out else max(1.0, out[0] + gap * (len(out) - 1))
    for k in range(len(out) - 1, -1, -1):
        out[k] = min(out[k], ceiling)
        ceiling = out[k] - gap
    return out


def _shorten(text: str, limit: int = 34) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
