"""Draws losses above scores, as WGAN's Figures 3 and 4 do with samples in place of scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Canvas

from benchmark.evaluation.loss_curves import thinned
from benchmark.report.figure import COLOURS, house_style
from benchmark.report.labels import plain_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmark.evaluation.loss_curves import Line

MOST_POINTS = 4000
"""Of a drawn line; a picture is not wider."""


@dataclass(frozen=True)
class Drawn:
    """What is drawn of one run: a line per panel; `scores` by the title of its panel."""

    label: str
    quantity: str
    every: Line
    filtered: Line
    scores: Mapping[str, Line]


def draw(runs: Sequence[Drawn], path: Path) -> None:
    """Write the picture: one panel per quantity of losses, then one per score, over G-iterations.

    Args:
        runs: at least one.
        path: its suffix, .svg or .png, says in which format.

    Raises:
        OSError: it cannot be written.

    """
    quantities = list(dict.fromkeys(run.quantity for run in runs))
    scores = list(dict.fromkeys(title for run in runs for title in run.scores))
    with house_style():
        canvas = Canvas(figsize=(7.0, 2.3 * (len(quantities) + len(scores))), dpi=150)
        panels = canvas.subplots(len(quantities) + len(scores), 1, sharex=True, squeeze=False)[:, 0]
        for i, run in enumerate(runs):
            colour = COLOURS[i % len(COLOURS)]
            ax = panels[quantities.index(run.quantity)]
            ax.plot(*thinned(run.every, MOST_POINTS), color=colour, linewidth=0.5, alpha=0.3)
            ax.plot(*thinned(run.filtered, MOST_POINTS), color=colour, linewidth=1.6, label=run.label)
            for title, line in run.scores.items():
                panels[len(quantities) + scores.index(title)].plot(*line, "o-", color=colour, markersize=3)
        for ax, title in zip(panels, [*quantities, *scores], strict=True):
            ax.set_title(title, loc="left", fontsize=9, parse_math=False)
            plain_numbers(ax)
        for ax in panels[: len(quantities)]:
            ax.legend(fontsize=7.5, frameon=False)
        panels[-1].set_xlabel("G-iterations")
        canvas.tight_layout()
        canvas.savefig(path, format=path.suffix[1:])
