"""Reader of ImageNet-1k's own JPEGs, shrunk to 32×32 as DCGAN's feature networks take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.data import pixels, places
from benchmark.data.sources import Content, Request
from benchmark.data.sources.pictures import Unusable, chunks
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from PIL import Image

SIZE = 32


def read(request: Request) -> Content:
    """Read ``train/CLASS/*`` and ``val``: uint8 [N,3,32,32]; classes in the order of their folders' names.

    Validation images have labels when they lie in the same class folders.
    """
    train, held_out = (places.listing(request.files[name]) for name in ("train", "val"))
    classes = {name: i for i, name in enumerate(sorted({relative.split("/")[0] for relative, _ in train}))}
    if any("/" not in relative for relative, _ in train):
        raise UserError("images outside the class folders", where=str(request.files["train"]))
    unusable = Unusable()
    notes: dict[str, object] = {"classes": len(classes)}

    def prepare(image: Image.Image) -> Image.Image:
        return pixels.shorter_side_then_middle(image.convert("RGB"), SIZE)

    def split(name: str) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        files = train if name == "train" else held_out
        labelled = all(relative.split("/")[0] in classes for relative, _ in files)
        pictures = (
            (relative, lambda path=path: path, classes[relative.split("/")[0]] if labelled else None)
            for relative, path in files
        )
        yield from chunks(pictures, prepare, unusable)
        if not request.skip_broken:
            unusable.stop(str(request.files[name]), len(files), f"Repair them, or {request.to_leave_out}")
        notes["left out"] = unusable.counts()

    return Content(split("train"), split("val"), total=len(train) + len(held_out), notes=notes)
