"""How many seeds would settle what these did not, if mean and spread stay as they are."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from benchmark.judging import statistics

if TYPE_CHECKING:
    from collections.abc import Sequence


def seeds_needed(worse_by: float, sd: float, prior_df: float, u2: float, margin: float) -> int | None:
    """The smallest n with t_{.95,d₀+n−1}·√(s̃²/n + u²) < |δ − |D||, if D and s̃ stay as they are.

    None where no number would do, for the paper's own uncertainty is too large.
    """

    def half_width(n: int) -> float:
        return statistics.t_quantile(0.95, prior_df + n - 1) * math.sqrt(sd**2 / n + u2)

    return statistics.fewest(half_width, abs(margin - abs(worse_by)))


def seeds_to_order(first: Sequence[float], second: Sequence[float]) -> int | None:
    """The smallest n with t_{.95,ν}·√((s₁²+s₂²)/n) < |D|, ν = (n−1)·(s₁²+s₂²)²/(s₁⁴+s₂⁴), n of each."""
    a, b = stdev(first) ** 2, stdev(second) ** 2
    share = a / (a + b)

    def half_width(n: int) -> float:
        df = (n - 1) / (share**2 + (1 - share) ** 2)
        return statistics.t_quantile(0.95, df) * math.sqrt((a + b) / n)

    return statistics.fewest(half_width, abs(fmean(first) - fmean(second)))
