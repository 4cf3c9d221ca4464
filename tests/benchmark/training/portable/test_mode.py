"""The mode from outside: values and gradients of torch's functions, layouts, refusals, divergence.

The oracle is torch in float64 without the mode.
"""

import math

import pytest
import torch
import torch.nn.functional as F

from benchmark.errors import UserError
from benchmark.training.portable import Portable, selftest


def conv(stride=1, padding=0, dilation=1):
    return lambda x, w, b: F.conv2d(x, w, b, stride, padding, dilation)


def transposed(stride=1, padding=0, output_padding=0, dilation=1):
    return lambda x, w, b: F.conv_transpose2d(x, w, b, stride, padding, output_padding, 1, dilation)


def batch_norm(training):
    def function(x, gain, offset, mean, var):
        return F.batch_norm(
            x, mean.detach().clone(), var.detach().clone().abs(), gain, offset, training, 0.1, 1e-4
        )

    return function


WEIGHTS = torch.linspace(0.5, 2, 2000)
CLASSES = torch.arange(7) % 4


FUNCTIONS = {
    "conv 3x3": (conv(1, 1), (3, 4, 6, 7), (5, 4, 3, 3), (5,)),
    "conv 5x5 stride 2": (conv(2, 2), (3, 4, 9, 8), (5, 4, 5, 5), (5,)),
    "conv 4x4 stride 2": (conv(2, 1), (3, 4, 8, 8), (5, 4, 4, 4), (5,)),
    "conv 1x1": (conv(), (3, 4, 5, 5), (6, 4, 1, 1), (6,)),
    "conv 1x1 stride 2": (conv(2), (3, 4, 5, 5), (6, 4, 1, 1), (6,)),
    "conv whole image": (conv(), (3, 4, 4, 4), (6, 4, 4, 4), (6,)),
    "conv dilated": (conv(1, 2, 2), (3, 4, 8, 8), (5, 4, 3, 3), (5,)),
    "conv more padding than kernel": (conv(1, 3), (3, 4, 5, 5), (5, 4, 3, 3), (5,)),
    "conv uneven": (conv((2, 1), (0, 2)), (3, 4, 8, 6), (5, 4, 2, 3), (5,)),
    "conv leaves a rest": (conv(3, 1), (2, 2, 10, 10), (3, 2, 3, 3), (3,)),
    "transposed 5x5": (transposed(2, 2, 1), (3, 4, 4, 4), (4, 5, 5, 5), (5,)),
    "transposed 4x4": (transposed(2, 1), (3, 4, 4, 4), (4, 5, 4, 4), (5,)),
    "transposed stride 1": (transposed(), (3, 4, 1, 1), (4, 5, 4, 4), (5,)),
    "transposed dilated": (transposed(2, 1, 1, 2), (2, 3, 4, 4), (3, 2, 3, 3), (2,)),
    "linear": (F.linear, (6, 7), (5, 7), (5,)),
    "matmul": (torch.matmul, (6, 7), (7, 3)),
    "bmm": (torch.bmm, (2, 6, 7), (2, 7, 3)),
    "mv": (torch.mv, (6, 7), (7,)),
    "dot": (torch.dot, (7,), (7,)),
    "batch norm": (batch_norm(True), (6, 4, 3, 3), (4,), (4,), (4,), (4,)),
    "batch norm of features": (batch_norm(True), (9, 4), (4,), (4,), (4,), (4,)),
    "batch norm, running": (batch_norm(False), (6, 4, 3, 3), (4,), (4,), (4,), (4,)),
    "group norm": (lambda x, g, b: F.group_norm(x, 1, g, b), (5, 4, 3, 3), (4,), (4,)),
    "group norm, two groups": (lambda x, g, b: F.group_norm(x, 2, g, b), (5, 4, 3, 3), (4,), (4,)),
    "mean": (lambda x: x.mean((2, 3)), (3, 4, 5, 5)),
    "sum": (lambda x: x.sum() + x.sum(1).sum(), (3, 4)),
    "norm": (lambda x: x.norm(2, dim=1), (5, 7)),
    "avg pool": (lambda x: F.avg_pool2d(x, 2), (3, 4, 6, 6)),
    "avg pool overlapping": (lambda x: F.avg_pool2d(x, 3, 2, 1), (3, 4, 7, 7)),
    "max pool": (lambda x: F.max_pool2d(x, 2), (3, 4, 6, 6)),
    "max pool overlapping": (lambda x: F.max_pool2d(x, 3, 2), (3, 4, 7, 7)),
    "adaptive max pool": (lambda x: F.adaptive_max_pool2d(x, 2), (3, 4, 6, 6)),
    "upsample": (lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), (3, 4, 3, 3)),
    "softplus": (F.softplus, (40,)),
    "sigmoid": (torch.sigmoid, (40,)),
    "tanh": (torch.tanh, (40,)),
    "exp": (torch.exp, (40,)),
    "log": (lambda x: (x * x + 0.1).log(), (40,)),
    "sqrt": (lambda x: (x * x + 0.1).sqrt(), (40,)),
    "rsqrt": (lambda x: (x * x + 0.1).rsqrt(), (40,)),
    "square": (lambda x: (x - 1) ** 2, (40,)),
    "relu": (F.relu, (40,)),
    "leaky relu": (lambda x: F.leaky_relu(x, 0.2), (40,)),
    "clamp": (lambda x: x.clamp(-0.5, 0.5), (40,)),
    "maxout": (lambda x: x.view(4, 5, 2).amax(2), (40,)),
    "quotient": (lambda a, b: a / (b * b + 1), (5, 6), (6,)),
    "alpha": (
        lambda a, b: torch.add(a, b, alpha=0.3) - torch.sub(a, b, alpha=0.7) + torch.rsub(a, b),
        (9,),
        (9,),
    ),
    "lerp": (lambda a, b: torch.lerp(a, b, 0.3) + torch.addcmul(a, b, b, value=0.3), (9,), (9,)),
    "cross-entropy": (lambda x: F.cross_entropy(x, CLASSES), (7, 4)),
    "cross-entropy, summed": (lambda x: F.cross_entropy(x, CLASSES, reduction="sum"), (7, 4)),
    "cross-entropy, of each": (lambda x: F.cross_entropy(x, CLASSES, reduction="none"), (7, 4)),
    "cos and sin": (lambda x: (3 * x).cos() + (5 * x).sin(), (40,)),
    "remainder": (lambda x: x.detach().floor() % 3 + x, (40,)),
    "embedding": (lambda t: F.embedding(torch.tensor([[0, 2], [2, 1]]), t), (4, 3)),
    "pad and cut": (lambda x: F.pad(x, (1, 2, 1, 0))[:, :, 1:, :-1], (2, 3, 4, 4)),
}
NO_SECOND_DERIVATIVE = {
    "adaptive max pool",
    "max pool",
    "max pool overlapping",
    "cross-entropy",
    "cross-entropy, summed",
    "cross-entropy, of each",
}


