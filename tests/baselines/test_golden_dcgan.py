"""DCGAN against Newmu/dcgan_code's own numbers: layers, optimiser, a generator step and two critic steps."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from baselines import dcgan
from baselines.losses import non_saturating_generator_loss, standard_critic_loss
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


@dataclass(frozen=True)
class Tolerances:
    """Relative to an array's largest magnitude; gradients to the largest of their network and step."""

    dtype: torch.dtype
    first: float
    first_gradients: float
    values: float
    gradients: float


TOLERANCES = {
    # README: 1e-7 for all.
    "f64": Tolerances(torch.float64, 1e-9, 1e-9, 1e-7, 1e-7),
    # README: first forward 1e-5, gradients 6e-2.
    "f32": Tolerances(torch.float32, 1e-5, 1e-2, 1e-2, 6e-2),
}


def check_single_weights(vectors, prefix, names, steps, learning_rate, large, tolerance):
    """Float32 weights after the last of some steps: where Adam may go, and closer where gradients are large.

    Adam turns any gradient into a first step of ±lr, one of rounding level too, and none of its first steps
    exceeds 1.4·lr. README: 2·lr per step.
    """
    largest = [max(g.abs().max().item() for g in step.gradients.values()) for step in steps]
    compared = 0
    for theirs, (ours, axes) in names.items():
        found, expected = vectors.elements(f"{prefix}{theirs}", steps[-1].state[ours], axes)
        atol = 2.4 * learning_rate * len(steps)
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=theirs)
        sure = np.full(found.shape, True)
        for step, scale in zip(steps, largest, strict=True):
            gradient, _ = vectors.elements(f"{prefix}{theirs}", step.gradients[ours], axes)
            sure &= np.abs(gradient) > large * scale
        compared += sure.sum()
        atol = tolerance * learning_rate
        np.testing.assert_allclose(found[sure], expected[sure], rtol=0, atol=atol, err_msg=theirs)
    assert compared > 30


def check_costs(vectors, s, generator_cost, real, fake, tolerance):
    critic_cost, real_cost = standard_critic_loss(real, fake), non_saturating_generator_loss(real)
    vectors.check(f"{s}/p_real", torch.sigmoid(real), tolerance)
    vectors.check(f"{s}/p_gen", torch.sigmoid(fake), tolerance)
    vectors.check(f"{s}/d_cost", critic_cost, tolerance)
    vectors.check(f"{s}/d_cost_real", real_cost, tolerance)
    vectors.check(f"{s}/d_cost_gen", critic_cost - real_cost, tolerance)
    vectors.check(f"{s}/g_cost", generator_cost, tolerance)
    costs = [generator_cost, critic_cost, generator_cost, real_cost, critic_cost - real_cost]
    vectors.check(f"{s}/returned_cost", torch.stack(costs), tolerance)


