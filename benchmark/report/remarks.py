"""Remarks that a person would make on seeing curves and samples, made by rule.

| remark | rule |
|---|---|
| diverged | a seed ended in numbers that are not finite |
| collapsed | over the images of a seed's last grid, pixels differ by `ALIKE` grey levels (sd) at most |
| no better than its start | the mean score at the budget is worse than that of the untrained generator |
| still improving | over the last third of the budget the mean score improved by `IMPROVING` or more |
| seeds disagree | the sd over seeds is `DISAGREE` of the mean or more |

The last two take shares, so they are not made of a metric without a zero (a log-likelihood).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark.data import pixels
from benchmark.records import bounded
from benchmark.records.quantities import WITHOUT_A_ZERO, count, higher_is_better, metric_name, named_seeds
from benchmark.records.summary import mean, summarise
from benchmark.report.samples import samples_of
from benchmark.report.traces import mean_points, trace

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.records.cells import Cell
    from benchmark.report.scores import Comparison
    from benchmark.report.traces import Point

ALIKE = 3.0
"""Grey levels."""
IMPROVING, DISAGREE = 0.05, 0.25
_GRID, _GAP = 8, 2


def remarks(cell: Cell, c: Comparison | None, metric: str | None) -> tuple[str, ...]:
    """What stands out in a cell; `metric` of the comparison is the one that its curve is drawn by."""
    found = []
    if cell.diverged:
        found.append(f"diverged: {named_seeds(r['seed'] for r in cell.diverged)}")
    last = [(run.record["seed"], sample[0]) for run in cell.runs for sample in samples_of(run)[-1:]]
    if alike := [seed for seed, file in last if collapsed(file)]:
        found.append(f"collapsed: all samples alike ({named_seeds(alike)})")
    if c is not None and metric is not None:
        found += _of_scores(cell, c, metric)
    return tuple(found)


def _of_scores(cell: Cell, c: Comparison, metric: str) -> list[str]:
    name, up = metric_name(metric), higher_is_better(metric)
    values = c.final(cell, metric)
    spread = summarise(values)
    if spread is None or up is None:
        return []
    found = []
    sign = 1 if up else -1
    start = c.untrained(cell, metric)
    if start and sign * (spread.mean - mean(start)) < 0:
        found.append(f"no better than its start: {name} {spread.mean:.4g}, untrained {mean(start):.4g}")
    if metric in WITHOUT_A_ZERO:
        return found
    points = mean_points([trace(r, c.name, metric, "gen_iters") for r in cell.records])
    if gain := _late_gain(points, c.gen_iters, sign):
        since, share = gain
        verb = "rose" if up else "fell"
        found.append(
            f"still improving: {name} {verb} by {100 * share:.0f} % after {count(since)} G-iterations"
        )
    if spread.sd is not None and spread.mean and spread.sd >= DISAGREE * abs(spread.mean):
        found.append(f"seeds disagree: sd is {100 * spread.sd / abs(spread.mean):.0f} % of the mean {name}")
    return found


def _late_gain(points: list[Point], budget: int, sign: int) -> tuple[int, float] | None:
    """From which G-iteration on how much better the mean became, in shares of the value there; if enough."""
    before = [p for p in points if 0 < p.gen_iters <= budget * 2 / 3]
    if not before or points[-1].gen_iters < budget:
        return None
    then, now = before[-1], points[-1]
    share = sign * (now.y - then.y) / abs(then.y) if then.y else 0.0
    return (then.gen_iters, share) if share >= IMPROVING else None


def collapsed(file: Path | None) -> bool:
    """Whether the images of a grid are all alike; False where it cannot be read."""
    if file is None:
        return False
    try:
        with pixels.opened(bounded.read(file, bounded.PICTURE_BYTES)) as image:
            values = np.asarray(image.convert("RGB"), dtype=np.float64)
    except (OSError, bounded.Unreadable, pixels.BrokenImage):
        return False
    height, width = ((side + _GAP) // _GRID for side in values.shape[:2])
    if min(height, width) <= _GAP or any((side + _GAP) % _GRID for side in values.shape[:2]):
        return False
    padded = np.pad(values, ((0, _GAP), (0, _GAP), (0, 0)))
    images = padded.reshape(_GRID, height, _GRID, width, 3).swapaxes(1, 2)[:, :, :-_GAP, :-_GAP]
    return bool(images.reshape(_GRID * _GRID, -1).std(0).mean() <= ALIKE)
