"""Horizontal lines in a chart: the score of real data, and what papers print."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from benchmark.pictures.style import INK

REACH = 10.0
"""Factor between the scores and a level up to which the axis extends to the level."""

_LINE = 0.055
"""Height of a label as a share of the axes'."""
_COLUMNS = (0.015, 0.36, 0.69)
"""Where labels begin; one goes to the next where it would lie on another."""


@dataclass(frozen=True)
class Level:
    """A value with its label; `spread` is hatched to both sides, and the label says what it is over."""

    value: float
    text: str
    colour: str = INK
    spread: float | None = None


def within_reach(level: float, values: Sequence[float]) -> bool:
    """Whether an axis that shows `level` still shows how the values differ."""
    if not values or min(values) <= 0 or level <= 0:
        return True
    return min(values) / REACH <= level <= max(values) * REACH


def draw_levels(ax: Axes, levels: Sequence[Level], values: Sequence[float]) -> None:
    """A dashed line per level with its label above; a note at the edge for one that is too far away."""
    across = blended_transform_factory(ax.transAxes, ax.transData)
    below = above = 0
    columns = [-1.0] * len(_COLUMNS)
    ax.get_ylim()  # transData carries old view limits until the axes are asked for theirs
    for level in sorted(levels, key=lambda one: one.value):
        place: Any = ax.transAxes
        left = _COLUMNS[0]
        text = level.text
        if within_reach(level.value, values):
            ax.axhline(level.value, color=level.colour, linewidth=1.1, linestyle=(0, (4, 3)))
            if level.spread:
                low, high = level.value - level.spread, level.value + level.spread
                ax.axhspan(
                    low, high, facecolor="none", edgecolor=level.colour, hatch="/////", linewidth=0, alpha=0.5
                )
            height, place = level.value, across
            at = float(ax.transAxes.inverted().transform(ax.transData.transform((0.0, level.value)))[1])
            free = next((k for k, taken in enumerate(columns) if at - taken > _LINE), len(columns) - 1)
            left, columns[free] = _COLUMNS[free], at
        elif level.value < ax.get_ylim()[0]:
            height, text = _LINE * below, f"{text} lies below this axis"
            below += 1
        else:
            height, text = 0.94 - _LINE * above, f"{text} lies above this axis"
            above += 1
        ax.annotate(
            text,
            (left, height),
            xycoords=place,
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=8,
            color=INK,
            parse_math=False,
        )
