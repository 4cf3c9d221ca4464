"""SN-GAN against the numbers of sngan_projection and chainer-gan-lib (Chainer 3.3.0)."""

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


def average_as_chainer_does(generator):
    """Chainer 3 adds ε to a batch's variance before it averages it; torch adds ε only when it divides.

    The difference, at most 2e-5 of a variance, is invisible in a generated image.
    """

    def add_eps(norm, inputs, output):
        if norm.training:
            n = inputs[0].numel() / inputs[0].shape[1]
            norm.running_var = norm.running_var + norm.momentum * norm.eps * n / (n - 1)

    for module in generator.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.register_forward_hook(add_eps)


def run_update(vectors, settings, build, generator_names, critic_names, double_players, replay, trace):
    """One `update_core` of the authors' updater; checks every value that it recorded."""
    players = double_players(
        build, settings, SHAPE, vectors, loadable(generator_names), loadable(critic_names)
    )
    average_as_chainer_does(players.generator)
    recorded = trace(players)
    draws = replay(
        images=[(vectors.input(name) + 1) * 127.5 for name in ("x1", "x2")],
        latents=[vectors.input(name).flatten(1) for name in ("z0", "z1", "z2")],
    )
    reported = sngan.iterate(settings, players, 0, draws)
    assert draws.exhausted
    assert [step.player for step in recorded.steps] == ["generator", "critic", "critic"]

    vectors.check("G/x_fake_z0", recorded.generated[0], 1e-9)
    vectors.check("gstep/dis_fake", recorded.critic_outputs[0], 1e-9)
    vectors.check("gstep/loss", reported["generator"], 1e-9)
    (step,) = recorded.generator_steps
    vectors.check_all("gstep/grad/", step.gradients, generator_names, 1e-9, common_scale=True)
    for i, step in enumerate(recorded.critic_steps):
        s = f"dstep{i + 1}"
        real, fake = recorded.critic_outputs[2 * i + 1 : 2 * i + 3]
        if vectors.has(f"G/x_fake_z{i + 1}"):
            vectors.check(f"G/x_fake_z{i + 1}", recorded.generated[i + 1], 1e-8)
        vectors.check(f"{s}/dis_real", real, 1e-8)
        vectors.check(f"{s}/dis_fake", fake, 1e-8)
        vectors.check_all(f"{s}/grad/", step.gradients, critic_names, 1e-8, common_scale=True)
    vectors.check("dstep2/loss", reported["critic"], 1e-8)
    vectors.check_all("after/", players.generator.state_dict(), generator_names, 1e-7)
    vectors.check_all("after/", players.critic.state_dict(), critic_names, 1e-7)

    players.generator.eval()
    with torch.no_grad():
        vectors.check("eval/G/x_fake_z0", players.generator(vectors.input("z0").flatten(1)), 1e-7)
    return players


def test_resnet_update(golden, double_players, replay, trace, revise):
    vectors = golden("sngan_resnet32_hinge_f64")
    settings = revise(
        sngan.CIFAR10_RESNET.settings, batch=4, generator_batch=8, critic_steps=2, dequantise=False
    )
    players = run_update(
        vectors, settings, sngan.build_resnet, RESNET_GENERATOR, RESNET_CRITIC, double_players, replay, trace
    )
    players.critic.eval()
    with torch.no_grad():
        vectors.check("eval/D/dis_x1", players.critic(vectors.input("x1")), 1e-7)


def test_cnn_update(golden, double_players, replay, trace, revise):
    """The chainer-gan-lib variant: other critic widths, slope and loss, batch norm after the dense layer."""
    settings = revise(
        CIFAR10_CNN_CGL.settings, batch=4, generator_batch=4, critic_steps=2, beta1=0.0, beta2=0.9
    )
    run_update(
        golden("sngan_cnn_f64"),
        settings,
        sngan.build_cnn,
        CNN_GENERATOR,
        CNN_CRITIC,
        double_players,
        replay,
        trace,
    )


LAYERS = {
    "conv3x3": lambda: layers.SNConv2d(5, 7, 3),
    "conv4x4s2": lambda: layers.SNConv2d(4, 6, 4, 2),
    "lin": lambda: layers.SNLinear(11, 9),
    "lin1": lambda: layers.SNLinear(13, 1),
}


@pytest.fixture
def layer_vectors(golden):
    return golden("sngan_layers_f64")


