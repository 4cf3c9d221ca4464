"""How runs start against the accepted ones: in words, and the first losses beside what they may differ by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure as Canvas

from benchmark.escape import markup
from benchmark.judging import starts
from benchmark.pictures.style import INK, house_style, look, to_svg
from benchmark.records.cells import Cell
from benchmark.report.figure import Figure

STEM = "starts"
_FLOOR, _CEILING = 1e-9, 1e2
"""Of the axis: equal losses are drawn at its bottom, what is not finite at its top."""
_CAPTION = (
    "Largest difference of a loss to the accepted run of the same seed, as a share of the largest "
    "change from its first value that the loss has in the accepted run's first ten G-iterations. Rounding on "
    "another machine stays below the dashed line; a changed computation crosses it at once: docs/gate.md."
)


@dataclass(frozen=True)
class Starts:
    """A sentence for every experiment with accepted seeds, and the chart, unless all losses are equal."""

    sentences: tuple[str, ...]
    figure: Figure | None


def compare(cells: Sequence[Cell], reference: Sequence[Mapping[str, Any]]) -> Starts | None:
    """The section; None where no seed was accepted."""
    records = [record for cell in cells for record in cell.records]
    found = starts.starts(reference, records)
    if not found:
        return None
    differences = {
        experiment: [starts.by_range(then, now) for then, now in pairs]
        for experiment, pairs in starts.pairs(reference, records).items()
    }
    differ = any(x != 0 for runs in differences.values() for run in runs for x in run)
    sentences = tuple(f"{experiment}: {start.reason()}." for experiment, start in sorted(found.items()))
    return Starts(sentences, _figure(differences) if differ else None)


def _figure(differences: Mapping[str, Sequence[Sequence[float | None]]]) -> Figure:
    """A line for each experiment: the largest over its seeds."""
    ks = range(1, starts.GEN_ITERS + 1)
    with house_style():
        canvas = Canvas(figsize=(6.4, 3.0))
        ax = canvas.subplots()
        ax.plot(
            ks, [starts.share(k) for k in ks], color=INK, linewidth=1.2, linestyle="--", label="tolerance"
        )
        for experiment, runs in sorted(differences.items()):
            colour, marker, dash = look(experiment)
            per_k = list(zip(*runs, strict=False))
            ax.plot(
                ks[: len(per_k)],
                [max(map(_on_axis, values)) for values in per_k],
                color=colour,
                marker=marker,
                linestyle=dash,
                markersize=4,
                linewidth=1.4,
                label=markup(experiment),
            )
        ax.set_yscale("log")
        ax.set_ylim(_FLOOR, _CEILING)
        ax.set_xticks(list(ks))
        ax.set_xlabel("G-iteration")
        ax.set_ylabel("difference / largest change")
        legend = canvas.legend(loc="outside right upper", frameon=False, fontsize=8)
        for text in legend.get_texts():
            text.set_parse_math(False)
        canvas.set_layout_engine("constrained")
        svg = to_svg(canvas)
    described = "Line chart of differences of the first losses to the accepted ones, and the tolerance."
    return Figure(STEM, svg, _CAPTION, described)


def _on_axis(x: float | None) -> float:
    return _CEILING if x is None else min(max(x, _FLOOR), _CEILING)
