"""Matplotlib as a quiet drawing tool: no global state, fixed bytes, SVG that follows the page's colours."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure as Canvas

from benchmark.report.table import Table

INK, MUTED, GRID, PAPER = "#23272e", "#6b7079", "#e4e6ea", "#fefefe"
# Okabe & Ito (2008), without the yellow and black that vanish on a light or a dark page.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_THEMED = {
    COLOURS[0]: "var(--blue)",
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--card)",
}


@dataclass(frozen=True)
class Figure:
    """Drawn chart: stem, standalone SVG text, caption, and a description for those who cannot see it.

    `axis`: the key of its horizontal axis (`axes.AXES`), where there is a choice; `others`: the same against
    the other ones; `values`: the same as a table.
    """

    stem: str
    svg: str
    caption: str
    description: str
    axis: str = ""
    others: "tuple[Figure, ...]" = ()
    values: Table | None = None

    @property
    def views(self) -> "tuple[Figure, ...]":
        """Against each of the axes."""
        return (self, *self.others)

    def inline(self) -> str:
        """Make the SVG element for an HTML page: page colours, unique ids, width left to the page."""
        svg = self.svg[self.svg.index("<svg") :]
        for colour, variable in _THEMED.items():
            svg = svg.replace(colour, variable)
        svg = re.sub(r'\bid="([^"]+)"', rf'id="{self.stem}-\1"', svg)
        svg = re.sub(r'(href="#|url\(#)', rf"\1{self.stem}-", svg)
        head, rest = svg.split(">", 1)
        head = re.sub(r'\s(?:width|height|xmlns:xlink|version)="[^"]*"', "", head)
        return (
            f'{head} role="img" aria-labelledby="{self.stem}-title">'
            f'<title id="{self.stem}-title">{_escape(self.description)}</title>{rest}'
        )


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
    return buffer.getvalue()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
