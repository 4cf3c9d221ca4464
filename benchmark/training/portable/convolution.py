"""Two-dimensional convolutions and their gradients as exact products, in the layout [B, H, W, C].

Columns (the patches that a kernel sees, as rows) are copied for some samples at a time into one buffer, which
thus stays in the cache; runs of kernel width times channels are contiguous in it. Where sums go beyond one
product, their terms are added in an order that is fixed here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmark.training.portable.slicing import one_slice, require_float32, two_slices, widths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUFFER = 1 << 19
"""Most elements of columns at a time (4 MiB), unless one sample has more. Decides the last bits of a weight's
gradient, whose sum over samples is rounded after every buffer."""
_CACHED = 1 << 18
"""The same where it decides nothing but the time."""
_WIDE_COLUMNS = 64
"""From so many terms on, products with few output channels are faster the other way round."""


@dataclass(frozen=True)
class _Window:
    """What a kernel [O, C, kh, kw] sees of images [B, C, H, W]: sizes in pixels."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    out: tuple[int, int]

    @property
    def places(self) -> int:
        """Outputs per sample."""
        return self.out[0] * self.out[1]

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    def samples(self, channels: int, buffer: int = BUFFER) -> int:
        """How many samples' columns fit the buffer."""
        return max(1, buffer // (self.places * self.taps * channels))

    def strided(self, images: Tensor, y: int, x: int) -> Tensor:
        """The pixels of padded [B, H, W, C] that kernel position (y, x) sees: a view [B, oh, ow, C]."""
        (sy, sx), (dy, dx), (oh, ow) = self.stride, self.dilation, self.out
        top, left = y * dy, x * dx
        return images[:, top : top + (oh - 1) * sy + 1 : sy, left : left + (ow - 1) * sx + 1 : sx]


def _window(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> _Window:
    out = [(size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(2)]
    pairs = ((s[0], s[-1]) for s in (kernel, stride, padding, dilation, out))
    return _Window(*pairs)


def correlate(
    x: Tensor, w: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> Tensor:
    """Convolution of x [B, C, H, W] with w [O, C, kh, kw] without bias: float32 [B, O, oh, ow]."""
    require_float32(x, w)
    o, c, *kernel = w.shape
    window = _window(x.shape[2:], kernel, stride, padding, dilation)
    single, split = widths(c * window.taps)
    weights = two_slices(_rows(w), split, 0).view(2 * o, -1)
    out = x.new_empty(x.shape[0], *window.out, o)
    rows = out.view(-1, o)
    for first, last, columns in _columns(_padded(x, window, single), window, _CACHED):
        if columns.shape[1] < _WIDE_COLUMNS:
            parts = columns @ weights.t()
            rows[first:last] = parts[:, :o].add_(parts[:, o:])
        else:
            parts = weights @ columns.t()
            rows[first:last] = parts[:o].add_(parts[o:]).t()
    return out.permute(0, 3, 1, 2)


def weight_gradient(
    g: Tensor,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Gradient [O, C, kh, kw] of `correlate` in w, from g [B, O, oh, ow] and x [B, C, H, W]; float32."""
    require_float32(g, x)
    b, c = x.shape[:2]
    o, *out = g.shape[1:]
    window = _window(x.shape[2:], kernel, stride, padding, dilation)
    window = _Window(window.kernel, window.stride, window.padding, window.dilation, (out[0], out[1]))
    single, split = widths(min(b, window.samples(c)) * window.places)
    gradients = two_slices(g.permute(0, 2, 3, 1).reshape(-1, o), split, 1).view(-1, 2 * o)
    parts = functools.reduce(
        Tensor.add_,
        (
            gradients[first:last].t() @ columns
            for first, last, columns in _columns(_padded(x, window, single), window)
        ),
    )
    total = (parts[:o] + parts[o:]).add_(0.0).to(torch.float32)  # no zero has a sign
    return total.view(o, *window.kernel, c).permute(0, 3, 1, 2)


def adjoint(
    g: Tensor,
    w: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    size: Sequence[int],
) -> Tensor:
    """Gradient [B, C, *size] of `correlate` in x, from g [B, O, oh, ow]: also the transposed convolution."""
    require_float32(g, w)
    o, c, *kernel = w.shape
    beyond = [dilation[i] * (kernel[i] - 1) - padding[i] for i in range(2)]
    b, out = g.shape[0], g.shape[2:]
    window = _Window(*((s[0], s[-1]) for s in (kernel, stride, padding, dilation, out)))
    is_correlation = all(s == 1 for s in stride) and min(beyond) >= 0
    if is_correlation and window.places > 1:
        return correlate(g, w.flip(2, 3).transpose(0, 1), stride, beyond, dilation)
    single, split = widths(o * window.taps if is_correlation else o)
    weights = two_slices(_rows(w), split, 1).view(o, -1)
    gradients = one_slice(g.permute(0, 2, 3, 1).reshape(-1, o), single)
    full = [
        max(size[i] + 2 * padding[i], (out[i] - 1) * stride[i] + beyond[i] + padding[i] + 1) for i in (0, 1)
    ]
    images = g.new_zeros(b, *full, c, dtype=torch.float64)
    k = window.taps * c
    step = window.samples(2 * c)
    for first in range(0, b, step):
        some = images[first : first + step]
        parts = gradients[first * window.places : (first + step) * window.places] @ weights
        terms = parts[:, :k].add_(parts[:, k:]).view(-1, *window.out, *window.kernel, c)
        for y in range(window.kernel[0]):
            for x in range(window.kernel[1]):
                window.strided(some, y, x).add_(terms[:, :, :, y, x])
    inner = images[:, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    return inner.to(torch.float32, memory_format=torch.contiguous_format).permute(0, 3, 1, 2)


def _rows(w: Tensor) -> Tensor:
    """[O, C, kh, kw] as [O, kh·kw·C]."""
    return w.permute(0, 2, 3, 1).reshape(w.shape[0], -1)


def _padded(x: Tensor, window: _Window, bits: int) -> Tensor:
    """[B, C, H, W] with zeros around, in one slice of float64: [B, H', W', C], contiguous."""
    b, c, h, w = x.shape
    top, left = window.padding
    padded = x.new_zeros(b, h + 2 * top, w + 2 * left, c, dtype=torch.float64)
    one_slice(x.permute(0, 2, 3, 1), bits, out=padded[:, top : top + h, left : left + w])
    return padded


def _columns(images: Tensor, window: _Window, most: int = BUFFER) -> Iterator[tuple[int, int, Tensor]]:
    """Columns [rows, kh·kw·C] of [B, H, W, C], some at a time: first row, one after the last, these rows."""
    b, c = images.shape[0], images.shape[3]
    step = min(b, window.samples(c, most))
    sb, sy, sx, _ = images.stride()
    (kh, kw), (ty, tx), (dy, dx) = window.kernel, window.stride, window.dilation
    k, places = window.taps * c, window.places
    buffer = None if _is_a_matrix(window, images) else images.new_empty(step * places, k)
    for first in range(0, b, step):
        n = min(step, b - first)
        some = images[first : first + n]
        if buffer is None:
            columns = some.reshape(n * places, k)
        else:
            columns = buffer[: n * places]
            columns.view(n, *window.out, kh, kw, c).copy_(
                some.as_strided(
                    (n, *window.out, kh, kw, c),
                    (sb, ty * sy, tx * sx, dy * sy, dx * sx, 1),
                    some.storage_offset(),
                )
            )
        yield first * places, (first + n) * places, columns


def _is_a_matrix(window: _Window, images: Tensor) -> bool:
    """Whether the images are their own columns: a 1×1 kernel that sees every pixel."""
    return window.taps == 1 and window.out == tuple(images.shape[1:3]) and window.stride == (1, 1)
