"""Convolutions that change the size in one go are the plain ones followed or preceded by the change."""

import pytest
import torch
import torch.nn.functional as F

from baselines import layers


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
