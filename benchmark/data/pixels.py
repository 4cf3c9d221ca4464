"""Pictures to uint8 arrays, through Pillow: decode, crop, resize. What a set's size is made with."""

from __future__ import annotations

import io
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from benchmark.records import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GREY = ("1", "L", "LA", "La")
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "JPEG2000")
"""What is decoded. Pillow knows more, and runs another program for one of them (EPS)."""
_MOST_BYTES = 1 << 30
"""Of a file; some decoders read all of it at once."""
ON_WHITE = "with transparency, put on white"
TURNED = "turned as their EXIF says"
FROM_CMYK = "CMYK, made RGB"


class BrokenImage(Exception):
    """A file that is no picture of 8 bits a channel; the text says why."""


@contextmanager
def opened(source: Path | bytes) -> Iterator[Image.Image]:
    """A picture whose header was read; decoding it in the `with` block raises the same error.

    Raises:
        BrokenImage: not a picture of a known format, cut off, or of more pixels than
            `PIL.Image.MAX_IMAGE_PIXELS` (about 89 million).

    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if isinstance(source, bytes):
                file: io.BytesIO | Path = io.BytesIO(source)
            else:
                bounded.check_regular(source, _MOST_BYTES)
                file = source
            with Image.open(file, formats=_FORMATS) as image:
                yield image
    except (BrokenImage, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise BrokenImage("no picture of a known format") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise BrokenImage(str(error) or type(error).__name__) from error


def decode(source: Path | bytes) -> Image.Image:
    """Decode a picture completely and convert it to mode ``L`` (grey) or ``RGB`` (all others; no alpha).

    This is how the papers' code reads official sets. Folders of anybody's pictures are read by `upright`.

    Raises:
        BrokenImage: as from `opened`, or of more than 8 bits a channel.

    """
    with opened(source) as image:
        _check_depth(image)
        image.load()
        return image.convert("L" if image.mode in _GREY else "RGB")


def upright(source: Path | bytes) -> tuple[Image.Image, tuple[str, ...]]:
    """A picture as a viewer shows it, in mode ``L`` or ``RGB``, and what that changed.

    It is turned as its EXIF says, and put on white where it is not opaque.

    Raises:
        BrokenImage: as from `decode`, or of several frames.

    """
    with opened(source) as image:
        _check_depth(image)
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # whose others are previews
            raise BrokenImage(f"has {getattr(image, 'n_frames', 1)} frames")
        image.load()
        turned = ImageOps.exif_transpose(image)
        changes = [TURNED] if image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9) else []
        mode = "L" if turned.mode in _GREY else "RGB"
        if turned.mode == "CMYK":
            changes.append(FROM_CMYK)
        if turned.has_transparency_data:
            layered = turned.convert("RGBA")
            if cast("tuple[int, int]", layered.getchannel("A").getextrema())[0] < 255:
                changes.append(ON_WHITE)
                turned = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
        return turned.convert(mode), tuple(changes)


def head(source: Path | bytes) -> tuple[bool, tuple[int, int]]:
    """Whether a picture's mode is grey, and its (width, height) when upright, from its header alone.

    Raises:
        BrokenImage: as from `opened`.

    """
    with opened(source) as image:
        # TIFFs are turned by Pillow; without the test a PNG would be decoded.
        told = image.format in ("JPEG", "MPO", "WEBP") or "exif" in image.info
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if told else 1
        width, height = image.size
        return image.mode in _GREY, (height, width) if orientation in range(5, 9) else (width, height)


def has_colour(image: Image.Image) -> bool:
    """Whether a picture of mode ``L`` or ``RGB`` has a pixel whose red, green and blue differ."""
    if image.mode == "L":
        return False
    pixels = np.asarray(image)
    return bool((pixels[..., 1:] != pixels[..., :1]).any())


def _check_depth(image: Image.Image) -> None:
    """Pillow cuts 16 bits of colour to 8 without a word; where it shows depends on the format."""
    tiles = getattr(image, "tile", ())
    deep = image.mode in _DEEP or any(";16" in str(tile[3]) for tile in tiles)
    if image.format == "PPM":
        deep |= any(tile[0] != "raw" and tile[3][1] > 255 for tile in tiles)
    elif image.format == "JPEG2000":
        deep |= _bits_of_jpeg2000(image) > 8
    if deep:
        raise BrokenImage(f"mode {image.mode}, more than 8 bits")


def _bits_of_jpeg2000(image: Image.Image) -> int:
    """Most bits of a channel, by the segment SIZ at the start of the codestream; ISO/IEC 15444-1, A.5.1."""
    file = getattr(image, "fp", None)
    if file is None:
        raise BrokenImage("closed")
    file.seek(0)
    start: bytes = file.read(1 << 20)
    _, found, segment = start.partition(b"\xff\x4f\xff\x51")
    n = int.from_bytes(segment[36:38], "big")
    depths = segment[38 : 38 + 3 * n : 3]
    if not found or not depths:
        raise BrokenImage("its codestream has no sizes")
    return max(depth & 0x7F for depth in depths) + 1


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
    """Resize the shorter side to `size`, then cut the middle square: torchvision's Resize and CenterCrop.

    Raises:
        BrokenImage: so long and thin that it would be enlarged to more pixels than `opened` takes.

    """
    short, most = min(image.size), Image.MAX_IMAGE_PIXELS
    width, height = (size * side // short for side in image.size)
    if most is not None and width * height > most:
        thin = f"{image.width} x {image.height} pixels, too thin to resize the shorter side to {size}"
        raise BrokenImage(thin)
    image = resized(image, width, height)
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