def tensors(shapes, dtype, layout=torch.contiguous_format):
    generator = torch.Generator().manual_seed(3)
    found = [torch.randn(shape, generator=generator) for shape in shapes]
    return [(x.to(memory_format=layout) if x.dim() == 4 else x).to(dtype).requires_grad_() for x in found]


def results(function, inputs, second=True):
    """Value, gradients, and gradients of their squared length."""
    y = function(*inputs)
    weights = WEIGHTS[: y.numel()].view(y.shape).to(y.dtype)
    first = torch.autograd.grad((y * y * weights).sum(), inputs, create_graph=second, allow_unused=True)
    first = [g for g in first if g is not None]
    if not second:
        return [y, *first]
    penalty = torch.stack([(g * g).sum() for g in first]).sum()
    return [y, *first, *(g for g in torch.autograd.grad(penalty, inputs, allow_unused=True) if g is not None)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_both_derivatives_are_those_of_float64(name):
    function, *shapes = FUNCTIONS[name]
    second = name not in NO_SECOND_DERIVATIVE
    expected = results(function, tensors(shapes, torch.float64), second)
    inputs = tensors(shapes, torch.float32)
    with Portable(name):
        found = results(function, inputs, second)
    assert len(found) == len(expected)
    for ours, true in zip(found, expected, strict=True):
        assert ours.dtype == torch.float32
        assert (ours.double() - true).abs().max() <= 1e-5 * true.abs().max().clamp(min=1e-3)


@pytest.mark.parametrize("name", [n for n, (_, *shapes) in FUNCTIONS.items() if len(shapes[0]) == 4])
def test_the_memory_format_changes_no_bit(name):
    function, *shapes = FUNCTIONS[name]
    second = name not in NO_SECOND_DERIVATIVE
    inputs = [
        tensors(shapes, torch.float32, layout) for layout in (torch.contiguous_format, torch.channels_last)
    ]
    with Portable(name):
        one, other = (results(function, x, second) for x in inputs)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", ["conv 3x3", "conv 5x5 stride 2", "transposed 5x5", "linear", "avg pool"])
def test_an_image_does_not_depend_on_the_others_but_by_the_scale(name):
    function, *shapes = FUNCTIONS[name]
    x, *rest = (t.detach() for t in tensors(shapes, torch.float32))
    with Portable(name):
        whole, turned = function(x, *rest), function(x.flip(0), *rest)
    assert torch.equal(turned, whole.flip(0))


def test_weight_gradients_of_more_samples_than_the_buffer_holds(monkeypatch):
    from benchmark.training.portable import convolution

    function, *shapes = FUNCTIONS["conv 5x5 stride 2"]
    expected = results(function, tensors(shapes, torch.float64))
    monkeypatch.setattr(convolution, "BUFFER", 1)
    inputs = tensors(shapes, torch.float32)
    with Portable("x"):
        found = results(function, inputs)
    for ours, true in zip(found, expected, strict=True):
        assert (ours.double() - true).abs().max() <= 1e-5 * true.abs().max()


def test_zeros_have_one_sign_after_a_choice():
    zeros = torch.tensor([-0.0, 0.0])
    with Portable("x"):
        for y in (
            F.relu(zeros),
            zeros.clamp(min=0),
            torch.maximum(zeros, -zeros),
            zeros.amax(0, keepdim=True),
        ):
            assert not torch.signbit(y).any()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    "name", ["conv 3x3", "transposed 5x5", "linear", "batch norm", "softplus", "mean", "norm"]
)
def test_what_is_not_finite_reaches_the_result(name, bad):
    function, *shapes = FUNCTIONS[name]
    inputs = [t.detach() for t in tensors(shapes, torch.float32)]
    inputs[0].view(-1)[0] = bad
    with Portable(name):
        y = function(*inputs)
    assert not y.isfinite().all()


