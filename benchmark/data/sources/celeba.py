"""Reader of CelebA: aligned JPEGs straight from their ZIP file, in the order of the official partition."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING

from benchmark.data import archives, pixels
from benchmark.data.sources import Content, Request
from benchmark.data.sources.pictures import Unusable, chunks
from benchmark.errors import UserError
from benchmark.records import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np
    from PIL import Image

BOX = (30, 40, 168, 178)
"""Left, top, right, bottom of the 138 pixels that the authors' Torch port cuts out of 178×218."""
SIZE = 64
TRAIN, VALID, TEST = 0, 1, 2
_MOST_BYTES = 64 * bounded.MIB
"""Of the partition; the official one has 3 MB."""


def read(request: Request) -> Content:
    """Read partition 0 to train on and 2 held out: uint8 [N,3,64,64], no labels."""
    archive = request.files["img_align_celeba.zip"]
    partition = _partition(request.files["list_eval_partition.txt"])
    unusable = Unusable()
    notes: dict[str, object] = {"box": list(BOX)}

    def prepare(image: Image.Image) -> Image.Image:
        return pixels.box_then_size(image.convert("RGB"), BOX, SIZE)

    def split(number: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        try:
            with zipfile.ZipFile(archive) as file:
                names = [name for name, part in partition if part == number]
                yield from chunks(((name, _reader(file, name), None) for name in names), prepare, unusable)
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise UserError(f"damaged archive ({error})", where=str(archive)) from error
        if not request.skip_broken:
            unusable.stop(str(archive), len(partition), f"Get the official file, or {request.to_leave_out}")
        notes["left out"] = unusable.counts()

    total = sum(part != VALID for _, part in partition)
    return Content(split(TRAIN), split(TEST), total=total, notes=notes)


def _reader(file: zipfile.ZipFile, name: str) -> Callable[[], bytes]:
    def read_member() -> bytes:
        try:
            return archives.picture(file, f"img_align_celeba/{name}")
        except (KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise pixels.BrokenImage(str(error)) from error

    return read_member


def _partition(path: Path) -> list[tuple[str, int]]:
    """Lines ``000001.jpg 0``."""
    try:
        text = bounded.read(path, _MOST_BYTES).decode("ascii", "replace")
    except (OSError, bounded.Unreadable) as error:
        raise UserError(f"cannot be read ({error})", where=str(path)) from error
    rows = [line.split() for line in text.splitlines() if line]
    if not rows or any(len(row) != 2 or row[1] not in ("0", "1", "2") for row in rows):
        raise UserError("not a list of file names with 0, 1 or 2", where=str(path))
    return [(name, int(part)) for name, part in rows]
