"""Three methods on one pair of networks: what must be equal between them is, and the critic's norms are."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from baselines.variants import one_network
from benchmark.training import trainer

IMAGES = torch.arange(8 * 32 * 32).mul(7919).remainder(256).to(torch.uint8).reshape(8, 1, 32, 32)


def build(experiment, norm=None):
    if norm is not None:
        settings = dataclasses.replace(experiment.settings, critic_norm=norm)
        experiment = dataclasses.replace(experiment, settings=settings)
    return trainer.build(experiment, 0, IMAGES)


def weights(network):
    return {name: p for name, p in network.named_parameters() if "norm" not in name}


@pytest.mark.parametrize("norm", one_network.NORMS)
@pytest.mark.parametrize("experiment", [one_network.DCGAN, one_network.WGAN], ids=lambda e: e.baseline)
def test_equal_seeds_start_from_equal_weights_in_all_methods(experiment, norm):
    one, other = build(experiment), build(one_network.WGAN_GP, norm)
    for a, b in ((one.generator, other.generator), (one.critic, other.critic)):
        first, second = weights(a), weights(b)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("norm", one_network.NORMS)
def test_the_critic_is_the_written_out_one(norm):
    critic = build(one_network.WGAN_GP, norm).critic

    def normed(y):
        if norm == "none":
            return y
        over = (1, 2, 3) if norm == "layer" else (0, 2, 3)
        variance, mean = torch.var_mean(y, over, correction=0, keepdim=True)
        return (y - mean) / (variance + 1e-5).sqrt()

    x = h = IMAGES / 127.5 - 1
    for layer, norms in ((critic.down1, False), (critic.down2, True), (critic.down3, True)):
        h = F.conv2d(F.pad(h, (1, 2, 1, 2)), layer.weight, layer.bias, stride=2)
        h = F.leaky_relu(normed(h) if norms else h, 0.2)
    expected = F.linear(h.flatten(1), critic.value.weight, critic.value.bias).squeeze(1)
    torch.testing.assert_close(critic(x), expected, atol=1e-4, rtol=1e-4)


def test_what_the_methods_share_and_what_not():
    dcgan, wgan, wgan_gp = (e.settings.values() for e in one_network.EXPERIMENTS)
    for key in ("batch", "width", "latent", "prior", "epoch_end", "sampling_statistics", "sampling_batch"):
        assert dcgan[key] == wgan[key] == wgan_gp[key]
    rates = [s["learning_rate"] for s in (dcgan, wgan, wgan_gp)]
    assert all(map(math.isclose, rates, (2e-4, 5e-5, 1e-4)))  # the modes' own
    assert [e.critic_updates(e.settings, 7) for e in one_network.EXPERIMENTS] == [7, 35, 35]
