"""What draws cost, and what making those of k+1 in a thread while k runs would be worth: `tox -e bench`.

ganbench does not do it. A run has one thread, and as many runs go at a time as there are cores, so a helper
takes its time from another run. What it could save at most, on a core of its own, is the share that is
printed. The prefetching arm makes the same numbers, which is asserted, from a recording of what an iteration
asked for last. Nothing is asserted about time. Both arms take turns in one process.
"""

import dataclasses
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import baselines
from baselines.spec import SUITE
from benchmark import data
from benchmark.data.framing import frame
from benchmark.training import checkpoint, numerics, trainer
from benchmark.training.draws import SeededDraws

pytestmark = pytest.mark.bench
ASKED = ("images", "labelled_images", "skip_images", "latent", "labels", "uniform", "normal", "keep", "seed")


@pytest.fixture(autouse=True)
def _numerics():
    numerics.apply()


class Timed:
    """Draws that add up what they take, in seconds of their thread."""

    def __init__(self, draws):
        self._draws, self.seconds = draws, 0.0

    def at(self, k):
        self._timed(self._draws.at, k)
        return self

    def _timed(self, function, *arguments):
        begin = time.thread_time()
        value = function(*arguments)
        self.seconds += time.thread_time() - begin
        return value

    def __getattr__(self, name):
        value = getattr(self._draws, name)
        return (lambda *given: self._timed(value, *given)) if name in ASKED else value


class Prefetched:
    """Draws of the next iteration made by a thread: what the last one asked for, in the same order."""

    def __init__(self, draws, helper):
        self._draws, self._helper, self._asked, self._coming = draws, helper, [], None
        self._thread = ThreadPoolExecutor(1)

    def at(self, k):
        ready = self._coming.result() if self._coming else []
        self._ready, asked, self._asked = iter(ready), self._asked, []
        self._draws.at(k)
        self._coming = self._thread.submit(self._make, k + 1, asked)
        return self

    def _make(self, k, asked):
        self._helper.at(k)
        return [(one, getattr(self._helper, one[0])(*one[1:])) for one in asked]

    def __getattr__(self, name):
        value = getattr(self._draws, name)
        return (lambda *given: self._next(name, *given)) if name in ASKED else value

    def _next(self, *asked):
        self._asked.append(asked)
        predicted, value = next(self._ready, (None, None))
        if predicted == asked:
            return value
        self._ready = iter(())
        return self._all_again()

    def _all_again(self):
        """The first iterations ask for more than was foretold: from the start, by the run's own draws."""
        self._draws.at(self._draws._k)
        return [getattr(self._draws, one[0])(*one[1:]) for one in self._asked][-1]


def start(name, batch=None):
    """The experiment, perhaps with another batch and one critic step, its players and its training images."""
    experiment = baselines.get(name)
    if batch:
        values = {"batch": batch, "generator_batch": batch, "critic_steps": 1}
        cited = {k: (values[k], "bench", SUITE) for k in values.keys() & experiment.settings.values()}
        experiment = dataclasses.replace(experiment, settings=experiment.settings.revised(**cited))
    images = frame(data.load("digits", "train"), experiment.image_shape[1])
    images = images.expand(-1, experiment.image_shape[0], -1, -1).contiguous()
    return experiment, trainer.build(experiment, 0, images), images


CASES = [
    ("gan/digits", None, 20),
    ("dcgan/digits", None, 20),
    ("wgan_gp/digits", None, 20),
    ("sngan/cifar10-resnet", 16, 3),
    ("wgan_gp/cifar10-resnet", 16, 3),
]


@pytest.mark.parametrize(("name", "batch", "turns"), CASES)
def test_share_of_draws(capsys, name, batch, turns):
    experiment, players, images = start(name, batch)
    draws, shares = Timed(SeededDraws(experiment, 0, images)), []
    for k in range(turns + 1):
        draws.seconds, begin = 0.0, time.process_time()
        experiment.iterate(experiment.settings, players, k, draws.at(k))
        shares.append(draws.seconds / (time.process_time() - begin))
    with capsys.disabled():
        told = f"{100 * statistics.median(shares[1:]):.2f} % of a G-iteration's CPU time"
        print(f"\ndraws, {name}{f', batch {batch}' if batch else ''}: {told}", end="")


@pytest.mark.parametrize(("name", "batch", "turns"), CASES[:1] + CASES[3:4])
def test_prefetching(capsys, name, batch, turns):
    arms = {}
    for arm in ("plain", "prefetched"):
        experiment, players, images = start(name, batch)
        draws = SeededDraws(experiment, 0, images)
        if arm == "prefetched":
            draws = Prefetched(draws, SeededDraws(experiment, 0, images))
        arms[arm] = (experiment, players, draws)
    seconds = {arm: [] for arm in arms}
    for k in range(turns + 1):
        for arm in sorted(arms, reverse=bool(k % 2)):
            experiment, players, draws = arms[arm]
            begin = time.process_time(), time.perf_counter()
            experiment.iterate(experiment.settings, players, k, draws.at(k))
            seconds[arm].append((time.process_time() - begin[0], time.perf_counter() - begin[1]))
    digests = {
        arm: checkpoint.digest(checkpoint.tensors_of(players)) for arm, (_, players, _) in arms.items()
    }
    assert digests["plain"] == digests["prefetched"]
    assert torch.get_num_threads() == 1
    for i, clock in enumerate(("CPU", "wall")):
        pairs = list(zip(seconds["plain"], seconds["prefetched"], strict=True))[1:]
        ratios = [a[i] / b[i] for a, b in pairs]
        with capsys.disabled():
            told = (
                f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f}, n = {len(ratios)})"
            )
            print(f"\nprefetching draws, {name}, {clock} time: {told}", end="")
