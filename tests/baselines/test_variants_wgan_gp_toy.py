"""WGAN-GP on points of the plane: their distributions, the networks and an iteration."""

import math

import pytest
import torch
from torch import nn

from baselines.spec import SUITE
from baselines.variants import wgan_gp_toy as toy


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def build(experiment, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(experiment.settings, shape, torch.full(shape, 0.5))


def modules(network, kinds):
    return [m for m in network.modules() if isinstance(m, kinds)]


def plane(experiment, revise, synthetic, n=20_000, **changes):
    settings = revise(experiment.settings, batch=n, **changes)
    x = toy.points(settings, synthetic(experiment))
    assert x.shape == (n, 1, 1, 2)
    assert x.isfinite().all()
    return x.flatten(1), settings


@pytest.mark.parametrize("experiment", [toy.TOY_8GAUSSIANS, toy.TOY_25GAUSSIANS], ids=lambda e: e.name)
def test_gaussians_have_their_centres_and_width(revise, synthetic, experiment):
    if experiment is toy.TOY_8GAUSSIANS:
        modes = [(2 * math.cos(i * math.pi / 4), 2 * math.sin(i * math.pi / 4)) for i in range(8)]
    else:
        modes = [(2.0 * x, 2.0 * y) for x in range(-2, 3) for y in range(-2, 3)]
    x, settings = plane(experiment, revise, synthetic)
    x = x * settings.divisor
    distance, nearest = torch.cdist(x, torch.tensor(modes)).min(1)
    counts = nearest.bincount(minlength=len(modes)) / len(x)
    torch.testing.assert_close(counts, torch.full_like(counts, 1 / len(modes)), atol=0.012, rtol=0)
    assert distance.square().mean().sqrt() == pytest.approx(settings.noise * 2**0.5, rel=0.03)


def test_swiss_roll_is_a_spiral_with_noise(revise, synthetic):
    x, settings = plane(toy.TOY_SWISSROLL, revise, synthetic, noise=0.0)
    x = x * settings.divisor
    radius = x.norm(dim=1)
    assert 1.5 * math.pi <= radius.min() < 1.51 * math.pi
    assert 4.49 * math.pi < radius.max() <= 4.5 * math.pi + 1e-5
    spiral = radius[:, None] * torch.stack((radius.cos(), radius.sin()), 1)
    torch.testing.assert_close(x, spiral, atol=1e-3, rtol=0)
    # Uniform in the angle.
    assert radius.mean() == pytest.approx(3 * math.pi, rel=0.01)
    noisy, _ = plane(toy.TOY_SWISSROLL, revise, synthetic)
    assert (noisy * settings.divisor - x).std() == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize(
    "experiment", [toy.TOY_8GAUSSIANS, toy.TOY_25GAUSSIANS, toy.TOY_SWISSROLL], ids=lambda e: e.name
)
def test_toy_iteration_draws_fresh_points_and_moves_both_networks(synthetic, trace, experiment):
    players = build(experiment)
    before = [p.detach().clone() for n in (players.generator, players.critic) for p in n.parameters()]
    recorded = trace(players)
    losses = experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    assert [step.player for step in recorded.steps] == ["critic"] * 5 + ["generator"]
    real = recorded.critic_inputs[0:15:3]
    assert len({tuple(x.flatten().tolist()) for x in real}) == 5
    assert all(loss.isfinite() for loss in losses.values())
    after = [p for n in (players.generator, players.critic) for p in n.parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before[:-1], after[:-1], strict=True))
    low, high = experiment.image_range
    assert all(low <= x.min() and x.max() <= high for x in real)


def test_toy_networks_are_he_uniform_but_for_the_last_layer():
    players = build(toy.TOY_8GAUSSIANS)
    for network in (players.generator, players.critic):
        *hidden, last = modules(network, nn.Linear)
        assert len(hidden) == 3
        for layer in hidden:
            bound = math.sqrt(6 / layer.in_features)
            assert bound * 0.98 < layer.weight.abs().max() <= bound
            assert not layer.bias.any()
        bound = math.sqrt(6 / (last.in_features + last.out_features))
        assert bound * 0.97 < last.weight.abs().max() <= bound


def test_toy_data_are_cited_as_the_scripts_and_loaded_from_nowhere():
    for experiment in toy.EXPERIMENTS:
        assert experiment.real_batches(experiment.settings, 1000) == 0
        assert experiment.settings.sources["epoch_end"].confidence == SUITE
