"""A drawn chart with what belongs to it: caption, description, its values as a table."""

import re
from dataclasses import dataclass

from markupsafe import escape

from benchmark.escape import markup
from benchmark.pictures.style import GRID, INK, MUTED, PAPER
from benchmark.report.table import Table

_THEMED = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--card)",
}


@dataclass(frozen=True)
class Figure:
    """Drawn chart: stem, standalone SVG text, caption, and a description for those who cannot see it.

    `axis`: the key of its horizontal axis (`axes.AXES`), where there is a choice; `others`: the same against
    the other ones; `values`: the same as a table; `legend`: names and colours of the lines, for a page too
    narrow for those at their ends.
    """

    stem: str
    svg: str
    caption: str
    description: str
    axis: str = ""
    others: "tuple[Figure, ...]" = ()
    values: Table | None = None
    legend: "tuple[tuple[str, str], ...]" = ()

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
            f'<title id="{self.stem}-title">{escape(markup(self.description))}</title>{rest}'
        )
