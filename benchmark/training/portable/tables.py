"""What becomes of every op: four tables, by its name in `aten`. What is in none of them is refused.

*Exact* ops move, choose, compare or create numbers. *Rounded* ones round once per element, as IEEE says. Of
*replaced* ones the result depends on an order of summation, the SIMD level or a maths library; a rule of ours
computes them. *In place* are forms of replaced ones that write to their first argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from benchmark.training.portable import convolution as conv
from benchmark.training.portable import elementwise as e
from benchmark.training.portable import functions, norms
from benchmark.training.portable.slicing import product

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

aten = torch.ops.aten


def convolution(
    x: Tensor,
    w: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """`aten::convolution` of images, without groups."""
    _require_plain(x, groups)
    if transposed:
        size = [
            (x.shape[2 + i] - 1) * stride[i]
            - 2 * padding[i]
            + dilation[i] * (w.shape[2 + i] - 1)
            + output_padding[i]
            + 1
            for i in range(2)
        ]
        y = conv.adjoint(x, w, stride, padding, dilation, size)
    else:
        y = conv.correlate(x, w, stride, padding, dilation)
    return y if bias is None else y.add_(bias.view(1, -1, 1, 1))


def convolution_backward(
    g: Tensor,
    x: Tensor,
    w: Tensor,
    bias_sizes: Sequence[int] | None,  # noqa: ARG001
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],  # noqa: ARG001
    groups: int,
    mask: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Its gradients in x, w and bias."""
    _require_plain(x, groups)
    x_grad = w_grad = None
    if mask[0] and transposed:
        x_grad = conv.correlate(g, w, stride, padding, dilation)
    elif mask[0]:
        x_grad = conv.adjoint(g, w, stride, padding, dilation, x.shape[2:])
    if mask[1]:
        a, b = (x, g) if transposed else (g, x)
        w_grad = conv.weight_gradient(a, b, w.shape[2:], stride, padding, dilation)
    return x_grad, w_grad, e.sum_(g, [0, 2, 3]) if mask[2] else None


def _require_plain(x: Tensor, groups: int) -> None:
    if x.dim() != 4 or groups != 1:
        raise e.Unsupported("a convolution that is not 2-d or has groups")


def addmm(c: Tensor, a: Tensor, b: Tensor, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta·c + alpha·(a·b), rounded once."""
    y = product(a, b)
    y = y if alpha == 1 else y.mul_(alpha)
    return y.add_(c if beta == 1 else c.double() * beta).float()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


EXACT = _names("""
    _local_scalar_dense _pin_memory _record_function_enter_new _record_function_exit _reshape_alias _to_copy
    _unsafe_view is_pinned pin_memory
    adaptive_max_pool2d alias all aminmax any arange argmax as_strided bitwise_and bitwise_not cat clone
    constant_pad_nd copy_ detach detach_ embedding empty empty_like empty_strided eq equal expand eye fill_
    flip
    full full_like gather ge gt index index_select isfinite isnan le lift_fresh logical_and logical_and_
    logical_not logical_or lt masked_fill masked_fill_ max_pool2d_with_indices ne new_empty new_empty_strided
    new_full new_ones new_zeros ones ones_like permute pixel_shuffle pixel_unshuffle repeat reshape roll
    scalar_tensor scatter scatter_ select select_backward select_scatter set_ signbit slice slice_backward
    slice_scatter split split_with_sizes squeeze stack t transpose tril triu unbind unsqueeze unsqueeze_
    upsample_nearest2d view where zero_ zeros zeros_like
""")
ROUNDED = _names("""
    abs ceil floor leaky_relu leaky_relu_backward mul mul_ neg neg_ round sign threshold threshold_backward
""")
REPLACED: dict[str, Callable[..., Any]] = {
    "convolution": convolution,
    "convolution_backward": convolution_backward,
    "mm": lambda a, b: product(a, b).float(),
    "bmm": lambda a, b: product(a, b).float(),
    "mv": lambda a, b: product(a, b.unsqueeze(1)).squeeze(1).float(),
    "dot": lambda a, b: product(a.unsqueeze(0), b.unsqueeze(1)).view(()).float(),
    "addmm": addmm,
    "native_batch_norm": norms.batch_norm,
    "native_batch_norm_backward": norms.batch_norm_backward,
    "native_group_norm": norms.group_norm,
    "native_group_norm_backward": norms.group_norm_backward,
    "sum": e.sum_,
    "mean": e.mean,
    "linalg_vector_norm": e.vector_norm,
    "norm": e.vector_norm,
    "pow": e.power,
    "sqrt": functions.sqrt,
    "rsqrt": e.rsqrt,
    "exp": e.unary(functions.exp),
    "log": e.unary(functions.log),
    "cos": e.unary(functions.cos),
    "sin": e.unary(functions.sin),
    "tanh": e.unary(functions.tanh),
    "sigmoid": e.unary(functions.sigmoid),
    "logit": e.logit,
    "softplus": e.softplus,
    "tanh_backward": e.tanh_backward,
    "sigmoid_backward": e.sigmoid_backward,
    "softplus_backward": e.softplus_backward,
    "_log_softmax": e.log_softmax,
    "_log_softmax_backward_data": e.log_softmax_backward,
    "nll_loss_forward": e.nll_loss,
    "nll_loss_backward": e.nll_loss_backward,
    "embedding_dense_backward": e.embedding_backward,
    "avg_pool2d": e.avg_pool2d,
    "avg_pool2d_backward": e.avg_pool2d_backward,
    "max_pool2d_with_indices_backward": e.max_pool2d_backward,
    "adaptive_max_pool2d_backward": e.adaptive_pool_backward,
    "upsample_nearest2d_backward": e.upsample_backward,
    "add": e.add,
    "sub": e.sub,
    "rsub": e.rsub,
    "div": e.div,
    "reciprocal": lambda x: e.div(torch.ones_like(x), x),
    "remainder": e.remainder,
    "lerp": e.lerp,
    "addcmul": e.addcmul,
    "addcdiv": e.addcdiv,
    "relu": e.relu,
    "min": e.of_integers(aten.min),
    "max": e.of_integers(aten.max),
    **{
        name: e.with_positive_zero(getattr(aten, name))
        for name in ("amax", "amin", "clamp", "clamp_max", "clamp_min", "maximum", "minimum")
    },
}
IN_PLACE = _names("""
    add_ addcdiv_ addcmul_ clamp_ clamp_max_ clamp_min_ div_ exp_ lerp_ log_ pow_ reciprocal_ relu_ sigmoid_
    sqrt_
    sub_ tanh_
""")
FOREACH = _names("add addcdiv addcmul clamp_max clamp_min div lerp mul neg sqrt sub")
"""Ops whose form for lists is their single form, one tensor after the other."""
