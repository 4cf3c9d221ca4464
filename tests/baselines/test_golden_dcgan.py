"""DCGAN against Newmu/dcgan_code's own numbers: layers, optimiser, a generator step and two critic steps."""

import pytest
import torch
from torch import nn

from baselines import dcgan
from baselines.variants.dcgan import FACES64

GENERATOR = {
    "gw": ("project.weight", "transposed"),
    "gg": ("project_norm.weight", "same"),
    "gb": ("project_norm.bias", "same"),
    "gwx": ("layers.9.weight", "flipped"),
}
CRITIC = {"dw": ("layers.0.weight", "flipped"), "dwy": ("logit.weight", "transposed")}
for i in (2, 3, 4):
    GENERATOR[f"gw{i}"] = (f"layers.{3 * i - 6}.weight", "flipped")
    CRITIC[f"dw{i}"] = (f"layers.{3 * i - 4}.weight", "flipped")
    for theirs, ours in (("g", "weight"), ("b", "bias")):
        GENERATOR[f"g{theirs}{i}"] = (f"layers.{3 * i - 5}.{ours}", "same")
        CRITIC[f"d{theirs}{i}"] = (f"layers.{3 * i - 3}.{ours}", "same")
SHAPE = (3, 64, 64)


def pixels(x):
    return (x + 1) * 127.5


@pytest.mark.slow
def test_generator_step_then_critic_steps(golden, double_players, replay, trace, revise):
    vectors = golden("dcgan64_f64")
    settings = revise(FACES64.settings, batch=4)
    players = double_players(FACES64.build, settings, SHAPE, vectors, GENERATOR, CRITIC)
    recorded = trace(players)
    z1, z2, x1, x2 = (vectors.input(name) for name in ("z1", "z2", "x1", "x2"))

    losses = FACES64.iterate(settings, players, 0, replay(images=[pixels(x2)], latents=[z1, z2]))
    assert [step.player for step in recorded.steps] == ["generator", "critic"]
    vectors.check("s1/gX", recorded.generated[0], 1e-9)
    vectors.check("s1/p_gen", torch.sigmoid(recorded.critic_outputs[0]), 1e-9)
    vectors.check("s1/g_cost", losses["generator"], 1e-9)
    (generator_step,) = recorded.generator_steps
    vectors.check_all("s1/grad/", generator_step.gradients, GENERATOR, 1e-9, common_scale=True)
    vectors.check_all("s1/after/", generator_step.state, GENERATOR, 1e-7)

    vectors.check("s2/gX", recorded.generated[1], 1e-7)
    vectors.check("s2/p_real", torch.sigmoid(recorded.critic_outputs[1]), 1e-7)
    vectors.check("s2/p_gen", torch.sigmoid(recorded.critic_outputs[2]), 1e-7)
    vectors.check("s2/d_cost", losses["critic"], 1e-7)
    dcgan.critic_step(settings, players, replay(images=[pixels(x1)], latents=[z1]))
    first, second = recorded.critic_steps
    vectors.check_all("s2/grad/", first.gradients, CRITIC, 1e-7, common_scale=True)
    vectors.check_all("s2/after/", first.state, CRITIC, 1e-7)
    vectors.check_all("s3/after/", second.state, CRITIC, 1e-6)


@pytest.fixture
def layers(golden):
    return golden("dcgan_layers_f64")


def with_weight(layer, weight):
    layer.double().weight.data.copy_(weight)
    return layer


def test_doubling_convolution(layers):
    layer = with_weight(dcgan.double(5, 3), layers.input("w_deconv").flip(2, 3))
    layers.check("deconv", layer(layers.input("x4")), 1e-12)


def test_halving_convolution(layers, revise):
    critic = dcgan.Critic(revise(dcgan.DIGITS.settings, width=7), (5, 32, 32))
    layer = with_weight(critic.layers[0], layers.input("w_conv").flip(2, 3))
    layers.check("conv", layer(layers.input("x4")), 1e-12)


@pytest.mark.parametrize(("rank", "kind"), [(2, nn.BatchNorm1d), (4, nn.BatchNorm2d)])
def test_batch_norm(layers, rank, kind):
    norm = with_weight(kind(5, eps=dcgan.DIGITS.settings.norm_eps), layers.input("g"))
    norm.bias.data.copy_(layers.input("b"))
    layers.check(f"bn{rank}", norm(layers.input(f"x{rank}")), 1e-12)


def test_leaky_relu(layers):
    layers.check("lrelu", nn.LeakyReLU(dcgan.DIGITS.settings.slope)(layers.input("x4")), 1e-12)


def test_adam(layers, revise):
    settings = revise(dcgan.DIGITS.settings, learning_rate=2e-4)
    used = dcgan.build(settings, (1, 32, 32), torch.zeros(1, 32, 32)).generator_optimiser
    weight = nn.Parameter(layers.input("adam_w"))
    optimiser = type(used)([weight], **used.defaults)
    for i in range(3):  # the elements of a gradient get ever smaller, so that ε shows
        weight.grad = layers.input(f"adam_g{i}") * 10.0 ** -torch.arange(12)
        optimiser.step()
        layers.check(f"adam_after{i + 1}", weight, 1e-10)
