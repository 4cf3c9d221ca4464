"""What the experiments are made of: sizes, biases, norms, initial weights, layers, critic schedules."""

import itertools
import math

import pytest
import torch
from torch import nn

import baselines
from baselines import dcgan, gan, layers, sngan, wgan, wgan_gp

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def meta_players(build, settings, shape):
    with torch.device("meta"):
        return build(settings, shape, torch.full(shape, 0.5))


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def modules(network, kinds):
    return [m for m in network.modules() if isinstance(m, kinds)]


def biased(network):
    return {m.bias is not None for m in modules(network, WEIGHTED)}


# Counts follow from the layer tables of the papers' released code, named in the last column.
@pytest.mark.parametrize(
    ("build", "settings", "changes", "shape", "generator", "critic"),
    [
        pytest.param(
            gan.build, gan.MNIST.settings, {}, (1, 28, 28), 2_503_984, 1_231_441, id="goodfeli mnist.yaml"
        ),
        pytest.param(
            dcgan.build,
            dcgan.DIGITS.settings,
            {"width": 128},
            (3, 64, 64),
            18_885_760,
            17_232_768,
            id="dcgan_code faces/train_uncond_dcgan.py",
        ),
        pytest.param(
            dcgan.build,
            dcgan.DIGITS.settings,
            {"width": 64},
            (3, 32, 32),
            1_446_976,
            1_033_664,
            id="dcgan_code svhn/svhn_semisup_analysis.py",
        ),
        pytest.param(
            dcgan.build_cifar,
            dcgan.CIFAR10.settings,
            {},
            (3, 32, 32),
            5_179_907,
            4_116_225,
            id="improved_wgan_training gan_cifar.py, dcgan",
        ),
        pytest.param(
            wgan.build,
            wgan.LSUN64.settings,
            {},
            (3, 64, 64),
            3_576_704,
            2_765_568,
            id="WassersteinGAN models/dcgan.py, 64 pixels",
        ),
        pytest.param(
            wgan.build,
            wgan.LSUN64.settings,
            {},
            (3, 32, 32),
            1_068_928,
            663_296,
            id="WassersteinGAN models/dcgan.py, 32 pixels",
        ),
        pytest.param(
            wgan.build_cifar,
            wgan.CIFAR10.settings,
            {},
            (3, 32, 32),
            5_179_907,
            4_116_225,
            id="improved_wgan_training gan_cifar.py, wgan",
        ),
        pytest.param(
            wgan_gp.build_cnn,
            wgan_gp.CIFAR10_CNN.settings,
            {},
            (3, 32, 32),
            5_179_907,
            4_114_689,
            id="improved_wgan_training gan_cifar.py, wgan-gp",
        ),
        pytest.param(
            wgan_gp.build_resnet,
            wgan_gp.CIFAR10_RESNET.settings,
            {},
            (3, 32, 32),
            1_204_483,
            1_053_825,
            id="improved_wgan_training gan_cifar_resnet.py",
        ),
        pytest.param(
            wgan_gp.build_mnist,
            wgan_gp.DIGITS.settings,
            {"width": 64},
            (1, 28, 28),
            1_554_177,
            1_030_145,
            id="improved_wgan_training gan_mnist.py",
        ),
        pytest.param(
            sngan.build_cnn,
            sngan.CIFAR10_CNN.settings,
            {},
            (3, 32, 32),
            3_812_355,
            2_935_873,
            id="SN-GAN paper Table 3",
        ),
        pytest.param(
            sngan.build_cnn,
            sngan.CIFAR10_CNN.settings,
            {"critic_growth": "strided", "norm_after_dense": True},
            (3, 32, 32),
            3_828_739,
            5_860_865,
            id="chainer-gan-lib common/net.py",
        ),
        pytest.param(
            sngan.build_resnet,
            sngan.CIFAR10_RESNET.settings,
            {},
            (3, 32, 32),
            4_276_739,
            1_053_824,
            id="sngan_projection gen_models/resnet_32.py, dis_models/snresnet_32.py",
        ),
    ],
)
def test_parameter_counts(revise, build, settings, changes, shape, generator, critic):
    players = meta_players(build, revise(settings, **changes), shape)
    assert (parameters(players.generator), parameters(players.critic)) == (generator, critic)


def test_sngan_critic_widths_are_the_papers():
    # Table 3, and the index ranges of the paper's Figure 3.
    critic = meta_players(sngan.build_cnn, sngan.CIFAR10_CNN.settings, (3, 32, 32)).critic
    widths = [m.out_channels for m in modules(critic, nn.Conv2d)]
    assert widths == [64, 64, 128, 128, 256, 256, 512]
    assert {m.negative_slope for m in modules(critic, nn.LeakyReLU)} == {0.1}


@pytest.mark.parametrize("experiment", [*wgan_gp.EXPERIMENTS, *sngan.EXPERIMENTS], ids=lambda e: e.name)
def test_no_norm_layer_in_penalised_or_spectrally_normalised_critics(experiment):
    players = meta_players(experiment.build, experiment.settings, experiment.image_shape)
    assert not [m for m in players.critic.modules() if "Norm" in type(m).__name__]


