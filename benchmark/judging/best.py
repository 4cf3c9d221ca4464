"""Which of several methods is the best, where a test supports that there is one."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from benchmark.judging import statistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALPHA = 0.05


def best(values: Mapping[str, Sequence[float | None]], *, higher: bool) -> str | None:
    """The method whose mean is better than each other's: one-sided Welch tests, Holm over the others.

    Seeds of two methods are no pairs: they draw alike, but not for the same networks.

    Args:
        values: final scores over seeds by method; None for a seed without a result.
        higher: whether a higher score is better.

    Returns:
        Its name; None where one of the tests does not reject at `ALPHA`, cannot be made because a side has
        a single value, or would be of survivors because a side lost too many seeds.

    """
    scored = {name: [x for x in own if x is not None] for name, own in values.items()}
    if len(scored) < 2 or any(len(own) < 2 for own in scored.values()):
        return None
    if any(statistics.too_many_lost(len(own) - len(scored[name]), len(own)) for name, own in values.items()):
        return None
    first = (max if higher else min)(scored, key=lambda name: fmean(scored[name]))
    sign = 1 if higher else -1
    tests = [
        statistics.welch([sign * x for x in own], [sign * x for x in scored[first]])
        for name, own in scored.items()
        if name != first
    ]
    adjusted = statistics.holm([statistics.p_greater(test) for test in tests])
    return first if max(adjusted) <= ALPHA else None
