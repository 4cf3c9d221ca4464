"""Progress of long steps: quiet when short, with the time left when the total is known."""

import pytest

from benchmark.data import meter


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test sets."""
    now = [0.0]
    monkeypatch.setattr(meter.time, "monotonic", lambda: now[0])
    return now


def test_time_left_is_proportional(clock, capsys):
    told = meter.Meter("downloading x")
    clock[0] = 5
    told(1_000_000, 4_000_000)
    assert capsys.readouterr().err == ""
    clock[0] = 30
    told(1_000_000, 4_000_000)
    assert capsys.readouterr().err == "downloading x: 1 MB of 4 (25 %), 1 min 30 s left\n"
    clock[0] = 31
    told(2_000_000, 4_000_000)
    told.end()
    assert capsys.readouterr().err == ""


def test_without_a_total_only_the_amount(clock, capsys):
    told = meter.Meter("converting x", "images", 1)
    clock[0] = 7200
    told(12_345, None)
    assert capsys.readouterr().err == "converting x: 12 345 images\n"


def test_hours(clock, capsys):
    told = meter.Meter("x")
    clock[0] = 3600
    told(1, 4)
    assert capsys.readouterr().err.endswith("3 h 00 min left\n")


def test_a_terminals_line_is_overwritten_and_cleared(clock, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    told = meter.Meter("x")
    clock[0] = 1
    told(1_000_000, 2_000_000)
    told.end()
    assert capsys.readouterr().err == "\r\033[Kx: 1 MB of 2 (50 %), 1.0 s left\r\033[K"
