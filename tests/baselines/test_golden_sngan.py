"""SN-GAN against the numbers of sngan_projection and chainer-gan-lib (Chainer 3.3.0)."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from baselines import layers, losses, sngan
from baselines.optimisers import EpsHatAdam
from baselines.variants.sngan import CIFAR10_CNN_CGL

PARTS = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias", "u": "u"}
STATISTICS = {"avg_mean": "running_mean", "avg_var": "running_var"}


def places(theirs, ours, parts, axes="same"):
    return {f"{theirs}/{part}": (f"{ours}.{(PARTS | STATISTICS)[part]}", axes) for part in parts}


def norm_places(theirs, ours):
    return places(theirs, ours, ("gamma", "beta", *STATISTICS))


RESNET_GENERATOR = places("G/l1", "project", "Wb") | norm_places("G/b5", "norm") | places("G/c5", "out", "Wb")
for i in (2, 3, 4):
    theirs, ours = f"G/block{i}", f"blocks.{i - 2}"
    for norm in ("1", "2"):
        RESNET_GENERATOR |= norm_places(f"{theirs}/b{norm}", f"{ours}.norm{norm}")
        RESNET_GENERATOR |= places(f"{theirs}/c{norm}", f"{ours}.conv{norm}", "Wb")
    RESNET_GENERATOR |= places(f"{theirs}/c_sc", f"{ours}.shortcut", "Wb")
RESNET_CRITIC = places("D/l5", "out", "Wu")
for i in (1, 2, 3, 4):
    for theirs, ours in (("c1", "conv1"), ("c2", "conv2"), ("c_sc", "shortcut"))[: 3 if i < 3 else 2]:
        RESNET_CRITIC |= places(f"D/block{i}/{theirs}", f"blocks.{i - 1}.{ours}", "Wbu")

CNN_GENERATOR = places("G/l0", "dense", "Wb") | norm_places("G/bn0", "dense_norm.0")
for i in (1, 2, 3):
    CNN_GENERATOR |= places(f"G/dc{i}", f"layers.{3 * i - 3}", "Wb")
    CNN_GENERATOR |= norm_places(f"G/bn{i}", f"layers.{3 * i - 2}")
CNN_GENERATOR |= places("G/dc4", "layers.9", "W", "deconvolution") | places("G/dc4", "layers.9", "b")
CNN_CRITIC = places("D/l4", "out", "Wbu")
for i, theirs in enumerate(("c0_0", "c0_1", "c1_0", "c1_1", "c2_0", "c2_1", "c3_0")):
    CNN_CRITIC |= places(f"D/{theirs}", f"layers.{2 * i}", "Wbu")

SHAPE = (3, 32, 32)


def loadable(names):
    return {theirs: place for theirs, place in names.items() if theirs.rsplit("/", 1)[1] not in STATISTICS}


@dataclass(frozen=True)
class Tolerances:
    """Relative to an array's largest magnitude; gradients to the largest of their network and step."""

    dtype: torch.dtype
    first: float
    generator_gradients: float
    values: float
    critic_gradients: float
    state: float
    eval: float


TOLERANCES = {
    # README: 1e-7 for all.
    ("resnet", "f64"): Tolerances(torch.float64, 1e-9, 1e-9, 1e-8, 1e-8, 1e-7, 1e-7),
    ("cnn", "f64"): Tolerances(torch.float64, 1e-9, 1e-9, 1e-8, 1e-8, 1e-7, 1e-7),
    # README: first forward 1e-5, gradients 2e-3, evaluation 3e-2. After the first step, images and running
    # means carry the arbitrary steps of the biases before a norm.
    ("resnet", "f32"): Tolerances(torch.float32, 1e-5, 2e-4, 5e-3, 2e-3, 5e-3, 3e-2),
    # README: first forward 1e-5, gradients 1e-2, evaluation 2e-2. Measured with oneDNN's convolutions and
    # without: 1.3e-5 and 7e-6, 5e-6 and 6e-3, 7e-4 and 3e-2.
    ("cnn", "f32"): Tolerances(torch.float32, 3e-5, 1e-3, 1e-3, 1e-2, 5e-3, 5e-2),
}


