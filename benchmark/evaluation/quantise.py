"""Generator outputs to uint8 images, in one way for every baseline: clamp, then round to nearest."""

from __future__ import annotations

import torch
from torch import Tensor


class NonFiniteImages(ValueError):
    """Generated images hold NaN or Inf. The run has diverged; there is nothing to score."""


def to_uint8(images: Tensor, low: float, high: float) -> Tensor:
    """Map [low, high] linearly to 0..255, clamp what lies outside, round to nearest (ties to even).

    Args:
        images: floating-point tensor of any shape; half precision is computed in float32.
        low: value that becomes 0 (black).
        high: value that becomes 255 (white).

    Raises:
        NonFiniteImages: a value is NaN or Inf. Checked before the cast, which would make it a plausible grey.
        ValueError: `images` is not floating-point, or `low` is not below `high`.

    """
    if not images.is_floating_point():
        raise ValueError(f"images to quantise must be floating-point, not {images.dtype}")
    if not low < high:
        raise ValueError(f"the range of the images is empty: low={low}, high={high}")
    finite = torch.isfinite(images)
    if not finite.all():
        n_bad = int((~finite).sum())
        raise NonFiniteImages(f"{n_bad} of {images.numel()} generated values are NaN or Inf")
    levels = (images.to(torch.promote_types(images.dtype, torch.float32)) - low) * (255.0 / (high - low))
    return levels.clamp(0.0, 255.0).round().to(torch.uint8)
