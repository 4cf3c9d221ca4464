"""Words and numbers in charts: plain axis numbers, names at the ends of lines."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from benchmark.escape import markup
from benchmark.pictures.style import MUTED, look
from benchmark.records.quantities import NARROW_SPACE


def plain_numbers(ax: Axes) -> None:
    """`10 000` and `−5` on both axes."""
    # Not matplotlib's own formats: its log and offset notations are mathtext, which is not text in the SVG.
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.6g}".replace("-", "−")))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}".replace(",", NARROW_SPACE)))


def direct_labels(ax: Axes, ends: Sequence[tuple[float, str]], gap: float = 0.052) -> None:
    """Names right of the lines' ends, pushed apart to `gap` of the height, joined to them by a thin line."""
    # transData still carries matplotlib's old view limits until the axes are asked for theirs.
    ax.get_ylim()
    places = []
    for y, name in ends:
        at = ax.transAxes.inverted().transform(ax.transData.transform((0.0, y)))[1]
        places.append((min(max(float(at), 0.0), 1.0), name))
    for (at, name), shown in zip(sorted(places), _spaced([at for at, _ in sorted(places)], gap), strict=True):
        colour, marker, _ = look(name)
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
            marker=marker,
            markersize=4.5,
            clip_on=False,
        )
        ax.text(
            1.065,
            shown,
            markup(shorten(name)),
            transform=ax.transAxes,
            va="center",
            fontsize=8.5,
            parse_math=False,
        )
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


def shorten(text: str, limit: int = 34) -> str:
    """At most `limit` characters, the last one … where there were more."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