@pytest.mark.parametrize(
    ("function", "op"),
    [
        (lambda: torch.erf(torch.ones(3)), "aten.erf.default"),
        (lambda: torch.cumsum(torch.ones(3), 0), "aten.cumsum.default"),
        (lambda: torch.ones(3).pow(0.3), "aten.pow.Tensor_Scalar"),
        (lambda: F.conv1d(torch.ones(1, 2, 5), torch.ones(1, 2, 3)), "aten.convolution.default"),
        (
            lambda: F.conv2d(torch.ones(1, 2, 5, 5), torch.ones(2, 1, 3, 3), groups=2),
            "aten.convolution.default",
        ),
        (lambda: torch.ones(2, 2).double() @ torch.ones(2, 2).double(), "aten.mm.default"),
        (lambda: torch.randn(3), "aten.randn.default"),
        (lambda: torch.ones(3).max(), "aten.max.default"),
    ],
)
def test_what_is_in_no_table_is_refused_by_name(function, op):
    with Portable("their/experiment"), pytest.raises(UserError) as refused:
        function()
    assert op in refused.value.what
    assert "their/experiment" in str(refused.value)


def test_of_integers_the_smallest_and_largest_are_exact():
    """torch 2.6 asks for both where classes become one-hot."""
    classes = torch.tensor([2, 0, 1])
    with Portable("their/experiment"):
        assert (classes.min(), classes.max()) == (0, 2)


def test_the_library_may_be_wrong_where_it_is_replaced(monkeypatch):
    x = torch.linspace(-3, 3, 50)
    with Portable("x"):
        expected = F.softplus(x)
    library = torch.ops.aten.softplus
    monkeypatch.setattr(torch, "exp", lambda t: library(t) * (1 + 2.0**-20))
    monkeypatch.setattr(torch.ops.aten, "softplus", lambda *a: library(*a) * (1 + 2.0**-20))
    with Portable("x"):
        found = F.softplus(x)
    assert torch.equal(found, expected)


def test_this_machine_passes_the_self_test_and_a_wrong_one_does_not(monkeypatch):
    selftest.check()
    monkeypatch.setitem(selftest.EXPECTED, "exp", "0" * 64)
    with pytest.raises(UserError, match="exp does not give the bits"):
        selftest.check()


def test_flush_to_zero_is_refused():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush")
    try:
        with pytest.raises(UserError, match=r"IEEE 754|flushed"):
            selftest.check()
    finally:
        torch.set_flush_denormal(False)
