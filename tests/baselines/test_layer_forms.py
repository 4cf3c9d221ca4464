"""The forms in which layers are computed are the papers' plain ones, with two derivatives."""

import pytest
import torch
import torch.nn.functional as F

from baselines import layers, wgan_gp


def plain_enlarged(x, weight, bias):
    twice = F.interpolate(x, scale_factor=2, mode="nearest")
    return F.conv2d(twice, weight, bias, padding=weight.shape[2] // 2)


def plain_pooled(x, weight, bias):
    return F.avg_pool2d(F.conv2d(x, weight, bias, padding=weight.shape[2] // 2), 2)


def derivatives(operator, *inputs):
    """Result, first derivatives of a nonlinear function of it, and derivatives of a norm of those."""
    inputs = [value.clone().requires_grad_() for value in inputs]
    y = operator(*inputs)
    first = torch.autograd.grad(y.sin().sum(), inputs, create_graph=True)
    second = torch.autograd.grad(sum(g.pow(3).sum() for g in first), inputs)
    return [y, *first, *second]


PAIRS = [(layers.enlarged, plain_enlarged), (layers.pooled, plain_pooled)]


class OnGpu(torch.Tensor):
    """A tensor that says it is on a GPU, for which layers have forms of their own."""

    is_cuda = True


@pytest.mark.parametrize(("operator", "plain"), PAIRS)
@pytest.mark.parametrize("kernel", [1, 3])
def test_the_form_for_gpus_equals_the_plain_one(operator, plain, kernel):
    shapes = (2, 3, 6, 4), (5, 3, kernel, kernel), (5,)
    x, weight, bias = (torch.randn(s, dtype=torch.float64) for s in shapes)
    found = operator(x.as_subclass(OnGpu), weight, bias).as_subclass(torch.Tensor)
    torch.testing.assert_close(found, plain(x, weight, bias), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("operator", "plain"), PAIRS)
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_equals_the_plain_form_with_two_derivatives(operator, plain, kernel, memory_format):
    random = torch.Generator().manual_seed(0)
    shapes = (2, 3, 6, 4), (5, 3, kernel, kernel), (5,)
    x, weight, bias = (torch.randn(s, generator=random, dtype=torch.float64) for s in shapes)
    x, weight = x.to(memory_format=memory_format), weight.to(memory_format=memory_format)
    for found, expected in zip(
        derivatives(operator, x, weight, bias), derivatives(plain, x, weight, bias), strict=True
    ):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()
    assert operator(x, weight, None).equal(operator(x, weight, torch.zeros_like(bias)))


@pytest.mark.parametrize(("operator", "plain"), PAIRS)
def test_spectral_norm_is_that_of_the_3x3_weight(operator, plain):
    layer = layers.SNConv2d(3, 5, 3).double()
    x, u = torch.randn(2, 3, 6, 4, dtype=torch.float64), layer.u.clone()
    sigma, after = layers.spectral_norm_step(layer.weight, u)
    torch.testing.assert_close(layer(x, operator), plain(x, layer.weight / sigma, layer.bias))
    assert layer.u.equal(after)


# --- TensorFlow's SAME padding ------------------------------------------------------------------------


def plain_same(layer, x):
    """5×5 stride 2: one row and column before, two after; of 7 pixels two and two."""
    before, after = (2, 2) if x.shape[2] % 2 else (1, 2)
    return F.conv2d(F.pad(x, (before, after) * 2), layer.weight, layer.bias, stride=2)


def plain_same_transposed(layer, x):
    full = F.conv_transpose2d(x, layer.weight, layer.bias, stride=2)  # 2H + 3
    return full[:, :, 1:-2, 1:-2]


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize(
    ("layer", "plain"),
    [
        (layers.SameConv2d(3, 4, 5, 2), plain_same),
        (layers.SameConvTranspose2d(3, 4), plain_same_transposed),
    ],
)
def test_same_layers_equal_the_padded_or_cropped_ones_with_two_derivatives(layer, plain, side):
    layer.double()
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    one, other = derivatives(layer, x), derivatives(lambda x: plain(layer, x), x)
    for found, expected in zip(one, other, strict=True):
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_mnist_networks_mirror_twice():
    settings = wgan_gp.DIGITS.settings
    z = torch.randn(2, settings.latent, dtype=torch.float64)
    generator = wgan_gp.MnistGenerator(settings).double()
    h = F.relu(generator.project(z)).reshape(-1, generator.widest, 4, 4)
    h = F.relu(plain_same_transposed(generator.up1, h))[:, :, :7, :7]
    h = F.relu(plain_same_transposed(generator.up2, h))
    x = torch.sigmoid(plain_same_transposed(generator.up3, h))
    torch.testing.assert_close(generator(z), x, rtol=1e-12, atol=1e-12)
    critic = wgan_gp.MnistCritic(settings).double()
    found = critic(x)
    for layer in (critic.down1, critic.down2, critic.down3):
        x = F.leaky_relu(plain_same(layer, x), 0.2)
    torch.testing.assert_close(found, critic.value(x.flatten(1)).squeeze(1), rtol=1e-12, atol=1e-12)
