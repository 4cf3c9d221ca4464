"""Scores against the course of training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from baselines.claims import Claim
from benchmark.escape import markup
from benchmark.pictures.labels import direct_labels, plain_numbers, shorten
from benchmark.pictures.style import INK, house_style, look, to_svg
from benchmark.records.quantities import (
    count,
    duration,
    metric_name,
    metric_title,
    metric_with_unit,
    plural,
)
from benchmark.records.summary import mean
from benchmark.report import sources
from benchmark.report.axes import AXES, Axis
from benchmark.report.figure import Figure
from benchmark.report.hover import Spot, with_titles
from benchmark.report.levels import Level, draw_levels, within_reach
from benchmark.report.scores import Comparison
from benchmark.report.traces import Point, Trace, mean_points, trace, value_table

LOG_RANGE = 20.0
"""Largest over smallest value from which a FID axis is logarithmic."""


def score_figure(
    c: Comparison,
    metric: str,
    stem: str,
    printed: Mapping[str, Sequence[Claim]] | None = None,
    axes: Sequence[Axis] = AXES,
) -> Figure:
    """Draw one panel per horizontal axis: per cell the mean of the finished seeds (bold), each seed (thin).

    `printed`: by cell label the numbers that the cell was judged by; each is a dashed line, its ± hatched.
    """
    levels = _levels(c, metric, printed or {})
    first, *others = (_view(c, metric, stem, axis, levels) for axis in axes)
    legend = tuple((cell.label, look(cell.label).colour) for cell in c.cells)
    return replace(first, others=tuple(others), values=value_table(c, metric), legend=legend)


def _view(c: Comparison, metric: str, stem: str, axis: Axis, levels: Sequence[Level]) -> Figure:
    traces = [[trace(r, c.name, metric, axis.key) for r in cell.records] for cell in c.cells]
    values = [p.y for cell in traces for trace in cell for p in trace.points]
    near = [level for level in levels if within_reach(level.value, values)]
    largest = max((p.x for cell in traces for trace in cell for p in trace.points), default=0.0)
    unit, label = axis.unit(largest)
    with house_style():
        canvas = Canvas(figsize=(6.4, 4.0))
        ax = canvas.subplots()
        spots: list[Spot] = []
        ends: list[tuple[float, str]] = []
        for i, cell in enumerate(c.cells):
            own = draw_traces(ax, traces[i], unit, cell.label)
            spots += [_spot(cell.label, metric, axis, p, traces[i], unit) for p in own]
            ends += [(own[-1].y, cell.label)] if own else []
        reach = [level.value + (level.spread or 0.0) * sign for level in near for sign in (-1, 1)]
        said = score_axes(ax, [*values, *reach], logarithmic=metric == "fid")
        title = f"{metric_with_unit(metric)} ({c.protocol['extractor']}, {c.sample_sizes()})"
        # The title lies above the axis: written along it, it would be longer than the axis and hard to read.
        ax.set_title(
            markup(", ".join(filter(None, (title, said)))), loc="left", x=-0.1, fontsize=9, parse_math=False
        )
        ax.set_xlim(0, (c.gen_iters if axis is AXES[0] else largest / unit) or 1)
        ax.set_xlabel(label)
        draw_levels(ax, levels, values)
        labels = [shorten(cell.label) for cell in c.cells]
        canvas.subplots_adjust(
            left=0.075, right=1 - 0.011 * max(map(len, labels)) - 0.05, top=0.92, bottom=0.12
        )
        direct_labels(ax, ends)
        svg = with_titles(to_svg(canvas), ax, spots)
    return Figure(
        stem if axis is AXES[0] else f"{stem}-{axis.key.replace('_', '-')}",
        svg,
        _caption(c, metric, axis, near),
        _description(c, metric, axis),
        axis.key,
    )


def _levels(c: Comparison, metric: str, printed: Mapping[str, Sequence[Claim]]) -> list[Level]:
    real = c.real_data(metric)
    levels = [Level(mean(real), f"real data {mean(real):.3g}")] if real else []
    for cell in c.cells:
        for claim in printed.get(cell.label, ()):
            if claim.value is not None:
                whose = "paper" if len(c.cells) == 1 else f"{shorten(cell.label)} in the paper"
                over = f" over {sources.spread_over(claim)}" if claim.spread is not None else ""
                text = f"{whose}: {sources.printed(claim)}{over}"
                levels.append(Level(claim.value, text, look(cell.label).colour, claim.spread))
    return levels


def _caption(c: Comparison, metric: str, axis: Axis, near: Sequence[Level]) -> str:
    dashed = ["real data"] if any(level.colour == INK for level in near) else []
    printed = [level for level in near if level.colour != INK]
    if printed:
        hatched = " (hatched: its ±)" if any(level.spread for level in printed) else ""
        dashed.append(f"what the paper prints{hatched}")
    clocks = len({env for cell in c.cells for env in cell.env_ids}) > 1 and axis.key == "wall_s"
    return (
        f"{metric_title(metric)} against {axis.title}, protocol {c.name}. "
        "Bold with markers: mean over finished seeds; thin: each seed"
        + (f"; dashed: {' and '.join(dashed)}" if dashed else "")
        + ("; ×: where a seed diverged." if any(cell.diverged for cell in c.cells) else ".")
        + (" The times come from more than one environment." if clocks else "")
    )


def _description(c: Comparison, metric: str, axis: Axis) -> str:
    finals = [f"{cell.label} {mean(v):.4g}" for cell in c.cells if (v := c.final(cell, metric))]
    at_end = f" Mean at {count(c.gen_iters)} G-iterations: {', '.join(finals)}." if finals else ""
    return (
        f"Line chart of {metric_name(metric)} against {axis.title}, "
        f"{plural(len(c.cells), 'experiment')}.{at_end}"
    )


def draw_traces(ax: Axes, traces: Sequence[Trace], unit: float, label: str) -> list[Point]:
    """Thin seeds, bold mean; the points with a value to read: those of the mean, or where seeds diverged."""
    colour, marker, dash = look(label)
    last: list[Point] = []
    for one in traces:
        xs, ys = [p.x / unit for p in one.points], [p.y for p in one.points]
        ax.plot(xs, ys, color=colour, linewidth=0.7, alpha=0.55, linestyle="-" if one.done else (0, (3, 2)))
        if not one.done and one.points:
            ax.plot(xs[-1:], ys[-1:], color=colour, marker="x", markersize=7, markeredgewidth=1.8)
            last.append(one.points[-1])
    points = mean_points(traces)
    ax.plot(
        [p.x / unit for p in points],
        [p.y for p in points],
        color=colour,
        linewidth=1.9,
        marker=marker,
        markersize=4.0,
        linestyle=dash,
        clip_on=False,
        zorder=3,
    )
    return points or last


def _spot(name: str, metric: str, axis: Axis, p: Point, traces: Sequence[Trace], unit: float) -> Spot:
    seeds = [q.y for t in traces if t.done for q in t.points if q.gen_iters == p.gen_iters]
    value = f"{metric_name(metric)} {p.y:.4g}"
    if len(seeds) > 1:
        value += f", mean of {len(seeds)} seeds ({', '.join(f'{y:.4g}' for y in seeds)})"
    where = f"{count(p.gen_iters)} G-iterations"
    if axis.key == "wall_s":
        where = f"{duration(p.x)} ({where})"
    elif axis is not AXES[0]:
        where = f"{count(p.x)} {axis.title} ({where})"
    return Spot(p.x / unit, p.y, f"{name}, {where}: {value}")


def score_axes(ax: Axes, values: Sequence[float], *, logarithmic: bool) -> str:
    """Ticks and limits for these values; `log scale` where it may be logarithmic and is, else nothing."""
    if values:
        ax.update_datalim([(0.0, min(values)), (0.0, max(values))], updatex=False)
        ax.autoscale_view(scalex=False)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    said = ""
    if logarithmic and values and min(values) > 0 and max(values) / min(values) > LOG_RANGE:
        ax.set_yscale("log")
        wide = max(values) / min(values) > 1e3
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0), numticks=20))
        ax.yaxis.set_minor_formatter(NullFormatter())
        said = "log scale"
    plain_numbers(ax)
    return said
