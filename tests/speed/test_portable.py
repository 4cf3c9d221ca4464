"""What the same bits on every machine cost: `tox -e bench`. Read the ratio within a group.

The first arm is the faithful profile, the other one the profile `portable`; nothing is asserted about time.
"""

import pytest

import baselines
from benchmark import data
from benchmark.data.framing import frame
from benchmark.training import numerics, trainer
from benchmark.training.draws import SeededDraws
from benchmark.training.portable import Portable, adopt_players

pytestmark = pytest.mark.bench
NAMES = tuple(name for name in baselines.names() if name.endswith("/digits"))


def iteration(name, portable):
    """One G-iteration as a function without arguments."""
    experiment = baselines.get(name)
    images = frame(data.load("digits", "train"), experiment.image_shape[1])
    players = trainer.build(experiment, 0, images)
    draws, counter = SeededDraws(experiment, 0, images), iter(range(10**9))

    def step():
        k = next(counter)
        return experiment.iterate(experiment.settings, players, k, draws.at(k))

    def portable_step():
        with Portable(name):
            return step()

    if portable:
        adopt_players(players, name)
    return portable_step if portable else step


@pytest.mark.parametrize("profile", ["faithful", "portable"])
@pytest.mark.parametrize("name", NAMES)
def test_one_iteration(benchmark, name, profile):
    numerics.apply()
    benchmark.group = f"profile, {name}"
    benchmark.pedantic(iteration(name, profile == "portable"), rounds=8, iterations=1, warmup_rounds=2)
