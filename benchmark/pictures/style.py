"""Matplotlib as a quiet drawing tool: no global state, fixed bytes, SVG that follows the page's colours."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure as Canvas

from baselines import catalogue
from benchmark.escape import markup

INK, MUTED, GRID, PAPER = "#23272e", "#6b7079", "#e4e6ea", "#fefefe"
SHADES = (
    ("#1e94ff", "#577cf9", "#678cff"),
    ("#b74d03", "#cf3929", "#a05b06"),
    ("#09876c", "#027973", "#0f9679"),
    ("#d55cbf", "#a043b8", "#ed5fa9"),
    ("#bb890b", "#d1800f", "#a8920c"),
    ("#8660e3", "#9671f6", "#7b54d6"),
    ("#1697a3", "#018994", "#03a1ae"),
    ("#d2374d", "#ec5162", "#e04659"),
)
"""A hue per row, each shade at 3 : 1 or more against both the light and the dark page.

Two colours of different rows among the first five are at least 8 apart in 100 × OKLab, with normal sight and
with either red-green blindness (simulated after Machado et al. 2009); within a row, markers tell more than
shades.
"""
MARKERS = ("o", "s", "^", "D", "v", "P", "<", "*")
"""Without ×, which says where a seed diverged."""
_DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (6, 2, 1.5, 2)))
_PLACES = len(MARKERS) * len(_DASHES)


class Look(NamedTuple):
    """How an experiment is drawn, with matplotlib's names for marker and dash."""

    colour: str
    marker: str
    dash: Any


@cache
def look(label: str) -> Look:
    """The look of an experiment, equal in every picture, whatever else is drawn there.

    The family (the part before the slash) has the hue; the place within the family, in the order of the
    registry, has shade, marker and dash. Third parties' families and experiments take theirs from a digest of
    the name.

    Args:
        label: ``baseline/experiment``; what follows in brackets, where runs of one experiment are kept apart,
            changes all but the hue.

    """
    name, _, apart = label.partition(" [")
    family = name.partition("/")[0]
    families = _families()
    known = families.get(family, ())
    hue = (
        list(families).index(family) if known else _hash(family, len(SHADES) - len(families)) + len(families)
    )
    place = known.index(name) if name in known else _hash(name, _PLACES)
    place += 1 + _hash(apart, _PLACES - 1) if apart else 0
    return Look(
        SHADES[hue][place % len(SHADES[hue])],
        # Twice the hue, so that the experiments of five papers on one data set differ by their marker too.
        MARKERS[(place + 2 * hue) % len(MARKERS)],
        _DASHES[place // len(MARKERS) % len(_DASHES)],
    )


@cache
def _families() -> dict[str, tuple[str, ...]]:
    """The names of ganbench's own experiments by family."""
    found: dict[str, tuple[str, ...]] = {}
    for name, described in (catalogue.read() or catalogue.compute(catalogue.MODULES)).items():
        found[described["baseline"]] = (*found.get(described["baseline"], ()), name)
    return found


def _hash(text: str, below: int) -> int:
    """A number from 0 to `below` − 1, on every machine the same."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]) % below


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
