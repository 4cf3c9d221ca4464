"""Values to read by pointing: unseen circles over the points of a chart, each with a title. No script."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import escape
from matplotlib.axes import Axes

from benchmark.escape import markup

_POINTS_PER_INCH = 72.0


@dataclass(frozen=True)
class Spot:
    """A point in units of the data, and what a reader should see there."""

    x: float
    y: float
    text: str


def with_titles(svg: str, ax: Axes, spots: Sequence[Spot], radius: float = 6.0) -> str:
    """The drawing with a circle of `radius` points at every spot; `ax` must be as it was drawn."""
    canvas = ax.figure.get_figure(root=True)
    if canvas is None:
        raise ValueError("the axes are in no figure")
    scale, height = _POINTS_PER_INCH / canvas.dpi, canvas.get_figheight() * _POINTS_PER_INCH
    ax.get_ylim()  # transData carries old view limits until the axes are asked for theirs
    circles = []
    for spot in spots:
        x, y = ax.transData.transform((spot.x, spot.y))
        circles.append(
            f'<circle cx="{x * scale:.1f}" cy="{height - y * scale:.1f}" r="{radius:g}">'
            f"<title>{escape(markup(spot.text))}</title></circle>"
        )
    group = f'<g class="spots" fill="none" pointer-events="all">{"".join(circles)}</g>\n'
    end = svg.rindex("</svg>")
    return svg[:end] + group + svg[end:]