@pytest.mark.parametrize("experiment", sngan.EXPERIMENTS, ids=lambda e: e.name)
def test_every_sngan_critic_weight_is_spectrally_normalised(experiment):
    players = meta_players(experiment.build, experiment.settings, experiment.image_shape)
    weighted = modules(players.critic, WEIGHTED)
    assert all(isinstance(m, layers.SNConv2d | layers.SNLinear) for m in weighted)
    assert not [m for m in players.generator.modules() if isinstance(m, layers._SpectralNorm)]


@pytest.mark.parametrize("experiment", [dcgan.DIGITS, wgan.LSUN64, wgan.DIGITS], ids=lambda e: e.name)
def test_released_dcgan_and_wgan_networks_have_no_bias_but_the_norms(experiment):
    players = meta_players(experiment.build, experiment.settings, experiment.image_shape)
    for network in (players.generator, players.critic):
        assert biased(network) == {False}
        assert all(m.bias is not None for m in modules(network, NORMS))


@pytest.mark.parametrize(
    "experiment",
    [*gan.EXPERIMENTS, dcgan.CIFAR10, wgan.CIFAR10, *wgan_gp.EXPERIMENTS, sngan.CIFAR10_CNN, sngan.DIGITS],
    ids=lambda e: e.name,
)
def test_the_other_networks_have_every_bias(experiment):
    players = meta_players(experiment.build, experiment.settings, experiment.image_shape)
    assert biased(players.generator) == biased(players.critic) == {True}


def test_sngan_resnet_critic_lacks_only_the_last_bias():
    critic = meta_players(sngan.build_resnet, sngan.CIFAR10_RESNET.settings, (3, 32, 32)).critic
    assert [name for name, m in critic.named_modules() if isinstance(m, WEIGHTED) and m.bias is None] == [
        "out"
    ]


def test_batch_norm_is_left_out_where_dcgan_leaves_it_out():
    # "all layers except the generator output and the critic input"
    for build, settings in ((dcgan.build, dcgan.DIGITS.settings), (wgan.build, wgan.LSUN64.settings)):
        players = meta_players(build, settings, (3, 64, 64))
        assert len(modules(players.generator, NORMS)) == len(modules(players.generator, WEIGHTED)) - 1
        assert len(modules(players.critic, NORMS)) == len(modules(players.critic, WEIGHTED)) - 2


# --- Initial weights ----------------------------------------------------------------------------------


def assert_normal(weight, std):
    """Mean, spread and tails of N(0, std²)."""
    n = weight.numel()
    assert abs(weight.mean()) < 5 * std / n**0.5
    assert weight.std().item() == pytest.approx(std, rel=5 / n**0.5)
    assert (weight.abs() > std).float().mean().item() == pytest.approx(0.3173, abs=2.5 / n**0.5)


def assert_uniform(weight, bound):
    """Range, mean and spread of U(−bound, bound)."""
    n = weight.numel()
    assert weight.abs().max() <= bound
    assert weight.abs().max().item() == pytest.approx(bound, rel=20 / n)
    assert abs(weight.mean()) < 5 * bound / n**0.5
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=5 / n**0.5)


def cpu_players(experiment):
    return experiment.build(
        experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.25)
    )


def test_gan_initial_weights():
    players = cpu_players(gan.MNIST)
    for network, bound in ((players.generator, 0.05), (players.critic, 0.005)):
        for layer in modules(network, nn.Linear):
            assert_uniform(layer.weight, bound)
            if layer is not players.generator.y:
                assert not layer.bias.any()


def test_gan_output_starts_at_the_mean_image():
    mean = torch.linspace(0, 1, 28 * 28).reshape(1, 28, 28)
    players = gan.build(gan.MNIST.settings, mean.shape, mean)
    torch.testing.assert_close(torch.sigmoid(players.generator.y.bias).reshape(mean.shape), mean)
    assert players.generator.y.bias.isfinite().all()


@pytest.mark.parametrize("experiment", [dcgan.DIGITS, wgan.DIGITS], ids=lambda e: e.name)
def test_dcgan_and_wgan_initial_weights(experiment):
    players = cpu_players(experiment)
    for network in (players.generator, players.critic):
        for layer in modules(network, WEIGHTED):
            assert_normal(layer.weight, 0.02)
        for norm in modules(network, NORMS):
            assert norm.weight.mean().item() == pytest.approx(1, abs=5 * 0.02 / norm.weight.numel() ** 0.5)
            assert norm.weight.std().item() == pytest.approx(0.02, rel=0.5)
            assert not norm.bias.any()


def test_sngan_cnn_initial_weights():
    players = cpu_players(sngan.DIGITS)
    for network in (players.generator, players.critic):
        for layer in modules(network, WEIGHTED):
            assert_normal(layer.weight, 0.02)
            assert not layer.bias.any()
        for norm in modules(network, NORMS):
            assert (norm.weight == 1).all()


