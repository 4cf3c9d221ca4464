"""Layers and initialisations that several papers share; everything here computes, nothing is tuned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# --- Initialisation -----------------------------------------------------------------------------------


def init_normal(module: nn.Module, std: float, *, norm_gain_std: float | None = None) -> None:
    """N(0, std²) for every conv and linear weight, biases 0; norm gains N(1, norm_gain_std²) when given."""
    for m in module.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(m.weight, 0.0, std)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) and m.affine and norm_gain_std is not None:
            nn.init.normal_(m.weight, 1.0, norm_gain_std)


def init_glorot(layer: nn.Module, gain: float = 1.0) -> None:
    """Glorot-uniform with fans as tflib counts them, times `gain` (√2 is tflib's ``he_init``); bias 0.

    A stride divides fan-out by stride² in a convolution and fan-in by stride² in a transposed one.
    Uniform within ±gain·√(6/(fan_in+fan_out)), i.e. standard deviation gain·√(2/(fan_in+fan_out)).
    """
    if isinstance(layer, nn.Linear):
        fans: float = layer.in_features + layer.out_features
    elif isinstance(layer, nn.Conv2d):
        area = layer.kernel_size[0] * layer.kernel_size[1]
        fans = layer.in_channels * area + layer.out_channels * area / layer.stride[0] ** 2
    elif isinstance(layer, nn.ConvTranspose2d):
        area = layer.kernel_size[0] * layer.kernel_size[1]
        fans = layer.in_channels * area / layer.stride[0] ** 2 + layer.out_channels * area
    else:
        raise TypeError(f"no Glorot rule for {type(layer).__name__}")
    bound = gain * math.sqrt(6 / fans)
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


# --- TensorFlow's SAME padding -------------------------------------------------------------------------


def mirrored(x: Tensor) -> Tensor:
    """Both axes of the images [B, C, H, W] reversed."""
    return x.flip(2, 3)


class SameConv2d(nn.Conv2d):
    """Strided convolution with TensorFlow's SAME padding: out = ⌈in/stride⌉, the odd pixel at the end.

    For even inputs and 5×5 stride 2 that is one row before and two after; torch's ``padding=2`` is a
    shifted operator. On mirrored images, with the kernel mirrored too, the two rows come first, and as the
    second of those behind is never reached, ``padding=2`` is the same operator: no padded copy is made.
    Networks of such layers mirror their first input and their last output only. The kernel is odd.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: Literal[1, 2]) -> None:
        super().__init__(channels_in, channels_out, kernel, stride, padding=kernel // 2)

    def forward(self, x: Tensor, *, on_mirrored: bool = False) -> Tensor:
        """[B, C, H, W] → [B, C', ⌈H/stride⌉, ⌈W/stride⌉]; `on_mirrored`: both are mirrored images."""
        if not on_mirrored:
            return mirrored(self(mirrored(x), on_mirrored=True))
        return F.conv2d(x, mirrored(self.weight), self.bias, self.stride, self.padding)


class SameConvTranspose2d(nn.ConvTranspose2d):
    """Adjoint of the 5×5 stride-2 SAME convolution: doubles height and width."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, kernel_size=5, stride=2, padding=2, output_padding=1)

    def forward(self, x: Tensor, *, on_mirrored: bool = False) -> Tensor:  # type: ignore[override]
        """[B, C, H, W] → [B, C', 2H, 2W]; `on_mirrored`: both are mirrored images."""
        if not on_mirrored:
            return mirrored(self(mirrored(x), on_mirrored=True))
        weight = mirrored(self.weight)
        return F.conv_transpose2d(x, weight, self.bias, stride=2, padding=2, output_padding=1)


# --- Convolutions of residual blocks that change the size -----------------------------------------------

Resampled = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""A size-keeping convolution by (x, weight, bias) and a change of size, in one: `enlarged` or `pooled`."""


def enlarged(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """3×3 or 1×1 convolution of `x` enlarged by nearest neighbours, [B, C, H, W] → [B, C', 2H, 2W].

    On the CPU nothing is enlarged. Along one axis, with weights w₀ w₁ w₂ and xᵢ = 0 outside, the result is

        y₂ᵢ = w₀·xᵢ₋₁ + (w₁+w₂)·xᵢ,    y₂ᵢ₊₁ = (w₀+w₁)·xᵢ + w₂·xᵢ₊₁,

    the transposed convolution, stride 2 and padding 1, with the weights (w₂, w₁+w₂, w₀+w₁, w₀): 16 products
    per input pixel, channel in and channel out instead of 36. A 1×1 convolution and enlarging commute.
    """
    if x.is_cuda:
        return F.conv2d(_twice(x), weight, bias, padding=weight.shape[2] // 2)
    if weight.shape[2] == 1:
        return _twice(F.conv2d(x, weight, bias))
    turned = weight.transpose(0, 1).flip(2, 3)
    return F.conv_transpose2d(x, 4 * F.avg_pool2d(turned, 2, 1, 1), bias, stride=2, padding=1)


def pooled(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """2×2 means of a 3×3 or 1×1 convolution of `x`, [B, C, H, W] → [B, C', H/2, W/2].

    On the CPU only the means are computed. Along one axis, with weights w₀ w₁ w₂,

        (y₂ᵢ + y₂ᵢ₊₁) / 2 = (w₀·x₂ᵢ₋₁ + (w₀+w₁)·x₂ᵢ + (w₁+w₂)·x₂ᵢ₊₁ + w₂·x₂ᵢ₊₂) / 2,

    the convolution, stride 2 and padding 1, with the weights (w₀, w₀+w₁, w₁+w₂, w₂) / 2: 16 products per
    output pixel, channel in and channel out instead of 36. A 1×1 convolution and means commute.
    """
    if x.is_cuda:
        return F.avg_pool2d(F.conv2d(x, weight, bias, padding=weight.shape[2] // 2), 2)
    if weight.shape[2] == 1:
        return F.conv2d(F.avg_pool2d(x, 2), weight, bias)
    return F.conv2d(x, F.avg_pool2d(weight, 2, 1, 1), bias, stride=2, padding=1)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


class BlockConv2d(nn.Conv2d):
    """Size-keeping convolution, by itself or together with a change of size."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, bias: bool = True) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor, resampled: Resampled | None = None) -> Tensor:
        """[B, C, H, W] → [B, C', H, W]; twice or half as high and wide with `enlarged` or `pooled`."""
        return resampled(x, self.weight, self.bias) if resampled else super().forward(x)


# --- Spectral normalisation (SN-GAN 2018, Algorithm 1) -------------------------------------------------


def spectral_norm_step(weight: Tensor, u: Tensor, eps: float = 1e-12) -> tuple[Tensor, Tensor]:
    """One power iteration on `weight` viewed as [out, rest]; returns (σ, new u).

    v = Wᵀu/‖Wᵀu‖, u = Wv/‖Wv‖, σ = uᵀWv. u and v are constants of the gradient, W is not.
    """
    matrix = weight.flatten(1)
    with torch.no_grad():
        v = matrix.t().mv(u)
        v = v / (v.norm() + eps)
        u = matrix.mv(v)
        u = u / (u.norm() + eps)
    return u.dot(matrix.mv(v)), u


class _SpectralNorm(nn.Module):
    """Keeps u, drawn N(0, 1) and not normalised; one power iteration per training forward (released code)."""

    weight: Tensor
    u: Tensor

    def _init_u(self) -> None:
        self.register_buffer("u", torch.randn(self.weight.shape[0]))

    def normalised_weight(self) -> Tensor:
        """W/σ(W); in evaluation u stays as it is."""
        sigma, u = spectral_norm_step(self.weight, self.u)
        if self.training:
            self.u.copy_(u)
        return self.weight / sigma


class SNConv2d(_SpectralNorm, nn.Conv2d):
    """Convolution with spectrally normalised weight; the bias is not normalised."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        nn.Conv2d.__init__(self, channels_in, channels_out, kernel, stride, padding=(kernel - 1) // 2)
        self._init_u()

    def forward(self, x: Tensor, resampled: Resampled | None = None) -> Tensor:
        """[B, C, H, W] → [B, C', H/stride, W/stride]; stride 1 may be `enlarged` or `pooled`."""
        weight = self.normalised_weight()
        if resampled:
            return resampled(x, weight, self.bias)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class SNLinear(_SpectralNorm, nn.Linear):
    """Linear layer with spectrally normalised weight."""

    def __init__(self, features_in: int, features_out: int, bias: bool = True) -> None:
        nn.Linear.__init__(self, features_in, features_out, bias)
        self._init_u()

    def forward(self, x: Tensor) -> Tensor:
        """[B, features_in] → [B, features_out]."""
        return F.linear(x, self.normalised_weight(), self.bias)


# --- Norms of the WGAN-GP code (tflib) ------------------------------------------------------------------


def layer_norm(channels: int) -> nn.Module:
    """Layer norm as tflib has it: statistics over C, H, W of a sample, gain and offset per channel."""
    return nn.GroupNorm(1, channels, eps=1e-5)


class ConditionalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose gains and offsets are looked up by class, [classes, C]."""

    def __init__(self, channels: int, classes: int, eps: float) -> None:
        super().__init__(channels, eps=eps, affine=False)
        self.gains = nn.Parameter(torch.ones(classes, channels))
        self.offsets = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, x: Tensor, classes: Tensor) -> Tensor:  # type: ignore[override]
        """[B, C, H, W] and its classes, int64 [B] → the same shape."""
        gain, offset = (F.embedding(classes, table)[:, :, None, None] for table in (self.gains, self.offsets))
        return super().forward(x) * gain + offset


# --- Residual blocks (WGAN-GP 2017 App. F; SN-GAN 2018 App. B.2; order of operations: released code) ---

Conv = Callable[[int, int, int], nn.Module]
"""Makes a size-keeping convolution, called like `BlockConv2d`, from (channels in, channels out, kernel)."""


def plain_conv(channels_in: int, channels_out: int, kernel: int, bias: bool = True) -> nn.Module:
    """Convolution; 3×3 Glorot-uniform × √2, 1×1 (shortcuts) Glorot-uniform (both released codes)."""
    layer = BlockConv2d(channels_in, channels_out, kernel, bias)
    init_glorot(layer, math.sqrt(2) if kernel == 3 else 1.0)
    return layer


def spectral_conv(channels_in: int, channels_out: int, kernel: int) -> nn.Module:
    """`plain_conv` with spectral normalisation."""
    layer = SNConv2d(channels_in, channels_out, kernel)
    init_glorot(layer, math.sqrt(2) if kernel == 3 else 1.0)
    return layer


class UpBlock(nn.Module):
    """norm–ReLU–up×2–3×3–norm–ReLU–3×3, plus up×2–1×1 of the un-normalised input.

    Args:
        channels_in: of the input.
        channels_out: of the output.
        eps: of the norms.
        classes: number of classes of conditional batch norms; 0 means plain ones.
        first_bias: whether the first 3×3 has a bias.
        late: enlarge before the second 3×3 instead of the first.

    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        eps: float,
        classes: int = 0,
        *,
        first_bias: bool = True,
        late: bool = False,
    ) -> None:
        super().__init__()
        self.late = late
        self.norm1 = _batch_norm(channels_in, classes, eps)
        self.conv1 = plain_conv(channels_in, channels_out, 3, first_bias)
        self.norm2 = _batch_norm(channels_out, classes, eps)
        self.conv2 = plain_conv(channels_out, channels_out, 3)
        self.shortcut = plain_conv(channels_in, channels_out, 1)

    def forward(self, x: Tensor, *classes: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C', 2H, 2W]; conditional norms need the classes, int64 [B]."""
        h = F.relu(self.norm1(x, *classes))
        h = self.conv1(h, None if self.late else enlarged)
        h = F.relu(self.norm2(h, *classes))
        h = self.conv2(h, enlarged if self.late else None)
        out: Tensor = h + self.shortcut(x, enlarged)
        return out


def _batch_norm(channels: int, classes: int, eps: float) -> nn.Module:
    if classes:
        return ConditionalBatchNorm2d(channels, classes, eps)
    return nn.BatchNorm2d(channels, eps=eps)


class FirstDownBlock(nn.Module):
    """3×3–ReLU–3×3–pool, plus pool–1×1: the critic's first block, which sees pixels (no ReLU before)."""

    def __init__(self, channels_in: int, channels_out: int, conv: Conv) -> None:
        super().__init__()
        self.conv1 = conv(channels_in, channels_out, 3)
        self.conv2 = conv(channels_out, channels_out, 3)
        self.shortcut = conv(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C', H/2, W/2]."""
        h = self.conv2(F.relu(self.conv1(x)), pooled)
        out: Tensor = h + self.shortcut(F.avg_pool2d(x, 2))
        return out


class DownBlock(nn.Module):
    """ReLU–3×3–ReLU–3×3–pool, plus 1×1–pool; the second 3×3 makes the new number of channels, if any."""

    def __init__(self, channels: int, conv: Conv, channels_out: int | None = None) -> None:
        super().__init__()
        channels_out = channels if channels_out is None else channels_out
        self.conv1 = conv(channels, channels, 3)
        self.conv2 = conv(channels, channels_out, 3)
        self.shortcut = conv(channels, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C', H/2, W/2]."""
        h = F.relu(self.conv1(F.relu(x)))
        out: Tensor = self.conv2(h, pooled) + self.shortcut(x, pooled)
        return out


class NormedDownBlock(nn.Module):
    """norm–ReLU–3×3–norm–ReLU–3×3–pool, plus pool–1×1; the first 3×3 has no bias (gan_64x64.py)."""

    def __init__(self, channels_in: int, channels_out: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.norm1 = norm(channels_in)
        self.conv1 = plain_conv(channels_in, channels_in, 3, bias=False)
        self.norm2 = norm(channels_in)
        self.conv2 = plain_conv(channels_in, channels_out, 3)
        self.shortcut = plain_conv(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C', H/2, W/2]."""
        h = self.conv1(F.relu(self.norm1(x)))
        h = self.conv2(F.relu(self.norm2(h)), pooled)
        out: Tensor = h + self.shortcut(F.avg_pool2d(x, 2))
        return out


class FlatBlock(nn.Module):
    """ReLU–3×3–ReLU–3×3, plus the input, through a 1×1 if the number of channels changes."""

    def __init__(self, channels: int, conv: Conv, channels_out: int | None = None) -> None:
        super().__init__()
        channels_out = channels if channels_out is None else channels_out
        self.conv1 = conv(channels, channels, 3)
        self.conv2 = conv(channels, channels_out, 3)
        self.shortcut = nn.Identity() if channels == channels_out else conv(channels, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C', H, W]."""
        out: Tensor = self.shortcut(x) + self.conv2(F.relu(self.conv1(F.relu(x))))
        return out
