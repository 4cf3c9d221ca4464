"""GAN on MNIST in float64 is `gan/mnist` from the same start, without float32's rounding and nothing else."""

import dataclasses

import pytest
import torch

from baselines import gan
from baselines.variants.gan_float64 import MNIST_FLOAT64
from benchmark.training import trainer

IMAGES = torch.arange(8 * 28 * 28).mul(7919).remainder(256).to(torch.uint8).reshape(8, 1, 28, 28)


def networks(players):
    return (players.generator, players.critic)


@pytest.fixture
def players(revise):
    """Small networks of either experiment, from seed 0."""

    def make(experiment):
        settings = revise(gan.MNIST.settings, batch=3, generator_units=20, maxout_units=6)
        return trainer.build(dataclasses.replace(experiment, settings=settings), 0, IMAGES)

    return make


def widened(players):
    """The same networks in float64, which widen what they are given."""
    for network in networks(players):
        network.double().register_forward_pre_hook(lambda _, given: (given[0].double(), *given[1:]))
    return players


def iterated(experiment, players, draws, gen_iters=3):
    losses = [experiment.iterate(gan.MNIST.settings, players, k, draws) for k in range(gen_iters)]
    return losses, [p for network in networks(players) for p in network.parameters()]


def test_it_starts_from_the_weights_of_gan_mnist(players):
    for single, double in zip(networks(players(gan.MNIST)), networks(players(MNIST_FLOAT64)), strict=True):
        for name, value in single.state_dict().items():
            assert value.dtype == torch.float32
            assert double.state_dict()[name].dtype == torch.float64
            assert torch.equal(double.state_dict()[name], value.double())


def test_three_g_iterations_are_those_of_gan_mnist_in_float64(players, synthetic):
    losses, weights = iterated(MNIST_FLOAT64, players(MNIST_FLOAT64), synthetic(MNIST_FLOAT64))
    theirs, expected = iterated(gan.MNIST, widened(players(gan.MNIST)), synthetic(gan.MNIST))
    assert losses == theirs
    assert all(loss.dtype == torch.float64 for one in losses for loss in one.values())
    assert all(map(torch.equal, weights, expected))


def test_what_it_leaves_out_is_rounding(players, synthetic):
    _, weights = iterated(MNIST_FLOAT64, players(MNIST_FLOAT64), synthetic(MNIST_FLOAT64))
    _, single = iterated(gan.MNIST, players(gan.MNIST), synthetic(gan.MNIST))
    for wide, narrow in zip(weights, single, strict=True):
        assert not torch.equal(wide, wide.float().double())
        torch.testing.assert_close(narrow, wide.float(), rtol=0, atol=1e-6)


def test_its_settings_are_those_of_gan_mnist():
    assert MNIST_FLOAT64.settings == gan.MNIST.settings
    assert (MNIST_FLOAT64.iterate, MNIST_FLOAT64.train_images) == (gan.MNIST.iterate, 50_000)
