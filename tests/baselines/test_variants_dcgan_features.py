"""DCGAN's feature networks: the layers for ImageNet, and what an SVM gets from the critics."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.variants import dcgan_features

IMAGENET, SVHN = dcgan_features.IMAGENET32, dcgan_features.SVHN32


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def build(experiment, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(experiment.settings, shape, torch.full(shape, 0.5))


def modules(network, kinds):
    return [m for m in network.modules() if isinstance(m, kinds)]


def test_imagenet_layers_are_the_fact_sheets():
    players = build(IMAGENET, "meta")
    z, x = torch.empty(2, 256, device="meta"), torch.empty(2, 3, 32, 32, device="meta")
    shapes = []
    for layer in modules(players.generator, nn.ConvTranspose2d) + modules(players.critic, nn.Conv2d):
        assert layer.kernel_size == (3, 3)
        layer.register_forward_hook(lambda _m, _x, y: shapes.append(tuple(y.shape[1:3])))
    players.critic(players.generator(z))
    assert shapes == [
        *[(512, 8), (256, 8), (256, 16), (128, 16), (128, 32), (3, 32)],
        *[(128, 32), (128, 16), (256, 16), (256, 8), (512, 8), (512, 4)],
    ]
    assert players.critic(x).shape == (2,)


@pytest.mark.parametrize(
    ("experiment", "length"),
    [(IMAGENET, 28_672), (SVHN, 7168)],
    ids=lambda value: getattr(value, "name", None),
)
def test_length_of_the_features(experiment, length):
    critic = build(experiment, "meta").critic
    assert critic.features(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, length)


@pytest.mark.parametrize("experiment", [IMAGENET, SVHN], ids=lambda e: e.name)
def test_features_are_every_layers_activations_pooled_to_4x4(revise, experiment):
    narrow = revise(experiment.settings, batch=3, width=4)
    critic = build(dataclasses.replace(experiment, settings=narrow)).critic
    activations = []
    for layer in modules(critic, nn.LeakyReLU):
        layer.register_forward_hook(lambda _m, _x, y: activations.append(y))
    x = torch.randn(3, 3, 32, 32)
    features = critic.features(x)
    expected = [F.max_pool2d(h, h.shape[2] // 4).flatten(1) for h in activations]
    assert torch.equal(features, torch.cat(expected, 1))
    # The last layer's are not pooled: the logit is linear in them.
    last = expected[-1].shape[1]
    torch.testing.assert_close(critic.logit(features[:, -last:]).squeeze(1), critic(x))
