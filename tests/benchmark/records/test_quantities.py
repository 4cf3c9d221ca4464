import pytest

from benchmark.records.quantities import (
    count,
    duration,
    finite,
    higher_is_better,
    integers,
    metric_name,
    metric_title,
    metric_with_unit,
    signed,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (245.4, "4 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7380, "2 h 03 min"),
    ],
)
def test_duration_never_shows_sixty(seconds, text):
    assert duration(seconds) == text


def test_integers_are_grouped():
    assert integers([5, 2, 0, 1]) == "0–2, 5"
    assert integers([3, 4]) == "3, 4"
    assert integers([]) == ""


def test_counts_are_grouped_by_thousands():
    assert count(1234567) == "1\u202f234\u202f567"


@pytest.mark.parametrize("value", [None, True, "1", float("nan"), float("inf")])
def test_what_is_no_finite_number(value):
    assert finite(value) is None


def test_metrics_have_a_name_a_direction_and_a_unit():
    assert (metric_title("fid"), metric_name("fid"), metric_with_unit("fid")) == ("FID ↓", "FID", "FID ↓")
    assert metric_name("parzen_ll") == "Parzen LL"
    assert metric_with_unit("parzen_ll") == "Parzen LL ↑, nats"
    assert (higher_is_better("is"), higher_is_better("fid"), higher_is_better("x")) == (True, False, None)


def test_signs_are_written():
    assert (signed(0.5, 2), signed(-1.25, 1)) == ("+0.50", "−1.2")
    assert signed(-0.004, 2) == signed(0.004, 2) == "0.00"
    assert signed(-0.4, 0) == "0"
