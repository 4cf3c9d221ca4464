"""Batch and group normalisation and their gradients in float64, from sums that are exact.

x̂ = (x − mean)·invstd is computed in float64 from float32 inputs and rounded once, after gain and offset.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmark.training.portable.functions import over, sqrt
from benchmark.training.portable.slicing import require_float32, total

if TYPE_CHECKING:
    from torch import Tensor


def batch_norm(
    x: Tensor,
    gain: Tensor | None,
    offset: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """`aten::native_batch_norm`: result, mean and 1/√(var + ε) of [B, C, ...]; moves the running averages."""
    require_float32(x)
    dims, shape, n = _per_channel(x)
    if training:
        mean, var, centred = _moments(x, dims, n)
        if running_mean is not None and running_var is not None:
            _move(running_mean, mean, momentum)
            _move(running_var, over(var * n, max(n - 1, 1)), momentum)
        invstd = 1.0 / sqrt(var + eps)
        saved = mean.float(), invstd.float()
    else:
        mean, invstd = _running(running_mean, running_var, eps)
        centred = x.double().sub_(mean.view(shape))
        saved = x.new_empty(0), x.new_empty(0)
    y = centred.mul_(invstd.view(shape))
    return _affine(y, gain, offset, shape).float(), *saved


def batch_norm_backward(
    g: Tensor,
    x: Tensor,
    gain: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    saved_mean: Tensor | None,
    saved_invstd: Tensor | None,
    training: bool,
    eps: float,
    mask: list[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """`aten::native_batch_norm_backward`: gradients in x, gain and offset."""
    dims, shape, n = _per_channel(x)
    if training:
        assert saved_mean is not None
        assert saved_invstd is not None
        mean, invstd = saved_mean.double(), saved_invstd.double()
    else:
        mean, invstd = _running(running_mean, running_var, eps)
    normed = x.double().sub_(mean.view(shape)).mul_(invstd.view(shape))
    offset_grad, gain_grad = total(g, dims), total(normed * g, dims, spare=True)
    x_grad = None
    if mask[0]:
        factor = invstd if gain is None else invstd * gain
        x_grad = g.double()
        if training:
            normed.mul_(over(gain_grad, n).view(shape))
            x_grad = x_grad.sub_(over(offset_grad, n).view(shape)).sub_(normed)
        x_grad = x_grad.mul_(factor.view(shape)).float()
    return x_grad, gain_grad.float() if mask[1] else None, offset_grad.float() if mask[2] else None


def group_norm(
    x: Tensor,
    gain: Tensor | None,
    offset: Tensor | None,
    b: int,
    c: int,
    places: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """`aten::native_group_norm`: result, mean and 1/√(var + ε) [B, groups] of [B, C, ...]."""
    require_float32(x)
    grouped, n = x.reshape(b, groups, -1), c // groups * places
    mean, var, centred = _moments(grouped, [2], n)
    invstd = 1.0 / sqrt(var + eps)
    y = centred.mul_(invstd.unsqueeze(2)).view(x.shape)
    y = _affine(y, gain, offset, [1, c] + [1] * (x.dim() - 2))
    return y.float(), mean.float(), invstd.float()


def group_norm_backward(
    g: Tensor,
    x: Tensor,
    saved_mean: Tensor,
    saved_invstd: Tensor,
    gain: Tensor | None,
    b: int,
    c: int,
    places: int,
    groups: int,
    mask: list[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """`aten::native_group_norm_backward`: gradients in x, gain and offset."""
    n = c // groups * places
    mean, invstd = saved_mean.double().unsqueeze(2), saved_invstd.double().unsqueeze(2)
    normed = (x.reshape(b, groups, n).double() - mean).mul_(invstd)
    by_channel = g.reshape(b, c, places).double()
    gain_grad = total(normed.view(b, c, places) * by_channel, [0, 2], spare=True).float() if mask[1] else None
    offset_grad = total(by_channel, [0, 2]).float() if mask[2] else None
    x_grad = None
    if mask[0]:
        scaled = by_channel if gain is None else by_channel * gain.view(1, c, 1)
        scaled = scaled.reshape(b, groups, n)
        along = over(total(scaled * normed, [2], keepdim=True, spare=True), n)
        x_grad = (scaled - over(total(scaled, [2], keepdim=True), n)).sub_(normed.mul_(along)).mul_(invstd)
        x_grad = x_grad.float().view(x.shape)
    return x_grad, gain_grad, offset_grad


def _moments(x: Tensor, dims: list[int], n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and (population) variance over `dims`, and x less the mean; float64."""
    mean = over(total(x, dims, keepdim=True), n)
    centred = x.double().sub_(mean)
    var = over(total(centred * centred, dims, spare=True), n)
    return mean.view(var.shape), var, centred


def _running(mean: Tensor | None, var: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    """Mean and 1/√(var + ε) of running averages, float64."""
    assert mean is not None
    assert var is not None
    return mean.double(), 1.0 / sqrt(var.double() + eps)


def _move(average: Tensor, value: Tensor, momentum: float) -> None:
    average.copy_(average.double().mul_(1 - momentum).add_(value * momentum))


def _affine(y: Tensor, gain: Tensor | None, offset: Tensor | None, shape: list[int]) -> Tensor:
    if gain is not None:
        y.mul_(gain.view(shape))
    if offset is not None:
        y.add_(offset.view(shape))
    return y


def _per_channel(x: Tensor) -> tuple[list[int], list[int], int]:
    """All dimensions but 1; the shape that broadcasts [C] over x; elements per channel."""
    dims = [d for d in range(x.dim()) if d != 1]
    return dims, [1, -1] + [1] * (x.dim() - 2), math.prod(x.shape[d] for d in dims)