def check_single_weights(vectors, names, state, steps, learning_rate):
    """Float32 weights after one or two steps: wherever Adam may go, and to .05·lr where gradients are large.

    Adam turns any gradient into a first step of ±lr, one of rounding level too (all those of a bias before a
    batch norm are), and none of its first steps exceeds 1.4·lr. README: 2·lr per step.
    """
    largest = [max(g.abs().max().item() for g in step.gradients.values()) for step in steps]
    compared = 0
    for theirs, (ours, axes) in names.items():
        if ours not in steps[0].gradients:
            continue
        found, expected = vectors.elements(f"after/{theirs}", state[ours], axes)
        atol = 2.4 * learning_rate * len(steps)
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=theirs)
        sure = np.full(found.shape, True)
        for step, scale in zip(steps, largest, strict=True):
            gradient, _ = vectors.elements(f"after/{theirs}", step.gradients[ours], axes)
            sure &= np.abs(gradient) > 0.02 * scale
        compared += sure.sum()
        atol = 0.05 * learning_rate
        np.testing.assert_allclose(found[sure], expected[sure], rtol=0, atol=atol, err_msg=theirs)
    assert compared > 100


def run_update(
    vectors, tolerances, settings, build, generator_names, critic_names, double_players, replay, trace
):
    """One `update_core` of the authors' updater; checks every value that it recorded."""
    players = double_players(
        build, settings, SHAPE, vectors, loadable(generator_names), loadable(critic_names)
    )
    players.generator.to(tolerances.dtype)
    players.critic.to(tolerances.dtype)
    recorded = trace(players)
    z0, z1, z2 = (vectors.input(name).flatten(1).to(tolerances.dtype) for name in ("z0", "z1", "z2"))
    draws = replay(
        images=[(vectors.input(name).to(tolerances.dtype) + 1) * 127.5 for name in ("x1", "x2")],
        latents=[z0, z1, z2],
    )
    reported = sngan.iterate(settings, players, 0, draws)
    assert draws.exhausted
    assert [step.player for step in recorded.steps] == ["generator", "critic", "critic"]

    vectors.check("G/x_fake_z0", recorded.generated[0], tolerances.first)
    vectors.check("gstep/dis_fake", recorded.critic_outputs[0], tolerances.first)
    vectors.check("gstep/loss", reported["generator"], tolerances.first)
    (generator_step,) = recorded.generator_steps
    vectors.check_all(
        "gstep/grad/",
        generator_step.gradients,
        generator_names,
        tolerances.generator_gradients,
        common_scale=True,
    )
    critic_loss, _ = sngan.LOSSES[settings.loss]
    for i, step in enumerate(recorded.critic_steps):
        s = f"dstep{i + 1}"
        real, fake = recorded.critic_outputs[2 * i + 1 : 2 * i + 3]
        if vectors.has(f"G/x_fake_z{i + 1}"):
            vectors.check(f"G/x_fake_z{i + 1}", recorded.generated[i + 1], tolerances.values)
        vectors.check(f"{s}/dis_real", real, tolerances.values)
        vectors.check(f"{s}/dis_fake", fake, tolerances.values)
        vectors.check(f"{s}/loss", critic_loss(real, fake), tolerances.values)
        vectors.check_all(
            f"{s}/grad/",
            step.gradients,
            critic_names,
            tolerances.critic_gradients,
            common_scale=True,
        )
    vectors.check("dstep2/loss", reported["critic"], tolerances.values)
    for network, names, steps in (
        (players.generator, generator_names, recorded.generator_steps),
        (players.critic, critic_names, recorded.critic_steps),
    ):
        state = network.state_dict()
        if tolerances.dtype == torch.float32:
            check_single_weights(vectors, names, state, steps, settings.learning_rate)
            names = {theirs: place for theirs, place in names.items() if place[0] not in steps[0].gradients}
        vectors.check_all("after/", state, names, tolerances.state)

    players.generator.eval()
    with torch.no_grad():
        vectors.check("eval/G/x_fake_z0", players.generator(z0), tolerances.eval)
    return players


