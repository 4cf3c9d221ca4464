"""Mean and spread over training seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of n values; `sd` is None where n = 1."""

    mean: float
    sd: float | None
    n: int

    def text(self, decimals: int) -> str:
        """`12.34 ± 0.56`, or `12.34` for a single value."""
        mean = f"{self.mean:.{decimals}f}"
        return mean if self.sd is None else f"{mean} ± {self.sd:.{decimals}f}"


def mean(values: Sequence[float]) -> float:
    """x̄ = Σ xᵢ / n. Raises ValueError when there are no values."""
    if not values:
        raise ValueError("the mean of no values")
    return math.fsum(values) / len(values)


def sample_sd(values: Sequence[float]) -> float:
    """Sample standard deviation s = √( Σ (xᵢ − x̄)² / (n − 1) ). Raises ValueError for n < 2."""
    if len(values) < 2:
        raise ValueError("a sample standard deviation needs two values")
    centre = mean(values)
    return math.sqrt(math.fsum((x - centre) ** 2 for x in values) / (len(values) - 1))


def summarise(values: Sequence[float]) -> Spread | None:
    """Mean, sample sd and n of the values; None when there are none."""
    if not values:
        return None
    return Spread(mean(values), sample_sd(values) if len(values) > 1 else None, len(values))


def decimals_for(values: Sequence[float]) -> int:
    """Decimals for one column of scores: 2, and up to 5 where the smallest non-zero value needs them.

    One number for the whole column keeps the decimal points aligned: [310.0, 1.2] → 2, [310.0, 0.0123] → 3.
    """
    smallest = min((abs(x) for x in values if x and math.isfinite(x)), default=1.0)
    return min(5, max(2, 1 - math.floor(math.log10(smallest))))
