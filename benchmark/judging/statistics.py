"""The statistics behind verdicts: few seeds, one mean, an interval. Pure functions.

Student's t is used throughout, since percentile bootstraps of 3 to 5 values cover 75 to 84 % where they
should cover 95 %. Distributions are SciPy's, imported by the first interval or p that is made: that takes
longer than all else that most commands do.
"""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONFIDENCE = 0.90
"""Of intervals: two one-sided tests at 5 % each."""
REFERENCE_PRIOR_CAP = 8
"""Degrees of freedom that a reference of the same cell may count for."""
BORROWED_PRIOR_DF = 2.0
"""Those of a coefficient of variation borrowed from the suite: more would be costly if it is wrong."""
CONTRADICTION = 0.05
"""A prior is dropped where a spread as large as ours has less than this probability under it."""
MOST_SEEDS = 1000
"""Numbers of seeds beyond this are called "none": nobody trains so many."""

Equivalence = Literal["equivalent", "worse", "better", "undecided"]


class Prior(NamedTuple):
    """A standard deviation known before looking, and how many degrees of freedom it is worth."""

    sd: float
    df: float
    source: str


class Moderated(NamedTuple):
    """A standard deviation, its degrees of freedom, and whether it contradicted the prior."""

    sd: float
    df: float
    contradicted: bool = False


class Interval(NamedTuple):
    """Its two ends."""

    low: float
    high: float


class Comparison(NamedTuple):
    """Difference of two means, its standard error, the degrees of freedom of that."""

    difference: float
    standard_error: float
    df: float


# --- Variance -----------------------------------------------------------------------------------------


def pooled_sd(groups: Sequence[Sequence[float]]) -> float:
    """√( Σ (nᵢ−1)·sᵢ² / Σ (nᵢ−1) ): the common sd of groups with means of their own.

    Raises:
        ValueError: no group has two values.

    """
    groups = [group for group in groups if len(group) > 1]
    if not groups:
        raise ValueError("no group has two values")
    squares = math.fsum((len(group) - 1) * stdev(group) ** 2 for group in groups)
    return math.sqrt(squares / sum(len(group) - 1 for group in groups))


def prior_of_reference(values: Sequence[float]) -> Prior | None:
    """From earlier, other runs of the same cell: s₀ = their sd, d₀ = n−1, at most 8."""
    if len(values) < 2:
        return None
    return Prior(stdev(values), min(len(values) - 1, REFERENCE_PRIOR_CAP), "reference of the same cell")


def prior_of_suite(others: Sequence[Sequence[float]], mean: float) -> Prior | None:
    """From other cells in the same metric: s₀ = CoV₀·|mean|, d₀ = 2.

    CoV₀ is their pooled coefficient of variation. A cell with a single value, or whose values are not all
    positive, has none.
    """
    scaled = [[x / fmean(v) for x in v] for v in others if len(v) > 1 and min(v) > 0]
    if not scaled:
        return None
    return Prior(pooled_sd(scaled) * abs(mean), BORROWED_PRIOR_DF, "other cells of the suite")


def moderated(values: Sequence[float], prior: Prior | None = None) -> Moderated | None:
    """The moderated sd s̃² = (d₀·s₀² + (n−1)·s²) / (d₀+n−1), with ν = d₀+n−1.

    At n = 3 alone the 95 % interval of σ/s is (.52, 6.3), so what is known about σ is worth having. Where our
    spread contradicts the prior, s > s₀·√(χ²_{.95,n−1}/(n−1)) (1.73·s₀ at n = 3), it is dropped: d₀ = 0.
    None when there is no degree of freedom.
    """
    n = len(values)
    own = stdev(values) if n > 1 else 0.0
    d0, s0 = (prior.df, prior.sd) if prior else (0.0, 0.0)
    contradicted = False
    if d0 and n > 1 and own:
        contradicted = s0 == 0 or chi_squared_tail((n - 1) * _square(own / s0), n - 1) < CONTRADICTION
        d0 = 0.0 if contradicted else d0
    df = d0 + n - 1
    if df <= 0:
        return None
    return Moderated(math.sqrt((d0 * s0**2 + (n - 1) * own**2) / df), df, contradicted)


# --- Comparing means ------------------------------------------------------------------------------------


def interval(centre: float, standard_error: float, df: float, confidence: float = CONFIDENCE) -> Interval:
    """The ends centre ∓ t_{(1+confidence)/2, ν}·SE."""
    half = t_quantile((1 + confidence) / 2, df) * standard_error
    return Interval(centre - half, centre + half)