@pytest.mark.parametrize(
    ("case", "loss", "file"),
    [
        ("resnet32_hinge", "hinge", "f64"),
        pytest.param("resnet32_hinge", "hinge", "f32", marks=pytest.mark.slow),
        pytest.param("resnet32_dcgan", "standard", "f64", marks=pytest.mark.slow),
        ("resnet32_dcgan", "standard", "f32"),
    ],
)
def test_resnet_update(golden, double_players, replay, trace, revise, case, loss, file):
    vectors, tolerances = golden(f"sngan_{case}_{file}"), TOLERANCES["resnet", file]
    settings = revise(
        sngan.CIFAR10_RESNET.settings,
        batch=4,
        generator_batch=8,
        critic_steps=2,
        dequantise=False,
        loss=loss,
    )
    players = run_update(
        vectors,
        tolerances,
        settings,
        sngan.build_resnet,
        RESNET_GENERATOR,
        RESNET_CRITIC,
        double_players,
        replay,
        trace,
    )
    players.critic.eval()
    before = players.critic.out.u.clone()
    with torch.no_grad():
        dis = players.critic(vectors.input("x1").to(tolerances.dtype))
    vectors.check("eval/D/dis_x1", dis, tolerances.eval)
    vectors.check("eval/D/l5_u_changed", (players.critic.out.u - before).abs().max(), 1e-14, scale=1)
    assert not vectors.unread


@pytest.mark.parametrize("file", ["f64", pytest.param("f32", marks=pytest.mark.slow)])
def test_cnn_update(golden, double_players, replay, trace, revise, file):
    """The chainer-gan-lib variant: other critic widths, slope and loss, batch norm after the dense layer."""
    vectors = golden(f"sngan_cnn_{file}")
    settings = revise(
        CIFAR10_CNN_CGL.settings, batch=4, generator_batch=4, critic_steps=2, beta1=0.0, beta2=0.9
    )
    run_update(
        vectors,
        TOLERANCES["cnn", file],
        settings,
        sngan.build_cnn,
        CNN_GENERATOR,
        CNN_CRITIC,
        double_players,
        replay,
        trace,
    )
    assert not vectors.unread


LAYERS = {
    "conv3x3": lambda: layers.SNConv2d(5, 7, 3),
    "conv4x4s2": lambda: layers.SNConv2d(4, 6, 4, 2),
    "lin": lambda: layers.SNLinear(11, 9),
    "lin1": lambda: layers.SNLinear(13, 1),
}


FILES = pytest.mark.parametrize(
    ("file", "dtype", "values", "gradients"),
    [("f64", torch.float64, 1e-12, 1e-11), ("f32", torch.float32, 1e-6, 1e-6)],  # README: 1e-7, 1e-6
)


def sn_layer(vectors, case, dtype):
    layer = LAYERS[case]().to(dtype)
    vectors.load(layer, {f"{case}/{part}": (PARTS[part], "same") for part in "Wbu"})
    return layer


@FILES
@pytest.mark.parametrize("case", LAYERS)
def test_spectral_norm_forward_and_gradients(golden, case, file, dtype, values, gradients):
    vectors = golden(f"sngan_layers_{file}")
    layer = sn_layer(vectors, case, dtype)
    for i in (1, 2, 3):
        prefix = f"{case}/fwd{i}"
        sigma, u = layers.spectral_norm_step(layer.weight, layer.u)
        (outer,) = torch.autograd.grad(sigma, layer.weight)  # u and v are its constants: ∂σ/∂W = uvᵀ
        x = vectors.input(f"{case}/x").to(dtype).requires_grad_(True)
        y = layer(x)
        wanted = (x, layer.weight, layer.bias)
        found = torch.autograd.grad(y, wanted, vectors.input(f"{case}/gy").to(dtype))
        vectors.check(f"{prefix}/sigma", sigma, values)
        vectors.check(f"{prefix}/u", u, values)
        vectors.check(f"{prefix}/u", layer.u, values)
        vectors.check(f"{prefix}/v", u @ outer.flatten(1), gradients)
        vectors.check(f"{prefix}/W_sn", layer.weight / sigma, values)
        vectors.check(f"{prefix}/y", y, values)
        for name, gradient in zip(("gx", "gW", "gb"), found, strict=True):
            vectors.check(f"{prefix}/{name}", gradient, gradients)
    assert not [name for name in vectors.unread if name.startswith(f"{case}/fwd")]


