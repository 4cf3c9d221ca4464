"""Images to the size a network takes."""

from __future__ import annotations

import torch
from torch import Tensor


def frame(images: Tensor, size: int) -> Tensor:
    """Centre images [N,C,H,W] in black frames [N,C,size,size]; an odd pixel goes to the right and below.

    Always a copy in plain row-major layout: otherwise the convolution kernel, and with it the last bits of
    what is computed from it, would depend on the memory format the images came in.

    Raises:
        ValueError: the images are not uint8 [N,C,H,W] or are larger than `size`.

    """
    if images.dtype != torch.uint8 or images.dim() != 4:
        raise ValueError(f"images to frame must be uint8 [N,C,H,W], not {images.dtype} {list(images.shape)}")
    n, channels, height, width = images.shape
    if max(height, width) > size:
        raise ValueError(f"images of {height} x {width} pixels do not fit into {size} x {size}")
    top, left = (size - height) // 2, (size - width) // 2
    framed = torch.zeros((n, channels, size, size), dtype=torch.uint8, device=images.device)
    framed[:, :, top : top + height, left : left + width] = images
    return framed