def equivalence(worse_by: float, standard_error: float, df: float, margin: float) -> Equivalence:
    """Two one-sided 5 % tests of D against ±δ.

    `equivalent` if the 90 % interval of D lies within (−δ, δ), `worse` if above δ, `better` if below −δ,
    else `undecided`: absence of evidence is never equivalence.
    """
    low, high = interval(worse_by, standard_error, df)
    if -margin < low and high < margin:
        return "equivalent"
    return "worse" if low > margin else "better" if high < -margin else "undecided"


def pooled(reference: Sequence[float], current: Sequence[float]) -> Comparison:
    """The difference current − reference: SE = s_p·√(1/n_r + 1/n_c), ν = n_r+n_c−2.

    Raises:
        ValueError: neither has two values.

    """
    sd = pooled_sd([reference, current])
    error = sd * math.sqrt(1 / len(reference) + 1 / len(current))
    return Comparison(fmean(current) - fmean(reference), error, len(reference) + len(current) - 2)


def paired(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """The mean of second − first by pairs: SE = s_d/√n, ν = n−1. For equal seeds, whose draws are equal.

    Raises:
        ValueError: they are not as many.
        statistics.StatisticsError: fewer than two pairs.

    """
    differences = [b - a for a, b in zip(first, second, strict=True)]
    n = len(differences)
    return Comparison(fmean(differences), stdev(differences) / math.sqrt(n), n - 1)


def welch(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """The difference second − first with variances of their own, ν after Welch and Satterthwaite.

    SE² = a + b with a = s₁²/n₁, b = s₂²/n₂;  ν = (a+b)² / (a²/(n₁−1) + b²/(n₂−1)). For two methods, whose
    spreads need not be alike. Without any spread ν = n₁+n₂−2.

    Raises:
        statistics.StatisticsError: one has fewer than two values.

    """
    a, b = stdev(first) ** 2 / len(first), stdev(second) ** 2 / len(second)
    df = float(len(first) + len(second) - 2)
    if a + b > 0:
        part = a / (a + b)  # scaled, so that squares of tiny variances do not vanish
        df = 1 / (part**2 / (len(first) - 1) + (1 - part) ** 2 / (len(second) - 1))
    return Comparison(fmean(second) - fmean(first), math.sqrt(a + b), df)


def p_greater(comparison: Comparison) -> float:
    """One-sided p of "the difference is not above 0". Without spread: 0 above 0, else 1."""
    if comparison.standard_error == 0:
        return 0.0 if comparison.difference > 0 else 1.0
    from scipy.special import stdtr

    return float(stdtr(comparison.df, -comparison.difference / comparison.standard_error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p, in the order given: p̃₍ᵢ₎ = max_{j≤i} min(1, (m−j+1)·p₍ⱼ₎).

    Rejecting where p̃ ≤ α keeps the probability of any false alarm among m tests at α.
    """
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def fewest(half_width: Callable[[int], float], limit: float) -> int | None:
    """The smallest n from 2 to `MOST_SEEDS` with half_width(n) < limit; half_width must not rise with n."""
    if not half_width(MOST_SEEDS) < limit:
        return None
    low, high = 1, MOST_SEEDS  # low does not do, high does
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half_width(middle) < limit else (middle, high)
    return high


def spreads_differ(ours: float, theirs: float, k: int) -> bool:
    """Whether two sd, each over k values of one network, are further apart than chance would have them.

    The larger over the smaller beyond √F_{.995}(k−1, k−1), 2.56 at k = 10: one time in 100 without cause.
    Then the two were hardly computed alike. Never of a single value, or of no spread at all.
    """
    if k < 2 or not (ours > 0 and theirs > 0):
        return False
    return _square(max(ours, theirs) / min(ours, theirs)) > f_quantile(0.995, k - 1, k - 1)


def _square(ratio: float) -> float:
    """Of any two spreads: infinite where it is too large, which `**` refuses."""
    return ratio * ratio


def too_many_lost(lost: int, n: int) -> bool:
    """More than ⌊n/4⌋ of n seeds without a result: any of 3, two of 5."""
    return lost > n // 4


# --- Distributions --------------------------------------------------------------------------------------


def t_quantile(p: float, df: float) -> float:
    """The t with P(T ≤ t) = p."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def f_quantile(p: float, df1: float, df2: float) -> float:
    """The x with P(F ≤ x) = p of Fisher's F."""
    from scipy.special import fdtri

    return float(fdtri(df1, df2, p))


def chi_squared_tail(x: float, df: float) -> float:
    """P(χ²_ν > x)."""
    from scipy.special import chdtrc

    return float(chdtrc(df, x))
