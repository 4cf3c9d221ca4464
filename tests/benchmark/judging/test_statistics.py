"""The statistics of verdicts: printed examples, SciPy's tests as oracle, laws, coverage and error rates."""

import math
import random
import statistics as stdlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark.judging import statistics
from benchmark.judging.statistics import Comparison, Interval, Moderated, Prior

SLEEP = (
    (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
    (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4),
)
"""Student's own example (1908): hours of sleep gained by two drugs; `sleep` in R."""

finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e3)
samples = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8)


def test_verdicts_need_nothing_heavy():
    heavy = {"torch", "numpy", "scipy", "pandas"}
    code = f"import sys, benchmark.judging.verdict, benchmark.judging.gate; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- Distributions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("df", "t"), [(2, 2.920), (4, 2.132), (6, 1.943)])
def test_quantiles_of_the_tables(df, t):
    assert statistics.t_quantile(0.95, df) == pytest.approx(t, abs=5e-4)


# --- Variance -------------------------------------------------------------------------------------------


def test_moderated_worked_example():
    # s = 1 at n = 3, prior 1.5 worth 2: s̃² = (2·2.25 + 2·1)/4 = 1.625 with 4 degrees of freedom
    found = statistics.moderated([10, 11, 12], Prior(1.5, 2, ""))
    assert found == Moderated(pytest.approx(math.sqrt(1.625)), 4)


@pytest.mark.parametrize(("n", "factor"), [(3, 1.73), (5, 1.54)])
def test_a_prior_that_our_spread_contradicts_is_dropped(n, factor):
    values = [float(i) for i in range(n)]
    s = stdlib.stdev(values)
    kept = statistics.moderated(values, Prior(s / (factor - 0.005), 2, ""))
    dropped = statistics.moderated(values, Prior(s / (factor + 0.005), 2, ""))
    assert (kept.contradicted, kept.df) == (False, n + 1)
    assert dropped == Moderated(pytest.approx(s), n - 1, True)


def test_without_a_degree_of_freedom_there_is_no_variance():
    assert statistics.moderated([3.0]) is None
    assert statistics.moderated([3.0], Prior(0.5, 2, "")) == Moderated(0.5, 2)
    assert statistics.moderated([3.0, 3.0]) == Moderated(0.0, 1)
    assert statistics.moderated([3.0, 4.0], Prior(0.0, 8, "")).contradicted


@given(samples, positive, st.integers(1, 8))
def test_the_moderated_variance_lies_between_the_two(values, s0, d0):
    found = statistics.moderated(values, Prior(s0, d0, ""))
    low, high = sorted((s0, stdlib.stdev(values)))
    assert low * (1 - 1e-9) <= found.sd <= high * (1 + 1e-9)


def test_priors():
    assert statistics.prior_of_reference([1.0, 2.0, 3.0])[:2] == (1.0, 2)
    assert statistics.prior_of_reference([float(i) for i in range(20)]).df == 8
    assert statistics.prior_of_reference([1.0]) is None
    # Coefficients of variation .1 (twice two degrees of freedom): pooled .1, of a mean of 50
    others = [[9.0, 10.0, 11.0], [90.0, 100.0, 110.0], [7.0]]
    assert statistics.prior_of_suite(others, 50.0)[:2] == (pytest.approx(5.0), 2)
    assert statistics.prior_of_suite([[7.0], [-1.0, 1.0]], 50.0) is None


def test_pooled_sd_worked_example():
    # (2·1 + 1·2)/3 with means of their own
    assert statistics.pooled_sd([[1, 2, 3], [10, 12], [7]]) == pytest.approx(math.sqrt(4 / 3))
    with pytest.raises(ValueError, match="two values"):
        statistics.pooled_sd([[1], [2]])


# --- Comparing means ------------------------------------------------------------------------------------


