"""DCGAN on MNIST with classes: where the classes enter, the layer table, the minibatch of the generator."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.variants import dcgan_conditional

CONDITIONAL = dcgan_conditional.MNIST_CONDITIONAL
WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def narrow(revise):
    """The experiment with few channels and a small batch, otherwise as declared."""

    def make(batch=3):
        settings = revise(CONDITIONAL.settings, batch=batch, width=4, dense_units=8)
        return dataclasses.replace(CONDITIONAL, settings=settings)

    return make


def build(experiment, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(experiment.settings, shape, torch.full(shape, 0.5))


def test_classes_are_joined_to_every_layer(narrow):
    players = build(narrow())
    inputs = {}
    for network in (players.generator, players.critic):
        for name, layer in network.named_modules():
            if isinstance(layer, WEIGHTED):
                layer.register_forward_hook(lambda _m, x, _y, name=name: inputs.update({name: x[0]}))
    classes = torch.tensor([3, 0, 9])
    images = players.generator(torch.randn(3, 100), classes)
    players.critic(images, classes)
    one_hot = torch.eye(10)[classes]
    assert list(inputs) == ["project1", "project2", "up1", "up2", "down1", "down2", "dense", "logit"]
    for name, x in inputs.items():
        joined = x[:, -10:]
        if x.dim() == 4:
            assert (joined == joined[:, :, :1, :1]).all(), name
            joined = joined[:, :, 0, 0]
        assert torch.equal(joined, one_hot), name
    assert images.shape == (3, 1, 28, 28)
    assert 0 < images.min() < images.max() < 1


def test_conditional_networks_against_the_layer_table(narrow):
    players = build(narrow())
    g, c = (dict(n.named_parameters()) for n in (players.generator, players.critic))
    y = torch.eye(10)[torch.tensor([1, 2, 3, 4])]

    def norm(h):
        axes = [0, 2, 3][: h.dim() - 1]
        mean, var = h.mean(axes, keepdim=True), h.var(axes, correction=0, keepdim=True)
        return (h - mean) / (var + 1e-8).sqrt()

    def maps(h):
        return torch.cat((h, y[:, :, None, None].expand(4, 10, *h.shape[2:])), 1)

    def vector(h):
        return torch.cat((h, y), 1)

    def leaky(h):
        return torch.where(h > 0, h, 0.2 * h)

    def up(h, weight):
        return F.conv_transpose2d(maps(h), weight, stride=2, padding=2, output_padding=1)

    z = torch.randn(4, 100)
    h = norm(vector(z) @ g["project1.weight"].t()).relu()
    h = norm(vector(h) @ g["project2.weight"].t()).relu().reshape(4, 8, 7, 7)
    expected = torch.sigmoid(up(norm(up(h, g["up1.weight"])).relu(), g["up2.weight"]))
    torch.testing.assert_close(players.generator(z, y.argmax(1)), expected)

    x = torch.rand(4, 1, 28, 28)
    h = leaky(F.conv2d(maps(x), c["down1.weight"], stride=2, padding=2))
    h = leaky(norm(F.conv2d(maps(h), c["down2.weight"], stride=2, padding=2))).flatten(1)
    h = leaky(norm(vector(h) @ c["dense.weight"].t()))
    expected = (vector(h) @ c["logit.weight"].t()).squeeze(1)
    torch.testing.assert_close(players.critic(x, y.argmax(1)), expected, rtol=1e-4, atol=1e-5)


def test_generator_takes_the_classes_of_the_minibatch_it_uses_up(narrow, replay, trace):
    experiment = narrow(batch=2)
    players = build(experiment)
    recorded = trace(players)
    told = []
    players.generator.register_forward_hook(lambda _m, x, _y: told.append(x[1].tolist()))
    pixels = torch.randint(256, (2, 1, 28, 28), dtype=torch.uint8)
    z = torch.randn(2, 2, 100)
    draws = replay(
        images=[torch.zeros_like(pixels), pixels],
        labels=[torch.tensor([1, 2]), torch.tensor([8, 9])],
        latents=list(z),
    )
    losses = experiment.iterate(experiment.settings, players, 0, draws)
    assert draws.exhausted
    assert told == [[1, 2], [8, 9]]
    assert [step.player for step in recorded.steps] == ["generator", "critic"]
    judged, real, fake = map(torch.sigmoid, recorded.critic_outputs)
    torch.testing.assert_close(recorded.critic_inputs[1], pixels / 255)
    one, none = torch.ones(2), torch.zeros(2)
    torch.testing.assert_close(losses["generator"], F.binary_cross_entropy(judged, one))
    expected = F.binary_cross_entropy(real, one) + F.binary_cross_entropy(fake, none)
    torch.testing.assert_close(losses["critic"], expected)


def test_conditional_learning_rate_falls_once_per_epoch_after_the_hundredth(narrow, synthetic):
    s = CONDITIONAL.settings
    for epoch, expected in ((0, 2e-4), (100, 2e-4), (101, 1.98e-4), (150, 1e-4), (199, 2e-6), (300, 0)):
        assert dcgan_conditional.learning_rate(s, epoch) == pytest.approx(expected, abs=1e-12)
    experiment = narrow()
    players, draws = build(experiment, "meta"), synthetic(experiment, device="meta")
    draws.epoch = 150
    experiment.iterate(experiment.settings, players, 0, draws)
    for optimiser in (players.generator_optimiser, players.critic_optimiser):
        assert optimiser.param_groups[0]["lr"] == pytest.approx(1e-4)
