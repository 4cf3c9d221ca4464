"""GAN on CIFAR-10: the convolutional networks, initial weights, contrast normalisation."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from baselines.variants import gan_cifar10

FC, CONV = gan_cifar10.CIFAR10_FC, gan_cifar10.CIFAR10_CONV


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def narrow(revise):
    """The experiment with small layers and a small batch, otherwise as declared."""

    def make(experiment):
        widths = {"batch": 3, "generator_units": 200, "maxout_units": 6}
        if experiment is CONV:
            widths |= {"critic_channels": (4, 4, 6)}
        return dataclasses.replace(experiment, settings=revise(experiment.settings, **widths))

    return make


def build(experiment, device="cpu"):
    with torch.device(device):
        shape = experiment.image_shape
        return experiment.build(experiment.settings, shape, torch.full(shape, 0.25))


# --- Networks -----------------------------------------------------------------------------------------


def test_untied_bias_and_stride_three_transposed_convolution(narrow):
    generator = build(narrow(CONV)).generator
    assert generator.y.untied_bias.shape == (3, 32, 32)
    assert generator.y.bias is None
    nn.init.normal_(generator.y.untied_bias)
    z = torch.randn(2, 100)
    maps = generator.stem(z).reshape(2, 2, 10, 10)
    expected = generator.y.untied_bias.detach().repeat(2, 1, 1, 1)
    for i in range(10):
        for j in range(10):
            patch = torch.einsum("bm,mcyx->bcyx", maps[:, :, i, j], generator.y.weight)
            expected[:, :, 3 * i : 3 * i + 5, 3 * j : 3 * j + 5] += patch.detach()
    torch.testing.assert_close(generator(z), expected)


def test_maxout_convolution_against_an_explicit_maximum():
    layer = gan_cifar10.MaxoutConv2d(3, 4, 2, kernel=5, padding=3, pool=2)
    x = torch.randn(2, 3, 7, 7)
    pieces = F.conv2d(x, layer.weight, layer.bias, padding=3)
    assert pieces.shape == (2, 8, 9, 9)
    expected = torch.empty(2, 4, 5, 5)
    for channel in range(4):
        for i in range(5):
            for j in range(5):
                window = pieces[:, 2 * channel : 2 * channel + 2, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                expected[:, channel, i, j] = window.amax((1, 2, 3))
    torch.testing.assert_close(layer(x), expected)


def test_pooling_keeps_partial_windows(narrow):
    critic = build(narrow(CONV)).critic
    sizes, convolved = [], []
    x = torch.randn(2, 3, 32, 32)
    for layer in (critic.h0, critic.h1, critic.h2):
        convolved.append(F.conv2d(x, layer.weight, padding=layer.padding).shape[2])
        x = layer(x)
        sizes.append(x.shape[2])
    assert (convolved, sizes) == ([33, 15, 9], [16, 7, 5])


def test_convolutional_critic_drops_single_activations(narrow):
    class KeepAll:
        asked = ()

        def keep(self, probability, *shape):
            self.asked = (*self.asked, (probability, shape))
            return torch.ones(shape)

    critic, draws = build(narrow(CONV)).critic, KeepAll()
    x = torch.randn(2, 3, 32, 32)
    dropped = critic(x, draws)
    assert draws.asked == (
        (0.8, (2, 3, 32, 32)),
        (0.5, (2, 4, 16, 16)),
        (0.5, (2, 4, 7, 7)),
        (0.5, (2, 6, 5, 5)),
        (0.5, (2, 6)),
    )
    h = critic.h2(2 * critic.h1(2 * critic.h0(1.25 * x)))
    torch.testing.assert_close(dropped, critic.y(2 * critic.h3(2 * h.flatten(1))).squeeze(1))


# --- Initial weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("experiment", "output"), [(FC, 0.5), (CONV, 0.05)], ids=lambda v: getattr(v, "name", None)
)
def test_uniform_initial_weights(narrow, experiment, output):
    players = build(narrow(experiment))
    generator = players.generator
    bounds = {generator.stem.h0: 0.05, generator.stem.h1: 0.05, generator.y: output}
    bounds |= {m: 0.005 for m in players.critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    for layer, bound in bounds.items():
        largest = layer.weight.abs().max().item()
        assert largest <= bound
        assert largest > bound * (1 - 30 / layer.weight.numel())
        assert layer.bias is None or not layer.bias.any()
    assert experiment is not CONV or not generator.y.untied_bias.any()


# --- Contrast normalisation ---------------------------------------------------------------------------


def test_contrast_normalised_images_have_mean_zero_and_norm_55():
    images = torch.randint(256, (6, 3, 32, 32), dtype=torch.uint8)
    images[0] = images[0] // 16 + 100
    x = gan_cifar10.contrast_normalised(images, 55.0)
    assert x.shape == images.shape
    torch.testing.assert_close(x.flatten(1).mean(1), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.flatten(1).norm(dim=1), torch.full((6,), 55.0))
    # One number per image over all channels, so a root mean square of about .992.
    assert x.square().mean().sqrt().item() == pytest.approx(55 / math.sqrt(3072), rel=1e-5)
    image = images[0].double()
    expected = 55 * (image - image.mean()) / (image - image.mean()).norm()
    torch.testing.assert_close(x[0], expected.float(), rtol=1e-4, atol=1e-5)


def test_contrast_normalisation_is_as_exact_as_the_numerics():
    """A probe in float64 may differ between machines by 10⁻⁹, which float32 norms would use up."""
    images = torch.randint(256, (6, 3, 32, 32), dtype=torch.uint8)
    single = gan_cifar10.contrast_normalised(images, 55.0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        double = gan_cifar10.contrast_normalised(images, 55.0)
    finally:
        torch.set_default_dtype(before)
    torch.testing.assert_close(
        double.flatten(1).norm(dim=1), torch.full((6,), 55.0).double(), rtol=1e-14, atol=0
    )
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, double.float())


def test_brightness_and_contrast_do_not_matter_and_a_flat_image_stays_zero():
    images = torch.randint(100, (1, 3, 32, 32), dtype=torch.uint8)
    x = gan_cifar10.contrast_normalised(
        torch.cat((images, 2 * images + 30, torch.full_like(images, 77))), 55.0
    )
    torch.testing.assert_close(x[0], x[1], rtol=1e-4, atol=1e-4)
    assert not x[2].any()


@pytest.mark.parametrize("experiment", [FC, CONV], ids=lambda e: e.name)
def test_critic_sees_contrast_normalised_images_and_unbounded_fakes(narrow, synthetic, trace, experiment):
    experiment = narrow(experiment)
    players = build(experiment)
    with torch.no_grad():
        for p in players.generator.y.parameters():
            p.mul_(100)
    recorded = trace(players)
    experiment.iterate(experiment.settings, players, 0, synthetic(experiment))
    real, fake = recorded.critic_inputs
    expected = gan_cifar10.contrast_normalised(synthetic(experiment).images(), 55.0)
    assert torch.equal(real, expected)
    assert torch.equal(fake, recorded.generated[0])
    assert fake.abs().max() > experiment.image_range[1]