def test_students_sleep_data():
    equal = statistics.pooled(*SLEEP)
    assert equal.difference / equal.standard_error == pytest.approx(1.8608, abs=1e-4)
    assert equal.df == 18
    assert 2 * statistics.p_greater(equal) == pytest.approx(0.07919, abs=1e-5)
    own = statistics.welch(*SLEEP)
    assert own.df == pytest.approx(17.776, abs=1e-3)
    assert 2 * statistics.p_greater(own) == pytest.approx(0.07939, abs=1e-5)
    assert statistics.interval(*own, confidence=0.95) == pytest.approx((-0.2054832, 3.3654832), abs=1e-6)


@given(samples, samples)
def test_both_tests_are_scipys(a, b):
    if min(stdlib.stdev(a), stdlib.stdev(b)) < 1e-3:
        return
    for found, equal_variances in ((statistics.pooled(a, b), True), (statistics.welch(a, b), False)):
        expected = stats.ttest_ind(b, a, equal_var=equal_variances, alternative="greater").pvalue
        assert statistics.p_greater(found) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_without_spread_a_difference_is_certain():
    assert statistics.p_greater(Comparison(1.0, 0.0, 4)) == 0
    assert statistics.p_greater(Comparison(0.0, 0.0, 4)) == 1
    assert statistics.p_greater(Comparison(-1.0, 0.0, 4)) == 1
    assert statistics.interval(2.0, 0.0, 4) == Interval(2.0, 2.0)
    assert statistics.welch([1.0, 1.0], [2.0, 2.0, 2.0]) == Comparison(1.0, 0.0, 3)


def test_holm_worked_example():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([]) == []
    assert statistics.holm([0.9, 0.9]) == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.randoms())
def test_holm_keeps_the_order_and_lies_between_p_and_bonferroni(p, shuffler):
    adjusted = statistics.holm(p)
    for raw, found in zip(p, adjusted, strict=True):
        assert raw <= found <= min(1, len(p) * max(p)) + 1e-12
    pairs = sorted(zip(p, adjusted, strict=True))
    assert [a for _, a in pairs] == sorted(adjusted)
    order = shuffler.sample(range(len(p)), len(p))
    assert statistics.holm([p[i] for i in order]) == pytest.approx([adjusted[i] for i in order])


@pytest.mark.parametrize(
    ("worse_by", "outcome"),
    [
        (0.0, "equivalent"),
        (0.99, "equivalent"),
        (1.01, "undecided"),
        (2.99, "undecided"),
        (3.01, "worse"),
        (-0.99, "equivalent"),
        (-1.01, "undecided"),
        (-3.01, "better"),
    ],
)
def test_equivalence_worked_example(worse_by, outcome):
    # t_{.95,4} = 2.132: with SE = 1/2.132 the interval is D ∓ 1; the margin is 2
    assert statistics.equivalence(worse_by, 1 / 2.1318468, 4, 2.0) == outcome


@pytest.mark.parametrize("worse_by", [2.0, -2.0])
def test_an_interval_that_ends_at_the_margin_is_neither_within_it_nor_beyond(worse_by):
    assert statistics.equivalence(worse_by, 0.0, 4, 2.0) == "undecided"


@given(finite, positive, st.integers(1, 30), positive, st.floats(0, 1), st.floats(0, 1))
def test_less_noise_or_a_smaller_difference_never_ends_equivalence(d, error, df, margin, nearer, less):
    if statistics.equivalence(d, error, df, margin) == "equivalent":
        assert statistics.equivalence(d * nearer, error * less, df, margin) == "equivalent"


@given(finite, positive, st.integers(1, 30), positive, st.floats(1, 10))
def test_a_wider_margin_never_ends_equivalence_and_both_sides_are_alike(d, error, df, margin, wider):
    found = statistics.equivalence(d, error, df, margin)
    if found == "equivalent":
        assert statistics.equivalence(d, error, df, margin * wider) == "equivalent"
    mirrored = {"worse": "better", "better": "worse"}.get(found, found)
    assert statistics.equivalence(-d, error, df, margin) == mirrored