@FILES
@pytest.mark.parametrize("case", LAYERS)
def test_spectral_norm_in_evaluation(golden, case, file, dtype, values, gradients):
    vectors = golden(f"sngan_layers_{file}")
    layer = sn_layer(vectors, case, dtype)
    x = vectors.input(f"{case}/x").to(dtype)
    for _ in range(3):
        layer(x)
    trained = layer.u.clone()
    layer.eval()
    vectors.check(f"{case}/eval/y", layer(x), values)
    assert torch.equal(layer.u, trained)
    # The released linear layer moves u in evaluation too.
    _, moved = layers.spectral_norm_step(layer.weight, layer.u)
    vectors.check(f"{case}/eval/u_after", trained if case.startswith("conv") else moved, values)


@pytest.mark.parametrize(
    ("file", "dtype", "tolerance"), [("f64", torch.float64, 1e-8), ("f32", torch.float32, 1e-6)]
)
@pytest.mark.parametrize("case", LAYERS)
def test_power_iteration_approaches_the_largest_singular_value(golden, case, file, dtype, tolerance):
    vectors = golden(f"sngan_layers_{file}")
    layer = sn_layer(vectors, case, dtype)
    for _ in range(200):
        sigma, u = layers.spectral_norm_step(layer.weight, layer.u)
        layer.u.copy_(u)
    assert sigma.item() == pytest.approx(vectors.result(f"{case}/svd").max().item(), rel=tolerance)


@FILES
@pytest.mark.parametrize(
    ("kind", "critic_loss", "generator_loss"),
    [
        ("hinge", losses.hinge_critic_loss, losses.hinge_generator_loss),
        ("dcgan", losses.standard_critic_loss, losses.non_saturating_generator_loss),
    ],
)
def test_losses_and_their_gradients(
    golden, kind, critic_loss, generator_loss, file, dtype, values, gradients
):
    vectors = golden(f"sngan_losses_{file}")
    real, fake = (vectors.input(f"dis_{x}").to(dtype).requires_grad_(True) for x in ("real", "fake"))
    loss = critic_loss(real, fake)
    real_gradient, fake_gradient = torch.autograd.grad(loss, (real, fake))
    vectors.check(f"{kind}/D", loss, values)
    vectors.check(f"{kind}/D/g_real", real_gradient, values)
    vectors.check(f"{kind}/D/g_fake", fake_gradient, values)
    loss = generator_loss(fake)
    (gradient,) = torch.autograd.grad(loss, fake)
    vectors.check(f"{kind}/G", loss, values)
    vectors.check(f"{kind}/G/g_fake", gradient, values)


@pytest.mark.parametrize(
    ("file", "dtype", "tolerance"),
    [("f64", torch.float64, 1e-7), ("f32", torch.float32, 1e-3)],  # of lr; README: 1e-8 fitted, 2·steps
)
@pytest.mark.parametrize(
    ("learning_rate", "betas", "name"),
    [
        (2e-4, (0.0, 0.9), "0.0002_0_0.9"),
        (2e-4, (0.5, 0.999), "0.0002_0.5_0.999"),
        (1e-4, (0.5, 0.9), "0.0001_0.5_0.9"),
    ],
)
def test_chainer_adam(golden, learning_rate, betas, name, file, dtype, tolerance):
    vectors = golden(f"sngan_adam_{file}")
    weight = nn.Parameter(vectors.input(f"w_{name}").to(dtype))
    optimiser = EpsHatAdam([weight], learning_rate, betas, eps_hat=vectors.result("eps").item())
    for i in range(3):  # the elements of a gradient get ever smaller, so that ε shows
        weight.grad = (vectors.input(f"g_{name}_{i}") * 10.0 ** -torch.arange(12)).to(dtype)
        optimiser.step()
        vectors.check(f"w_{name}/after{i + 1}", weight, tolerance, scale=learning_rate)
