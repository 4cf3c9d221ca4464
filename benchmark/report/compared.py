"""Two result sets as one HTML file: differences with intervals, samples next to each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from benchmark.escape import markup
from benchmark.judging.compare import Row as Compared
from benchmark.pictures.labels import plain_numbers, shorten
from benchmark.pictures.style import INK, house_style, look, to_svg
from benchmark.records.loaded import LoadedRecord
from benchmark.records.quantities import higher_is_better, metric_name, metric_title, plural
from benchmark.report import html
from benchmark.report.figure import Figure
from benchmark.report.samples import EMBEDDED_BYTES, Grid, last_grid
from benchmark.report.table import Row, Table, numbers, words

CAPTION = (
    "B − A: the difference of means over seeds; the bar is its 90 % interval (Welch), where both sides have "
    "two seeds and no run is on both, bit for bit. Each interval stands for itself: of ten differences "
    "without a cause, one lies beyond its own."
)


@dataclass(frozen=True)
class Pair:
    """Samples of one cell and seed on both sides."""

    label: str
    grids: tuple[Grid, Grid]


def render(
    names: tuple[str, str],
    rows: Sequence[Compared],
    runs: Sequence[Sequence[LoadedRecord]],
    notes: Sequence[str],
) -> str:
    """The page.

    Args:
        names: what A and B are, as the user gave them.
        rows: `judging.compare.side_by_side`.
        runs: of each side those whose folders are there; none of a reference file.
        notes: what was chosen, and why cells do not share a row.

    """
    return html.page(
        "compared.html.j2",
        names=names,
        summary=_summary(rows),
        caption=CAPTION,
        table=table(rows),
        figures=figures(rows),
        pairs=pairs(*runs),
        notes=notes,
    )


def table(rows: Sequence[Compared]) -> Table:
    """What the terminal shows."""
    columns = *words("Experiment", "Cell", "Metric"), *numbers("A", "B", "B − A [90 %]"), *words("Bits")
    return Table("Final scores, mean ± sd over seeds.", columns, tuple(Row(row.texts()) for row in rows))


def _summary(rows: Sequence[Compared]) -> str:
    """How much there is on both sides, and how much of it differs."""
    both = [row for row in rows if row.difference is not None]
    intervals = [row.interval for row in both if row.interval]
    apart = sum(interval.low > 0 or interval.high < 0 for interval in intervals)
    equal = sum(row.same_bits is True for row in both)
    cells = len({row.cell for row in rows})
    return (
        f"{plural(cells, 'cell')}; {plural(len(both), 'score')} on both sides, {equal} of them of runs that "
        f"are equal bit for bit. {apart} of {plural(len(intervals), 'interval')} do not contain 0."
    )


def figures(rows: Sequence[Compared]) -> list[Figure]:
    """Per protocol and metric the differences of all cells that both sides have, one below the other."""
    found = dict.fromkeys((row.protocol, row.metric) for row in rows if row.difference is not None)
    kinds = sorted(found, key=lambda kind: kind[1] != "fid")  # first, as everywhere
    return [
        _figure(
            [r for r in rows if (r.protocol, r.metric) == kind and r.difference is not None], f"compared-{i}"
        )
        for i, kind in enumerate(kinds)
    ]


def _figure(rows: Sequence[Compared], stem: str) -> Figure:
    metric = rows[0].metric
    up = higher_is_better(metric)
    better = "" if up is None else f", B is better {'right' if up else 'left'} of 0"
    with house_style():
        canvas = Canvas(figsize=(6.4, 0.9 + 0.32 * len(rows)), layout="constrained")
        ax = canvas.subplots()
        ax.axvline(0, color=INK, linewidth=1.0)
        for y, row in enumerate(rows):
            colour, marker, _ = look(row.experiment)
            if row.interval:
                ax.plot(row.interval, [y, y], color=colour, linewidth=2.2, solid_capstyle="butt")
            face = colour if row.interval else "none"
            ax.plot(
                [row.difference or 0.0], [y], color=colour, marker=marker, markersize=6, markerfacecolor=face
            )
        plain_numbers(ax)
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.xaxis.set_major_formatter(ax.yaxis.get_major_formatter())
        ax.set_yticks(range(len(rows)))
        ax.set_yticklabels([markup(shorten(row.experiment)) for row in rows], parse_math=False)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlabel(f"B − A{better}")
        ax.set_title(
            markup(f"{metric_title(metric)} ({rows[0].protocol})"), loc="left", fontsize=9, parse_math=False
        )
        svg = to_svg(canvas)
    said = "; ".join(f"{row.experiment} {row.texts()[5]}" for row in rows)
    hollow = any(row.interval is None for row in rows)
    caption = "Hollow: no interval, for a side has one seed or a run is on both." if hollow else ""
    return Figure(stem, svg, caption, f"Differences in {metric_name(metric)}, B − A: {said}.")


def pairs(a: Sequence[LoadedRecord], b: Sequence[LoadedRecord]) -> list[Pair]:
    """The last samples of the first seed that both sides have, for every cell that both have."""
    sides = [{(r.record["cell_id"], r.record["seed"]): r for r in side} for side in (a, b)]
    shared: dict[str, tuple[str, int]] = {}
    for cell, seed in sorted(sides[0].keys() & sides[1].keys(), key=lambda key: (key[1], key[0])):
        shared.setdefault(cell, (cell, seed))
    share = EMBEDDED_BYTES // (2 * len(shared)) if shared else None
    found = []
    for key in shared.values():
        grids = [last_grid(side[key], share) for side in sides]
        if grids[0] and grids[1]:
            label = f"{sides[0][key].record['experiment']}, seed {key[1]}"
            one, other = (
                replace(g, caption=f"{name}: {g.caption}") for name, g in zip("AB", grids, strict=True) if g
            )
            found.append(Pair(label, (one, other)))
    return sorted(found, key=lambda pair: pair.label)
