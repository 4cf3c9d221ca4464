"""Progress: an estimate that is right when the pace is, and lines a log file can hold."""

from dataclasses import dataclass

import pytest

from benchmark.cli import progress
from benchmark.records.store import RunState


@dataclass(frozen=True)
class Run:
    """What progress needs of a planned run."""

    experiment: str
    seed: int
    gen_iters: int = 100

    @property
    def label(self):
        return f"{self.experiment} seed {self.seed}"


A, B, C = Run("gan/digits", 0), Run("gan/digits", 1), Run("wgan/digits", 0)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def at(gen_iters, rate):
    return {"phase": "train", "gen_iters": gen_iters, "iters_per_s": rate}


def test_nothing_is_promised_before_every_experiment_has_a_pace(clock):
    estimate = progress.Estimate([A, B, C], jobs=1)
    assert estimate.remaining() is None
    estimate.started(A)
    assert estimate.progressed(A, {}) is None
    assert estimate.remaining() is None
    clock[0] = 10.0
    assert estimate.progressed(A, at(50, 5.0)) == 10.0
    assert estimate.remaining() is None


def test_the_rest_is_what_runs_plus_what_waits_over_the_jobs(clock):
    estimate = progress.Estimate([A, B], jobs=1)
    estimate.started(A)
    clock[0] = 10.0
    estimate.progressed(A, at(50, 5.0))
    assert estimate.remaining() == 10 + 20
    clock[0] = 30.0
    assert estimate.ended(A) == 30.0
    assert estimate.remaining() == 30
    estimate.started(B)
    estimate.progressed(B, at(0, 4.0))
    assert estimate.remaining() == 25
    estimate.ended(B)
    assert estimate.remaining() == 0


def test_several_at_a_time_take_their_share(clock):
    estimate = progress.Estimate([A, C, B], jobs=2)
    for run in (A, C):
        estimate.started(run)
        estimate.progressed(run, at(0, 10.0))
    assert estimate.remaining() == 10 + 10, "the third waits for a slot"
    clock[0] = 10.0
    estimate.ended(A)
    estimate.ended(C)
    assert estimate.remaining() == 10, "the last run does not become faster because a slot is free"
    estimate.started(B)
    estimate.progressed(B, at(60, 10.0))
    assert estimate.remaining() == 4


def test_who_waits_takes_the_slot_that_is_free_first(clock):
    short, long = Run("gan/digits", 2, 20), Run("wgan/digits", 3, 300)
    estimate = progress.Estimate([short, long, A, B], jobs=2)
    for run in (short, long):
        estimate.started(run)
        estimate.progressed(run, at(0, 10.0))
    assert estimate.remaining() == 30, "2 + two of 2 beside one of 30"


def test_lines_tell_how_each_run_ended(clock, capsys):
    lines = progress.Lines([A, C], 1)
    lines.started(A)
    clock[0] = 31.0
    lines.progressed(A, at(50, 5.0))
    clock[0] = 65.0
    lines.ended(A, RunState("done", 100))
    lines.started(C)
    lines.ended(C, RunState("failed", 3, "[red]no memory"))
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second, third = captured.err.splitlines()
    assert first.startswith("gan/digits seed 0 50/100, 5.0 G-its/s, 10")
    assert second.startswith("[1/2] gan/digits seed 0: done, ")
    assert third.startswith("[2/2] wgan/digits seed 0: failed: [red]no memory, ")