@pytest.mark.parametrize(
    ("layer", "fan_in", "fan_out"),
    [
        (nn.Linear(300, 200), 300, 200),
        (nn.Conv2d(20, 30, 3), 20 * 9, 30 * 9),
        (nn.Conv2d(20, 30, 5, stride=2), 20 * 25, 30 * 25 / 4),
        (nn.ConvTranspose2d(20, 30, 5, stride=2), 20 * 25 / 4, 30 * 25),
    ],
    ids=["linear", "convolution", "strided convolution", "strided transposed convolution"],
)
@pytest.mark.parametrize("gain", [1.0, 2**0.5])
def test_glorot_counts_fans_as_tflib_does(layer, fan_in, fan_out, gain):
    layers.init_glorot(layer, gain)
    assert_uniform(layer.weight.detach(), gain * math.sqrt(6 / (fan_in + fan_out)))
    assert not layer.bias.any()


def bounds(network):
    """Largest initial weight of each layer over its Glorot bound; 1 or √2."""
    found = {}
    for name, layer in network.named_modules():
        if isinstance(layer, WEIGHTED):
            weight = layer.weight.detach().abs().max().item()
            layers.init_glorot(layer)
            found[name] = weight / layer.weight.detach().abs().max().item()
    return found


@pytest.mark.parametrize(
    ("experiment", "plain"),
    [
        (wgan_gp.CIFAR10_CNN, {"project", "value"}),
        (wgan_gp.DIGITS, {"project", "value"}),
        (wgan_gp.CIFAR10_RESNET, {"project", "value", "out", "shortcut"}),
        (sngan.CIFAR10_RESNET, {"project", "out", "shortcut"}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_he_scaled_layers(experiment, plain):
    players = cpu_players(experiment)
    for network in (players.generator, players.critic):
        for name, ratio in bounds(network).items():
            expected = 1 if name.rsplit(".", 1)[-1] in plain else 2**0.5
            assert ratio == pytest.approx(expected, rel=0.06), name


def test_spectral_norm_vector_starts_normal_and_unnormalised():
    assert_normal(layers.SNLinear(1, 20_000).u, 1.0)


def test_sngan_running_variance_starts_at_zero():
    players = cpu_players(sngan.DIGITS)
    for norm in modules(players.generator, NORMS):
        assert not norm.running_var.any()
        assert (norm.eps, norm.momentum) == (2e-5, 0.1)


# --- Layers -------------------------------------------------------------------------------------------


def test_same_padding_is_not_symmetric_padding():
    layer = layers.SameConv2d(1, 1, 5, 2)
    x = torch.randn(1, 1, 8, 8)
    shifted = nn.functional.conv2d(x, layer.weight, layer.bias, stride=2, padding=2)
    assert layer(x).shape == shifted.shape
    assert not torch.allclose(layer(x), shifted)
    padded = nn.functional.pad(x, (1, 2, 1, 2))
    torch.testing.assert_close(layer(x), nn.functional.conv2d(padded, layer.weight, layer.bias, stride=2))


def test_transposed_same_convolution_is_the_adjoint():
    down = layers.SameConv2d(2, 3, 5, 2)
    up = layers.SameConvTranspose2d(3, 2)
    up.weight.data.copy_(down.weight.data)
    nn.init.zeros_(down.bias)
    nn.init.zeros_(up.bias)
    x, y = torch.randn(1, 2, 8, 8), torch.randn(1, 3, 4, 4)
    torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum())


# --- Schedules ----------------------------------------------------------------------------------------

RELEASED_WGAN = [100] * 25 + [5] * 475 + [100] + [5] * 100
"""Critic steps of ``main.py`` at G-iterations 0–600."""


def critic_steps_to_600(experiment):
    totals = [experiment.critic_updates(experiment.settings, k) for k in range(602)]
    return [after - before for before, after in itertools.pairwise(totals)]


def test_critic_steps_of_released_wgan():
    assert critic_steps_to_600(wgan.LSUN64) == RELEASED_WGAN


@pytest.mark.parametrize("name", baselines.names())
def test_critic_steps_are_those_of_the_settings(name):
    experiment = baselines.get(name)
    settings = experiment.settings
    constant = [getattr(settings, "critic_steps", 1)] * 601
    released = getattr(settings, "critic_schedule", "constant") == "100/5"
    assert critic_steps_to_600(experiment) == (RELEASED_WGAN if released else constant)


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("gan/mnist", 50_000),
        ("gan/tfd", 0),
        ("gan/cifar10-fc", 40_000),
        ("gan/cifar10-conv", 40_000),
        ("dcgan/mnist-conditional", 50_000),
        ("wgan_gp/mnist", 50_000),
        ("wgan_gp/cifar10-cnn", 0),
    ],
)
def test_images_kept_for_validation_are_not_trained_on(name, images):
    assert baselines.get(name).train_images == images
