"""Matplotlib as a quiet drawing tool: no global state, fixed bytes, SVG that follows the page's colours."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from matplotlib.figure import Figure as Canvas

from benchmark.escape import markup

INK, MUTED, GRID, PAPER = "#23272e", "#6b7079", "#e4e6ea", "#fefefe"
# Okabe & Ito (2008), without the yellow and black that vanish on a light or a dark page.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@contextmanager
def house_style() -> Iterator[None]:
    """Use matplotlib's defaults, whatever the user's matplotlibrc says, with the report's own ink."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "ganbench",
                "font.size": 9.0,
                "text.color": INK,
                "axes.labelcolor": INK,
                "axes.edgecolor": MUTED,
                "axes.linewidth": 0.7,
                "xtick.color": MUTED,
                "ytick.color": MUTED,
                "xtick.labelcolor": INK,
                "ytick.labelcolor": INK,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "axes.axisbelow": True,
                "grid.color": GRID,
                "grid.linewidth": 0.7,
                "figure.facecolor": PAPER,
                "axes.facecolor": PAPER,
            }
        )
        yield


def to_svg(canvas: Canvas) -> str:
    """SVG text without date, creator or any other metadata: equal data gives equal bytes."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return markup(buffer.getvalue())
