"""Pictures to uint8 arrays, through Pillow: decode, crop, resize. What a set's size is made with."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

_GREY = ("1", "L", "LA")
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


class BrokenImage(Exception):
    """A file that is no picture of 8 bits a channel; the text says why."""


def decode(source: Path | bytes) -> Image.Image:
    """Decode a picture completely and convert it to mode ``L`` (grey) or ``RGB`` (all others; no alpha).

    Raises:
        BrokenImage: not a picture, cut off, absurdly large, or of more than 8 bits a channel.

    """
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            if image.mode in _DEEP:
                raise BrokenImage(f"mode {image.mode}, more than 8 bits")
            image.load()
            return image.convert("L" if image.mode in _GREY else "RGB")
    except (BrokenImage, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise BrokenImage(str(error) or type(error).__name__) from error


def array(image: Image.Image) -> np.ndarray:
    """Pixels of a grey or RGB picture, uint8 [C,H,W] in 0..255."""
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def resized(image: Image.Image, width: int, height: int) -> Image.Image:
    """Resize with Pillow's bilinear filter, whose support grows when shrinking (torchvision's ``Resize``)."""
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BILINEAR)


def shorter_side_then_middle(image: Image.Image, size: int) -> Image.Image:
    """Resize the shorter side to `size`, then cut the middle square: torchvision's Resize and CenterCrop."""
    width, height = image.size
    short = min(width, height)
    image = resized(image, size * width // short, size * height // short)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def box_then_size(image: Image.Image, box: tuple[int, int, int, int], size: int) -> Image.Image:
    """Cut the box (left, top, right, bottom) and resize it to a square.

    Raises:
        BrokenImage: the box is not inside the picture.

    """
    if box[2] > image.width or box[3] > image.height:
        raise BrokenImage(f"{image.width} x {image.height} pixels, too small to cut {box}")
    return resized(image.crop(box), size, size)