def gradients(network, loss):
    names, parameters = zip(*network.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("file", TOLERANCES)
def test_generator_step_then_critic_steps(golden, double_players, replay, trace, revise, file):
    vectors, tolerances = golden(f"dcgan64_{file}"), TOLERANCES[file]
    settings = revise(FACES64.settings, batch=4)
    assert (settings.beta1, settings.l2) == (vectors.result("adam_b1").item(), vectors.result("l2").item())
    players = double_players(FACES64.build, settings, SHAPE, vectors, GENERATOR, CRITIC)
    players.generator.to(tolerances.dtype)
    players.critic.to(tolerances.dtype)
    z1, z2, x1, x2 = (vectors.input(name).to(tolerances.dtype) for name in ("z1", "z2", "x1", "x2"))

    with torch.no_grad():
        fake = players.generator(z1)
    real_logit, fake_logit = players.critic(x1), players.critic(fake)
    found = gradients(players.critic, standard_critic_loss(real_logit, fake_logit))
    vectors.check_all("s1/grad/", found, CRITIC, tolerances.first_gradients, common_scale=True)

    recorded = trace(players)
    losses = FACES64.iterate(settings, players, 0, replay(images=[pixels(x2)], latents=[z1, z2]))
    assert [step.player for step in recorded.steps] == ["generator", "critic"]
    vectors.check("s1/gX", recorded.generated[0], tolerances.first)
    check_costs(vectors, "s1", losses["generator"], real_logit, recorded.critic_outputs[0], tolerances.first)
    (generator_step,) = recorded.generator_steps
    found = generator_step.gradients
    vectors.check_all("s1/grad/", found, GENERATOR, tolerances.first_gradients, common_scale=True)

    vectors.check("s2/gX", recorded.generated[1].double(), tolerances.values)
    vectors.check("s2/d_cost", losses["critic"], tolerances.values)
    dcgan.critic_step(settings, players, replay(images=[pixels(x1)], latents=[z1]))
    first, second = recorded.critic_steps
    vectors.check_all("s2/grad/", first.gradients, CRITIC, tolerances.gradients, common_scale=True)
    if file == "f64":
        vectors.check_all("s1/after/", generator_step.state, GENERATOR, 1e-7)
        vectors.check_all("s2/after/", first.state, CRITIC, 1e-7)
        vectors.check_all("s3/after/", second.state, CRITIC, 1e-6)
    else:
        check_single_weights(
            vectors, "s1/after/", GENERATOR, [generator_step], settings.learning_rate, 0.02, 0.02
        )
        check_single_weights(vectors, "s2/after/", CRITIC, [first], settings.learning_rate, 0.1, 0.02)
        check_single_weights(vectors, "s3/after/", CRITIC, [first, second], settings.learning_rate, 0.1, 0.2)

    players.critic.load_state_dict(generator_step.other_state)
    loss = non_saturating_generator_loss(players.critic(players.generator(z2)))
    found = gradients(players.generator, loss)
    vectors.check_all("s2/grad/", found, GENERATOR, tolerances.gradients, common_scale=True)
    check_costs(vectors, "s2", loss, *recorded.critic_outputs[1:3], tolerances.values)
    assert not vectors.unread


FILES = pytest.mark.parametrize(
    ("file", "dtype", "tolerance"),
    [("f64", torch.float64, 1e-12), ("f32", torch.float32, 1e-6)],  # README: 1e-7, 1e-6
)


def with_weight(layer, weight, dtype):
    layer.to(dtype).weight.data.copy_(weight)
    return layer


@FILES
def test_doubling_convolution(golden, file, dtype, tolerance):
    vectors = golden(f"dcgan_layers_{file}")
    layer = with_weight(dcgan.double(5, 3), vectors.input("w_deconv").flip(2, 3), dtype)
    vectors.check("deconv", layer(vectors.input("x4").to(dtype)), tolerance)


@FILES
def test_halving_convolution(golden, revise, file, dtype, tolerance):
    vectors = golden(f"dcgan_layers_{file}")
    critic = dcgan.Critic(revise(dcgan.DIGITS.settings, width=7), (5, 32, 32))
    layer = with_weight(critic.layers[0], vectors.input("w_conv").flip(2, 3), dtype)
    vectors.check("conv", layer(vectors.input("x4").to(dtype)), tolerance)


@FILES
@pytest.mark.parametrize(("rank", "kind"), [(2, nn.BatchNorm1d), (4, nn.BatchNorm2d)])
def test_batch_norm(golden, rank, kind, file, dtype, tolerance):
    vectors = golden(f"dcgan_layers_{file}")
    norm = with_weight(kind(5, eps=dcgan.DIGITS.settings.norm_eps), vectors.input("g"), dtype)
    norm.bias.data.copy_(vectors.input("b"))
    vectors.check(f"bn{rank}", norm(vectors.input(f"x{rank}").to(dtype)), tolerance)


@FILES
def test_leaky_relu(golden, file, dtype, tolerance):
    vectors = golden(f"dcgan_layers_{file}")
    relu = nn.LeakyReLU(dcgan.DIGITS.settings.slope)
    vectors.check("lrelu", relu(vectors.input("x4").to(dtype)), tolerance)


@pytest.mark.parametrize(
    ("file", "dtype", "tolerance"),
    [("f64", torch.float64, 1e-10), ("f32", torch.float32, 1e-6)],  # README: 1e-7, 1e-6
)
def test_adam(golden, revise, file, dtype, tolerance):
    vectors = golden(f"dcgan_layers_{file}")
    settings = revise(dcgan.DIGITS.settings, learning_rate=2e-4)
    used = dcgan.build(settings, (1, 32, 32), torch.zeros(1, 32, 32)).generator_optimiser
    weight = nn.Parameter(vectors.input("adam_w").to(dtype))
    optimiser = type(used)([weight], **used.defaults)
    for i in range(3):  # the elements of a gradient get ever smaller, so that ε shows
        weight.grad = (vectors.input(f"adam_g{i}") * 10.0 ** -torch.arange(12)).to(dtype)
        optimiser.step()
        vectors.check(f"adam_after{i + 1}", weight, tolerance)
