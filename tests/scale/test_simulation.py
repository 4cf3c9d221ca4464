"""The simulator against closed forms; the table in docs/scale.md is what it says."""

import math
import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
import simulation
from simulation import Cluster, bound, simulate

ROOT = Path(__file__).parents[2]


class Given:
    """Interruptions at given times instead of drawn ones."""

    def __init__(self, *times):
        self.times = iter(times)

    def expovariate(self, _):
        return next(self.times, math.inf)


def test_equal_runs_without_interruptions_come_in_rounds():
    result = simulate([100.0] * 7, Cluster(gpus=3, start_s=5), random.Random(0))
    assert result.makespan_s == 3 * 105
    assert result.busy_s == 7 * 105
    assert (result.lost_s, result.interruptions) == (0, 0)
    assert bound([100.0] * 7, Cluster(gpus=3, start_s=5)) == 7 * 105 / 3
    assert bound([1.0, 500.0], Cluster(gpus=3, start_s=5)) == 505


def test_what_an_interruption_costs_by_hand():
    """Of 100 s it has done 37 when its GPU goes: 30 are kept. The GPU is back 20 s later."""
    cluster = Cluster(gpus=1, interrupted_every_s=1.0, checkpoint_s=10, start_s=5, away_s=20)
    result = simulate([100.0], cluster, Given(5 + 37))
    assert result.makespan_s == 42 + 20 + 5 + 70
    assert result.busy_s == 42 + 75
    assert (result.lost_s, result.interruptions) == (7, 1)


def test_another_gpu_takes_the_run_over_when_it_is_free_and_no_sooner():
    cluster = Cluster(gpus=2, interrupted_every_s=1.0, checkpoint_s=10, start_s=0, away_s=1000)
    result = simulate([100.0, 30.0, 40.0], cluster, Given(50, math.inf))
    # The second GPU: 30, then 40 until 70; the first run waits from 50 on and goes before nobody by then.
    assert result.makespan_s == 70 + 50


def test_an_interruption_during_the_start_loses_no_work():
    cluster = Cluster(gpus=1, interrupted_every_s=1.0, checkpoint_s=10, start_s=5, away_s=0)
    result = simulate([20.0], cluster, Given(3))
    assert result.makespan_s == 3 + 25
    assert result.lost_s == 0


@pytest.mark.parametrize("checkpoint_s", [60.0, 600.0, 3600.0])
def test_work_lost_per_interruption_is_that_of_a_poisson_process(checkpoint_s):
    """E[T mod c] = m − c/(exp(c/m) − 1) for T ~ Exp(m), of runs that never end within a session."""
    mean_s = 3600.0
    cluster = Cluster(1, mean_s, checkpoint_s, start_s=0, away_s=0)
    result = simulate([3e7], cluster, random.Random(1))
    expected = mean_s - checkpoint_s / math.expm1(checkpoint_s / mean_s)
    error = checkpoint_s / math.sqrt(12 * result.interruptions)
    assert result.interruptions > 3000
    assert result.lost_s / result.interruptions == pytest.approx(expected, abs=5 * error)


def test_the_document_has_the_numbers_of_now():
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert simulation.text() in text
