"""Draws losses above scores, as WGAN's Figures 3 and 4 do with samples in place of scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Canvas

from benchmark.escape import markup
from benchmark.evaluation.loss_curves import thinned
from benchmark.pictures.labels import plain_numbers
from benchmark.pictures.style import house_style, look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

from benchmark.evaluation.loss_curves import Line

MOST_POINTS = 4000
"""Of a drawn line; a picture is not wider."""


@dataclass(frozen=True)
class Drawn:
    """What is drawn of one run; `scores` by the title of their panel."""

    experiment: str
    quantity: str
    every: Line
    filtered: Line
    scores: Mapping[str, Line]

    @property
    def panel(self) -> str:
        """Levels are comparable within an experiment only."""
        return f"{self.experiment}: {self.quantity}"


def draw(runs: Sequence[Drawn], path: Path) -> None:
    """Write the picture: one panel of losses per experiment, then one per score, over G-iterations.

    An experiment has one colour, each of its runs a line.

    Args:
        runs: at least one.
        path: its suffix, .svg or .png, says in which format.

    Raises:
        OSError: it cannot be written.

    """
    titles = list(dict.fromkeys([*(run.panel for run in runs), *(t for run in runs for t in run.scores)]))
    with house_style():
        canvas = Canvas(figsize=(7.0, 2.2 * len(titles)), dpi=150)
        panels = dict(
            zip(titles, canvas.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0], strict=True)
        )
        named = set()
        for run in runs:
            colour, marker, dash = look(run.experiment)
            panels[run.panel].plot(*thinned(run.every, MOST_POINTS), color=colour, linewidth=0.5, alpha=0.3)
            panels[run.panel].plot(*thinned(run.filtered, MOST_POINTS), color=colour, linewidth=1.4)
            for title, line in run.scores.items():
                label = run.experiment if (title, run.experiment) not in named else None
                named.add((title, run.experiment))
                panels[title].plot(
                    *line,
                    color=colour,
                    marker=marker,
                    linestyle=dash,
                    markersize=3.5,
                    linewidth=1.2,
                    label=label,
                )
        for title, ax in panels.items():
            ax.set_title(markup(title), loc="left", fontsize=9, parse_math=False)
            plain_numbers(ax)
            if ax.get_legend_handles_labels()[0]:
                ax.legend(fontsize=7.5, frameon=False)
        panels[titles[-1]].set_xlabel("G-iterations")
        canvas.tight_layout()
        canvas.savefig(path, format=path.suffix[1:])