@pytest.mark.parametrize("limit", [0.5, 1.0, 3.3, 7.0])
def test_fewest_is_the_first_that_does(limit):
    def half_width(n):
        return 10 / n

    n = statistics.fewest(half_width, limit)
    assert half_width(n) < limit
    assert n == 2 or half_width(n - 1) >= limit
    assert statistics.fewest(half_width, 0.001) is None


def test_spreads_that_differ_by_more_than_chance():
    # The ratio of two sd over 10 splits each is beyond 2.56 one time in 100, to either side
    assert statistics.f_quantile(0.995, 9, 9) == pytest.approx(2.56**2, rel=2e-3)
    assert not statistics.spreads_differ(0.1, 0.255, 10)
    assert statistics.spreads_differ(0.1, 0.257, 10)
    assert statistics.spreads_differ(0.257, 0.1, 10)
    assert not statistics.spreads_differ(0.1, 0.257, 5)
    assert not statistics.spreads_differ(0.1, 9.0, 1)
    assert not statistics.spreads_differ(0.0, 0.1, 10)


LARGEST = 1e100
"""Of a value in a record (`fields.Value`)."""


def test_values_of_whatever_size_overflow_nowhere():
    large, small = [-LARGEST, LARGEST, LARGEST], [1e-100, 2e-100, 3e-100]
    s = stdlib.stdev([-1.0, 1.0, 1.0]) * LARGEST
    assert statistics.pooled_sd([large, large]) == pytest.approx(s)
    assert statistics.moderated(large, statistics.prior_of_reference(small)) == (pytest.approx(s), 2, True)
    assert statistics.spreads_differ(LARGEST, 1e-100, 10)
    for first, second in ((large, small), (small, large), (large, large)):
        assert math.isfinite(statistics.welch(first, second).standard_error)
        assert math.isfinite(statistics.pooled(first, second).standard_error)


@pytest.mark.parametrize(("n", "allowed"), [(1, 0), (3, 0), (4, 1), (5, 1), (7, 1), (8, 2)])
def test_seeds_that_may_be_lost(n, allowed):
    assert not statistics.too_many_lost(allowed, n)
    assert statistics.too_many_lost(allowed + 1, n)


# --- Error rates ------------------------------------------------------------------------------------------


def rate(trials, event):
    return sum(map(event, range(trials))) / trials


@pytest.mark.parametrize("n", [2, 3, 5])
def test_intervals_cover_nine_times_in_ten(n):
    draw = random.Random(n)

    def covered(_):
        values = [draw.gauss(7, 2) for _ in range(n)]
        found = statistics.moderated(values)
        low, high = statistics.interval(stdlib.fmean(values), found.sd / math.sqrt(n), found.df)
        return low <= 7 <= high

    assert rate(4000, covered) == pytest.approx(0.9, abs=0.015)


@pytest.mark.parametrize("spreads", [(1, 1), (1, 5)])
def test_welch_errs_one_time_in_twenty_even_with_unequal_spreads(spreads):
    draw = random.Random(1)

    def alarm(_):
        a, b = ([draw.gauss(0, s) for _ in range(5)] for s in spreads)
        return statistics.p_greater(statistics.welch(a, b)) < 0.05

    assert rate(4000, alarm) == pytest.approx(0.05, abs=0.012)


def test_holm_keeps_the_probability_of_any_false_alarm():
    draw = random.Random(2)

    def alarm(_):
        tests = ([[draw.gauss(0, 1) for _ in range(n)] for n in (5, 3)] for _ in range(10))
        return min(statistics.holm([statistics.p_greater(statistics.pooled(a, b)) for a, b in tests])) <= 0.05

    assert rate(2000, alarm) == pytest.approx(0.05, abs=0.015)
