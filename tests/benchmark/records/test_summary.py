import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.records.summary import decimals_for, mean, sample_sd, summarise

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8)


def test_worked_example():
    # deviations from 5: -3 -1 -1 -1 0 0 2 4, squares sum to 32, 32 / 7
    values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]
    assert mean(values) == 5.0
    assert sample_sd(values) == math.sqrt(32 / 7)


def test_two_values_differ_by_sd_times_root_two():
    assert sample_sd([10.0, 13.0]) == pytest.approx(3 / math.sqrt(2), rel=1e-15)


@given(VALUES)
def test_agrees_with_the_standard_library(values):
    assert mean(values) == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert sample_sd(values) == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-6)


def test_the_largest_values_of_a_record_have_a_spread():
    assert sample_sd([-1e100, 1e100]) == pytest.approx(2e100 / math.sqrt(2))


def test_one_value_has_no_spread_and_none_has_no_mean():
    one = summarise([3.14159])
    assert one is not None
    assert (one.sd, one.n, one.text(2)) == (None, 1, "3.14")
    assert summarise([]) is None
    with pytest.raises(ValueError, match="no values"):
        mean([])
    with pytest.raises(ValueError, match="two values"):
        sample_sd([1.0])


def test_text_shows_both_with_the_same_decimals():
    spread = summarise([1.0, 2.0, 4.5])
    assert spread is not None
    assert spread.text(2) == "2.50 ± 1.80"


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([310.0, 1.2], 2), ([310.0, 0.0123], 3), ([0.0], 2), ([], 2), ([1e-12], 5), ([math.nan, 0.005], 4)],
)
def test_decimals_show_two_digits_of_the_smallest(values, decimals):
    assert decimals_for(values) == decimals
