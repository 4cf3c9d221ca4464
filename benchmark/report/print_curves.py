"""Curves of scores for one column of a paper: 3.25 in wide, all text in 8 points, as PDF and as SVG."""

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure as Canvas

from benchmark.escape import markup
from benchmark.pictures.style import INK, MUTED, house_style, to_svg
from benchmark.records.quantities import metric_with_unit
from benchmark.records.summary import mean
from benchmark.report.content import unique_stems
from benchmark.report.curves import draw_traces, score_axes
from benchmark.report.levels import within_reach
from benchmark.report.naming import display_names
from benchmark.report.scores import Comparison
from benchmark.report.traces import trace

WIDTH_IN, TEXT_PT = 3.25, 8.0
_PLOT_IN, _LINE_IN = 1.9, 0.155
"""Height without the legend, and of a line of the legend."""
_LETTERS = 32
"""Of all names that fit beside each other in the legend."""
_NO_METADATA = dict.fromkeys(("Creator", "Producer", "CreationDate"))


def printed_curves(c: Comparison, metric: str) -> dict[str, bytes]:
    """The curve as `pdf` and as `svg`; equal scores give equal bytes."""
    with house_style():
        matplotlib.rcParams.update({"font.size": TEXT_PT, "pdf.fonttype": 42})  # journals refuse Type 3 fonts
        canvas = draw(c, metric)
        pdf = io.BytesIO()
        canvas.savefig(pdf, format="pdf", metadata=_NO_METADATA)
        return {"pdf": pdf.getvalue(), "svg": to_svg(canvas).encode("utf-8")}


def draw(c: Comparison, metric: str) -> Canvas:
    """Bold means named in a legend below, thin seeds, the score of real data; the rest is for the caption."""
    names = display_names(c.cells)
    columns = max(1, min(3, _LETTERS // max(map(len, names.values()))))
    lines = -(-len(c.cells) // columns)
    canvas = Canvas(figsize=(WIDTH_IN, _PLOT_IN + _LINE_IN * lines), layout="constrained", facecolor="white")
    ax = canvas.subplots()
    values: list[float] = []
    for cell in c.cells:
        traces = [trace(record, c.name, metric, "gen_iters") for record in cell.records]
        draw_traces(ax, traces, 1.0, cell.label)
        ax.lines[-1].set_label(markup(names[cell.label]))
        values += [p.y for one in traces for p in one.points]
    real = [mean(found)] if (found := c.real_data(metric)) and within_reach(mean(found), values) else []
    said = score_axes(ax, [*values, *real], logarithmic=metric == "fid")
    for level in real:
        ax.axhline(level, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        ax.annotate(
            "real data",
            (0, level),
            xycoords=ax.get_yaxis_transform(),
            xytext=(3, 2),
            textcoords="offset points",
        )
    for line in ax.lines:
        line.set_linewidth(0.7 * line.get_linewidth())  # of the page's charts, which are twice as wide
    ax.set_xlim(0, c.gen_iters or 1)
    ax.set_xlabel("G-iterations")
    ax.set_ylabel(markup(", ".join(filter(None, (metric_with_unit(metric), said)))), parse_math=False)
    if not values:
        ax.text(0.5, 0.5, "no finite scores", transform=ax.transAxes, ha="center", color=MUTED)
    legend = canvas.legend(
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=TEXT_PT,
        handlelength=2.6,
        columnspacing=1.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return canvas


def files(compared: Sequence[Comparison]) -> dict[str, bytes]:
    """Every metric of every comparison, by the name that its file has below curves/print/."""
    stem = unique_stems()
    return {
        f"{name}.{kind}": content
        for c in compared
        for metric in c.metrics
        for name in (stem(f"{metric}-{c.name}"),)
        for kind, content in printed_curves(c, metric).items()
    }
