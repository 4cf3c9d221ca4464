"""Generator outputs to uint8 images, in one way for every baseline: clamp, then round to nearest."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Generated:
    """A batch of generated images, and what they were before they were quantised.

    Attributes:
        images: uint8 [B, C, H, W] on the CPU.
        outputs: of the generator, floating-point [B, C, H, W], wherever it runs; None for images from files.
        image_range: the outputs that are black and white.
        classes: that the images were generated as, int64 [B] on the CPU; None where there are none.

    """

    images: Tensor
    outputs: Tensor | None = None
    image_range: tuple[float, float] = (0.0, 1.0)
    classes: Tensor | None = None

    @classmethod
    def of(
        cls, outputs: Tensor, image_range: tuple[float, float], n: int, classes: Tensor | None = None
    ) -> Generated:
        """The first n of a generator's outputs; all of them have to be finite.

        Raises:
            NonFiniteImages: one is not.

        """
        images = to_uint8(outputs, *image_range).cpu()[:n].contiguous()
        return cls(images, outputs[:n], image_range, None if classes is None else classes[:n])

    def real_valued(self) -> Tensor:
        """Pixels before quantisation in 0..1, float32 [B, C, H, W] on the CPU; clamped to the range.

        Of images from files, which have nothing else, the uint8 images.
        """
        if self.outputs is None:
            return self.images
        low, high = self.image_range
        return ((self.outputs.float() - low) / (high - low)).clamp(0, 1).cpu()
