"""Every experiment can be trained in the profile: no op of any is missing. Narrow networks, the same ops."""

import dataclasses

import pytest
import torch

import baselines
from benchmark.training import trainer
from benchmark.training.draws import SeededDraws
from benchmark.training.portable import Portable, adopt_players

NARROW = {
    "width": 8,
    "critic_width": 8,
    "generator_units": 100,
    "critic_units": 8,
    "maxout_units": 8,
    "dense_units": 8,
    "bottleneck": 8,
    "critic_channels": (4, 4, 8),
}


def narrowed(experiment):
    settings = experiment.settings
    changes = {n: v for n, v in NARROW.items() if getattr(settings, n, 0)}
    return dataclasses.replace(experiment, settings=dataclasses.replace(settings, batch=2, **changes))


@pytest.mark.parametrize("name", baselines.names())
def test_an_experiment_steps(name):
    experiment = narrowed(baselines.get(name))
    n = 0 if experiment.points else 16
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, *experiment.image_shape), dtype=torch.uint8, generator=generator)
    labels = torch.arange(n) % experiment.classes if experiment.classes else None
    players = trainer.build(experiment, 0, images)
    adopt_players(players, name)
    before = [p.detach().clone() for p in players.generator.parameters()]
    with Portable(name):
        losses = experiment.iterate(
            experiment.settings, players, 30, SeededDraws(experiment, 0, images, labels).at(30)
        )
    assert all(loss.isfinite() for loss in losses.values())
    assert any(not torch.equal(p, q) for p, q in zip(players.generator.parameters(), before, strict=True))
