"""Experiments in float32 can be trained in the profile: no op is missing. Narrow networks, the same ops."""

import pytest
import torch

import baselines
from benchmark.errors import UserError
from benchmark.training import trainer
from benchmark.training.draws import SeededDraws
from benchmark.training.portable import Portable, adopt_players

IN_FLOAT64 = "gan/mnist-float64"
"""There are no exact products of it, so it is refused."""


def test_an_experiment_steps(by_code, reduced):
    experiment = reduced(baselines.get(by_code), batch=2)
    n = 0 if experiment.points else 16
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (n, *experiment.image_shape), dtype=torch.uint8, generator=generator)
    labels = torch.arange(n) % experiment.classes if experiment.classes else None
    players = trainer.build(experiment, 0, images)
    adopt_players(players, by_code)
    if by_code == IN_FLOAT64:
        with Portable(by_code), pytest.raises(UserError, match="exact products take float32"):
            players.generator(torch.zeros(2, experiment.settings.latent))
        return
    before = [p.detach().clone() for p in players.generator.parameters()]
    with Portable(by_code):
        losses = experiment.iterate(
            experiment.settings, players, 30, SeededDraws(experiment, 0, images, labels).at(30)
        )
    assert all(loss.isfinite() for loss in losses.values())
    assert any(not torch.equal(p, q) for p, q in zip(players.generator.parameters(), before, strict=True))
