"""Rules for ops that act on elements, reduce them or pool them; each computes in float64 and rounds once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from benchmark.training.portable import functions
from benchmark.training.portable.slicing import require_float32, summable, total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

aten = torch.ops.aten


class Unsupported(NotImplementedError):
    """A case of a known op that has no portable rule."""


def unary(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The rule of a function of `functions`, for the precision of its argument."""
    return lambda x: function(x.double()).to(_floating(x))


def add(a: Any, b: Any, alpha: float = 1) -> Tensor:
    """Sum a + alpha·b with two roundings; fused on some SIMD levels only."""
    return torch.add(a, b if alpha == 1 else b * alpha)


def sub(a: Any, b: Any, alpha: float = 1) -> Tensor:
    """Difference a − alpha·b with two roundings."""
    return torch.sub(a, b if alpha == 1 else b * alpha)


def rsub(a: Tensor, b: Any, alpha: float = 1) -> Tensor:
    """Difference b − alpha·a."""
    return torch.sub(_number(b, a), a if alpha == 1 else a * alpha)


def div(a: Any, b: Any) -> Tensor:
    """True division; by a tensor beside a, since CUDA multiplies by the reciprocal of a CPU scalar."""
    if isinstance(b, Tensor) and b.dim() == 0 and b.device != a.device:
        b = b.to(a.device)
    like = a if a.is_floating_point() else torch.empty((), device=a.device)
    return torch.div(a, b if isinstance(b, Tensor) else _number(b, like))


def lerp(a: Tensor, b: Tensor, weight: Any) -> Tensor:
    """Point a + weight·(b − a)."""
    found: Tensor = a + (b - a) * weight
    return found


def addcmul(a: Tensor, b: Tensor, c: Tensor, value: float = 1) -> Tensor:
    """Sum a + value·(b·c)."""
    return a + (b * c if value == 1 else (b * c) * value)


def addcdiv(a: Tensor, b: Tensor, c: Tensor, value: float = 1) -> Tensor:
    """Sum a + value·(b/c)."""
    return a + (b / c if value == 1 else (b / c) * value)


def relu(x: Tensor) -> Tensor:
    """Give x where it is positive or NaN, else +0: `max(x, 0)` of −0 is another zero on some SIMD levels."""
    return aten.threshold(x, 0.0, 0.0)  # type: ignore[no-any-return]


