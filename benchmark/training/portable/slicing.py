"""Sums and products that are exact in float64, so that no order, thread count or library changes them.

Error-free slicing after Ozaki, Ogita, Oishi & Rump (Numerical Algorithms 59, 2012): an operand is rounded to
whole units, a power of two each. Products of slices of p and q bits are whole, and n of them add up without
rounding while p + q + ⌈log2 n⌉ ≤ 53. One operand of a product is kept in one slice, the other in two, so
that a matrix product takes two exact ones, which are added once and rounded once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_EXACT_BITS = 53
"""Whole numbers up to 2^53 are float64."""
_MOST_SLICE_BITS = 51
"""x + 1.5·2^52 stays between 2^52 and 2^53, where the spacing is one unit, for |x| up to 2^51 units."""
_SINGLE_BITS = 26
"""Bits of an operand in one slice, where they fit: two more than float32 has."""
_FEWEST_SPLIT_BITS = 12
"""Bits of either slice of the other operand; both together hold 25, one more than float32."""
_FEWEST_SINGLE_BITS = 21


class BoundExceeded(ArithmeticError):
    """A sum with more terms than can be added without rounding at the precision of float32."""


def widths(terms: int) -> tuple[int, int]:
    """Bits of the operand in one slice, and of each slice of the other, in a product with so many terms.

    Raises:
        BoundExceeded: more than 2^20 terms.

    """
    free = _EXACT_BITS - ceil_log2(terms)
    split = max(free - _SINGLE_BITS, _FEWEST_SPLIT_BITS)
    single = free - split
    if single < _FEWEST_SINGLE_BITS:
        raise BoundExceeded(f"a product of {terms} terms leaves {single} bits for an operand")
    return single, split


def ceil_log2(n: int) -> int:
    """⌈log2 n⌉ of a whole number; 0 for 0."""
    return max(n - 1, 0).bit_length()


def scale_of(x: Tensor) -> float:
    """The power of two above max |x|: 1 if all are zero, NaN if one is not finite. Waits for the device."""
    if not x.numel():
        return 1.0
    if not x.is_contiguous():  # in the order of memory no copy is needed
        x = x.permute(sorted(range(x.dim()), key=x.stride, reverse=True))
    low, high = torch.aminmax(x)
    largest = max(-low.item(), high.item())  # both are NaN if one element is
    if not math.isfinite(largest):
        return math.nan
    return math.ldexp(1.0, math.frexp(largest)[1]) if largest else 1.0


def one_slice(x: Tensor, bits: int, scale: float | None = None, out: Tensor | None = None) -> Tensor:
    """Round x to multiples of 2^-bits of its `scale_of`; float64, in a new tensor or in `out`."""
    rounder = _rounder(scale_of(x) if scale is None else scale, bits)
    found = x.to(torch.float64, copy=True) if out is None else out.copy_(x)
    return found.add_(rounder).sub_(rounder)


def two_slices(x: Tensor, bits: int, dim: int) -> Tensor:
    """Two slices of `bits` bits along a new dimension: what the first leaves of x is in the second.

    x − first − second is at most 2^-(2·bits+2) of the scale.
    """
    shape = list(x.shape)
    shape.insert(dim if dim >= 0 else dim + len(shape) + 1, 2)
    slices = x.new_empty(shape, dtype=torch.float64)
    first, second = slices.unbind(dim)
    rounder, wide = _rounder(scale_of(x), bits), x.double()
    torch.add(wide, rounder, out=first).sub_(rounder)
    rounder = rounder * 2.0 ** -(bits + 1)  # the rest is half a unit at most
    torch.sub(wide, first, out=second).add_(rounder).sub_(rounder)
    return slices


def product(a: Tensor, b: Tensor) -> Tensor:
    """Product of float32 [..., M, K] and [..., K, N], as float64 [..., M, N]; the larger is in one slice."""
    require_float32(a, b)
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    single, split = widths(k)
    if a.numel() <= b.numel():
        parts = two_slices(a, split, -3).flatten(-3, -2) @ one_slice(b, single)
        return parts[..., :m, :] + parts[..., m:, :]
    if n == 1:  # a vector; the library is faster with its slices in front
        parts = two_slices(b.mT, split, -2).squeeze(-3) @ one_slice(a, single).mT
        return (parts[..., :1, :] + parts[..., 1:, :]).mT
    parts = one_slice(a, single) @ two_slices(b, split, -2).flatten(-2, -1)
    return parts[..., :n] + parts[..., n:]


def total(x: Tensor, dims: list[int] | None = None, keepdim: bool = False, spare: bool = False) -> Tensor:
    """Sum in float64 over `dims` (all by default), exact after one rounding of its terms.

    They are rounded to multiples of 2^-(53−⌈log2 n⌉) of the largest; in x itself, if it can be spared.
    """
    dims = [d % x.dim() for d in dims] if dims else list(range(x.dim()))
    if not dims or not x.numel():
        return x.double() if not dims else x.double().sum(dims, keepdim=keepdim)
    terms = math.prod(x.shape[d] for d in dims)
    return summable(x, terms, x if spare else None).sum(dims, keepdim=keepdim)


def summable(x: Tensor, terms: int, out: Tensor | None = None) -> Tensor:
    """Round x so that sums of so many of its elements are exact in any order; float64."""
    return one_slice(x, min(_EXACT_BITS - ceil_log2(terms), _MOST_SLICE_BITS), out=out)


def require_float32(*tensors: Tensor) -> None:
    """Refuse operands that slices of 24 bits would cut off; `TypeError`."""
    for tensor in tensors:
        if tensor.dtype != torch.float32:
            raise TypeError(f"exact products take float32, not {tensor.dtype}")


def _rounder(scale: float, bits: int) -> float:
    """What to add and subtract again to round to multiples of 2^-bits of the scale."""
    if bits > _MOST_SLICE_BITS:
        raise BoundExceeded(f"a slice of {bits} bits")
    return scale * (1.5 * 2.0 ** (52 - bits))