def sn_layer(vectors, case):
    layer = LAYERS[case]().double()
    vectors.load(layer, {f"{case}/{part}": (PARTS[part], "same") for part in "Wbu"})
    return layer


@pytest.mark.parametrize("case", LAYERS)
def test_spectral_norm_forward_and_gradients(layer_vectors, case):
    layer = sn_layer(layer_vectors, case)
    for i in (1, 2, 3):
        prefix = f"{case}/fwd{i}"
        sigma, u = layers.spectral_norm_step(layer.weight, layer.u)
        x = layer_vectors.input(f"{case}/x").requires_grad_(True)
        y = layer(x)
        wanted = (x, layer.weight, layer.bias)
        gradients = torch.autograd.grad(y, wanted, layer_vectors.input(f"{case}/gy"))
        layer_vectors.check(f"{prefix}/sigma", sigma, 1e-12)
        layer_vectors.check(f"{prefix}/u", u, 1e-12)
        layer_vectors.check(f"{prefix}/u", layer.u, 1e-12)
        layer_vectors.check(f"{prefix}/W_sn", layer.weight / sigma, 1e-12)
        layer_vectors.check(f"{prefix}/y", y, 1e-12)
        for name, gradient in zip(("gx", "gW", "gb"), gradients, strict=True):
            layer_vectors.check(f"{prefix}/{name}", gradient, 1e-11)


@pytest.mark.parametrize("case", LAYERS)
def test_spectral_norm_in_evaluation(layer_vectors, case):
    layer = sn_layer(layer_vectors, case)
    x = layer_vectors.input(f"{case}/x")
    for _ in range(3):
        layer(x)
    trained = layer.u.clone()
    layer.eval()
    layer_vectors.check(f"{case}/eval/y", layer(x), 1e-12)
    assert torch.equal(layer.u, trained)
    if case.startswith("conv"):  # the released linear layer moves u in evaluation too
        layer_vectors.check(f"{case}/eval/u_after", layer.u, 1e-12)


def test_power_iteration_approaches_the_largest_singular_value(layer_vectors):
    for case in ("conv3x3", "conv4x4s2", "lin"):
        layer = sn_layer(layer_vectors, case)
        for _ in range(200):
            sigma, u = layers.spectral_norm_step(layer.weight, layer.u)
            layer.u.copy_(u)
        assert sigma.item() == pytest.approx(layer_vectors.result(f"{case}/svd").max().item(), rel=1e-8)


@pytest.mark.parametrize(
    ("kind", "critic_loss", "generator_loss"),
    [
        ("hinge", losses.hinge_critic_loss, losses.hinge_generator_loss),
        ("dcgan", losses.standard_critic_loss, losses.non_saturating_generator_loss),
    ],
)
def test_losses_and_their_gradients(golden, kind, critic_loss, generator_loss):
    vectors = golden("sngan_losses_f64")
    real = vectors.input("dis_real").requires_grad_(True)
    fake = vectors.input("dis_fake").requires_grad_(True)
    loss = critic_loss(real, fake)
    real_gradient, fake_gradient = torch.autograd.grad(loss, (real, fake))
    vectors.check(f"{kind}/D", loss, 1e-12)
    vectors.check(f"{kind}/D/g_real", real_gradient, 1e-12)
    vectors.check(f"{kind}/D/g_fake", fake_gradient, 1e-12)
    loss = generator_loss(fake)
    (gradient,) = torch.autograd.grad(loss, fake)
    vectors.check(f"{kind}/G", loss, 1e-12)
    vectors.check(f"{kind}/G/g_fake", gradient, 1e-12)


@pytest.mark.parametrize(
    ("learning_rate", "betas", "name"),
    [
        (2e-4, (0.0, 0.9), "0.0002_0_0.9"),
        (2e-4, (0.5, 0.999), "0.0002_0.5_0.999"),
        (1e-4, (0.5, 0.9), "0.0001_0.5_0.9"),
    ],
)
def test_chainer_adam(golden, learning_rate, betas, name):
    vectors = golden("sngan_adam_f64")
    weight = nn.Parameter(vectors.input(f"w_{name}"))
    optimiser = EpsHatAdam([weight], learning_rate, betas, eps_hat=vectors.result("eps").item())
    for i in range(3):  # the elements of a gradient get ever smaller, so that ε shows
        weight.grad = vectors.input(f"g_{name}_{i}") * 10.0 ** -torch.arange(12)
        optimiser.step()
        vectors.check(f"w_{name}/after{i + 1}", weight, 1e-7, scale=learning_rate)
