"""docs/start-band.svg: how far legitimate environments and some bugs are from the accepted losses."""

from matplotlib.figure import Figure
from planted_bugs import BUGS
from planted_trees import ARMS

from benchmark.judging.starts import GEN_ITERS, share
from benchmark.pictures.style import GRID, INK, MARKERS, MUTED, SHADES, house_style, to_svg

SHOWN = ("wgan_gp.half-penalty", "dcgan.beta1", "sngan.hinge-sign", "wgan.one-critic-step", "dcgan.library")
COLOURS = tuple(shades[0] for shades in SHADES)
FLOOR, CEILING = 1e-8, 1e2
"""Of the axis; equal losses are drawn at the bottom."""


def band(found):
    """The picture as SVG, of seed 0 for bugs and of all runs for environments."""
    ks = range(1, GEN_ITERS + 1)
    entries = [found[arm.name, "start"] for arm in ARMS if (arm.name, "start") in found]
    runs = [row["by_range"] for entry in entries for row in entry["starts"]]
    with house_style():
        canvas = Figure(figsize=(7.2, 4.2))
        ax = canvas.subplots()
        if runs:
            largest = [clipped(max(run[k - 1] or 0.0 for run in runs)) for k in ks]
            ax.fill_between(ks, FLOOR, largest, color=GRID, linewidth=0)
            ax.text(
                1.15,
                2.5 * FLOOR,
                f"{len(runs)} runs of the same code in {len(entries)} other environments",
                color=MUTED,
            )
        tolerances = [share(k) for k in ks]
        ax.plot(ks, tolerances, color=INK, linewidth=1.2, linestyle="--")
        ax.text(GEN_ITERS + 0.15, tolerances[-1], "tolerance", color=INK, va="center")
        for name, colour, marker in zip(SHOWN, COLOURS, MARKERS, strict=False):
            entry = found.get((name, "start"))
            if entry is None:
                continue
            what = next(bug.what for bug in BUGS if bug.name == name)
            line = [clipped(x) for x in entry["starts"][0]["by_range"][:GEN_ITERS]]
            ax.plot(
                ks, line, color=colour, marker=marker, markersize=4, linewidth=1.4, label=f"{name}: {what}"
            )
        ax.set_yscale("log")
        ax.set_ylim(FLOOR, CEILING)
        ax.set_xlim(1, GEN_ITERS + 1.4)
        ax.set_xticks(list(ks))
        ax.set_xlabel("G-iteration")
        ax.set_ylabel("difference of a loss, as a share of its range")
        canvas.legend(loc="outside upper left", frameon=False, fontsize=8)
        canvas.set_layout_engine("constrained")
        return to_svg(canvas)


def clipped(x):
    """Onto the axis; what is not finite is off at the top."""
    return CEILING if x is None else min(max(x, FLOOR), CEILING)