def with_positive_zero(op: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The rule of an op that picks one of its arguments, whose zeros lose their sign."""
    return lambda *args, **kwargs: op(*args, **kwargs).add_(0.0)


def of_integers(op: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The rule of an op that is exact on integers; real numbers have zeros of two signs, and NaN."""

    def rule(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if x.is_floating_point():
            raise Unsupported("of real numbers")
        return op(x, *args, **kwargs)

    return rule


def rsqrt(x: Tensor) -> Tensor:
    """1/√x, rounded once."""
    return (1.0 / functions.sqrt(x.double())).to(x.dtype)


def power(x: Tensor, n: Any) -> Tensor:
    """x^n for n = ±½, −1, 0, 1, 2 and 3."""
    rules: dict[float, Callable[[], Tensor]] = {
        0.5: lambda: functions.sqrt(x),
        -0.5: lambda: rsqrt(x),
        -1: lambda: 1.0 / x,
        0: lambda: torch.ones_like(x),
        1: lambda: x.clone(),
        2: lambda: x * x,
        3: lambda: (x * x) * x,
    }
    if isinstance(n, Tensor) or n not in rules:
        raise Unsupported(f"the power {n}")
    return rules[n]()


def logit(x: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 − x)) of x clamped to eps … 1 − eps."""
    wide = (x if eps is None else x.clamp(eps, 1 - eps)).double()
    return (functions.log(wide) - functions.log(1.0 - wide)).to(x.dtype)


def tanh_backward(g: Tensor, y: Tensor) -> Tensor:
    """g·(1 − y²)."""
    wide = y.double()
    return wide.mul_(y).neg_().add_(1.0).mul_(g).float()


def sigmoid_backward(g: Tensor, y: Tensor) -> Tensor:
    """g·(1 − y)·y."""
    return (1.0 - y.double()).mul_(y).mul_(g).float()


def softplus(x: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:  # noqa: ARG001
    """log(1 + e^(βx))/β; beyond the threshold as well, where the difference is below half a unit."""
    return (functions.over(functions.softplus(x.double().mul_(beta)), beta)).float()


def softplus_backward(g: Tensor, x: Tensor, beta: float, threshold: float) -> Tensor:  # noqa: ARG001
    """g·σ(βx)."""
    return functions.sigmoid(x.double().mul_(beta)).mul_(g).float()


def sum_(
    x: Tensor, dims: list[int] | None = None, keepdim: bool = False, dtype: torch.dtype | None = None
) -> Tensor:
    """Sum; of whole numbers it is exact anyway."""
    if not x.is_floating_point():
        return x.sum(dtype=dtype) if dims is None else x.sum(dims, keepdim, dtype=dtype)
    return total(x, dims, keepdim).to(dtype or x.dtype)


def mean(
    x: Tensor, dims: list[int] | None = None, keepdim: bool = False, dtype: torch.dtype | None = None
) -> Tensor:
    """Sum over number."""
    y = total(x, dims, keepdim)
    return functions.over(y, x.numel() // max(y.numel(), 1)).to(dtype or x.dtype)


def vector_norm(
    x: Tensor,
    order: float = 2,
    dims: list[int] | None = None,
    keepdim: bool = False,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Euclidean length."""
    if order != 2:
        raise Unsupported(f"the norm of order {order}")
    wide = x.double()
    return functions.sqrt(total(wide * wide, dims, keepdim, spare=True)).to(dtype or x.dtype)


def remainder(x: Tensor, n: float) -> Tensor:
    """Give x − ⌊x/n⌋·n; exact of whole numbers."""
    if not x.is_floating_point():
        return torch.remainder(x, n)
    return x - torch.floor(x / n) * n


def log_softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:  # noqa: ARG001
    """Logits less log Σ e^x, the largest taken off first."""
    wide = x.double()
    wide = wide - wide.amax(dim, keepdim=True)
    return (wide - functions.log(total(functions.exp(wide), [dim], keepdim=True))).to(x.dtype)


def log_softmax_backward(g: Tensor, y: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    """Gradient g − e^y·Σ g."""
    share = functions.exp(y.double())
    return g.double().sub_(share.mul_(total(g, [dim], keepdim=True))).to(dtype)


def nll_loss(
    x: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignore_index: int
) -> tuple[Tensor, Tensor]:
    """Give −x at the targets (`reduction` 0), their mean (1) or sum (2)."""
    if weight is not None or x.dim() != 2 or bool((target == ignore_index).any()):
        raise Unsupported("this nll_loss")
    chosen = x.gather(1, target.unsqueeze(1)).squeeze(1)
    if reduction == 0:
        return -chosen, x.new_zeros(())
    loss, count = -total(chosen), float(len(target))
    return (loss / count if reduction == 1 else loss).to(x.dtype), x.new_full((), count)


def nll_loss_backward(
    g: Tensor,
    x: Tensor,
    target: Tensor,
    weight: Tensor | None,  # noqa: ARG001
    reduction: int,
    ignore_index: int,  # noqa: ARG001
    total_weight: Tensor,
) -> Tensor:
    """−g at the targets, over their number where the loss is a mean."""
    value = -(g / total_weight) if reduction == 1 else -g
    return torch.zeros_like(x).scatter_(1, target.unsqueeze(1), value.expand(len(target)).unsqueeze(1))


def embedding_backward(
    g: Tensor, indices: Tensor, rows: int, padding_idx: int, scale_by_frequency: bool
) -> Tensor:
    """Sums of gradients by row of the table."""
    if padding_idx >= 0 or scale_by_frequency:
        raise Unsupported("this embedding")
    flat = indices.reshape(-1)
    wide = summable(g.reshape(-1, g.shape[-1]), len(flat))
    return wide.new_zeros(rows, g.shape[-1]).index_add_(0, flat, wide).float()


def avg_pool2d(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Tensor:
    """Mean of windows."""
    n = _pool_size(kernel, padding, ceil_mode, count_include_pad, divisor)
    wide = summable(x, kernel[0] * kernel[-1])
    return functions.over(aten.avg_pool2d(wide, kernel, stride, padding, False, True, 1), n).float()


def avg_pool2d_backward(
    g: Tensor,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    """Gradients over the size of the window, summed where windows overlap."""
    n = _pool_size(kernel, padding, ceil_mode, count_include_pad, divisor)
    wide = summable(functions.over(g.double(), n), kernel[0] * kernel[-1])
    return aten.avg_pool2d_backward(wide, x.double(), kernel, stride, padding, False, True, 1).float()  # type: ignore[no-any-return]


def max_pool2d_backward(
    g: Tensor,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """Gradients where the largest was, summed where windows overlap."""
    wide = summable(g, kernel[0] * kernel[-1])
    rest = (kernel, stride, padding, dilation, ceil_mode, indices)
    return aten.max_pool2d_with_indices_backward(wide, x.double(), *rest).float()  # type: ignore[no-any-return]


def adaptive_pool_backward(g: Tensor, x: Tensor, indices: Tensor) -> Tensor:
    """The same of windows that fit the output."""
    wide = summable(g, max(g.shape[-1] * g.shape[-2], 1))
    return aten.adaptive_max_pool2d_backward(wide, x.double(), indices).float()  # type: ignore[no-any-return]


def upsample_backward(g: Tensor, size: Sequence[int], input_size: Sequence[int], *scales: Any) -> Tensor:
    """Sums over the copies that nearest-neighbour enlargement made."""
    copies = math.prod(-(-a // b) + 1 for a, b in zip(size, input_size[2:], strict=True))
    return aten.upsample_nearest2d_backward(summable(g, copies), size, input_size, *scales).float()  # type: ignore[no-any-return]


def _pool_size(
    kernel: Sequence[int], padding: Sequence[int], ceil_mode: bool, include_pad: bool, divisor: int | None
) -> float:
    if ceil_mode or (any(padding) and not include_pad):
        raise Unsupported("this average pooling")
    return float(divisor or kernel[0] * kernel[-1])


def _number(x: Any, like: Tensor) -> Tensor:
    if isinstance(x, Tensor):
        return x
    return torch.full((), x, dtype=like.dtype, device=like.device)


def _floating(x: Tensor) -> torch.dtype:
    if x.dtype != torch.float64:
        require_float32(x)
    return x.dtype
