"""Reader of any folder of images, ``folder:PATH`` or, cut and resized to squares, ``folder:PATH@SIZE``.

`benchmark.data.folders` has the rules. When every image lies in a subfolder of its split, those are the
classes, in the order of their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.data import folders, pixels, places
from benchmark.data.sources import Content, Request
from benchmark.data.sources.pictures import stacks
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from PIL import Image

    from benchmark.data.folders import Files


def read(request: Request) -> Content:
    """Read a folder: uint8 [N,1,H,W] if no image has colour, else [N,3,H,W].

    Raises:
        UserError: there is no image, or some are broken or of another size than most; names and counts
            them all. Not raised for these when broken ones are to be skipped.

    """
    path, size = places.split_folder_name(request.name)
    found = folders.look(path)
    if not found.train:
        raise UserError("there is no image to train on", where=str(path))
    colour = found.has_colour()
    common = None if size else next((most for most, _ in found.sizes()), None)
    notes: dict[str, object] = {"path": places.shown(path)}

    def picture(file: Path) -> Image.Image:
        image = found.picture(file, colour, common)
        return pixels.shorter_side_then_middle(image, size) if size else image

    def split(files: Files) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        pictures = (
            (r, lambda f=f: picture(f), classes[r.split("/")[found.depth]] if classes else None)
            for r, f in files
            if found.fits(r, common)
        )
        yield from stacks(pictures, found.unusable)

    def both() -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The held-out images; then the account of what became of both splits."""
        yield from split(found.held_out)
        notes["left out"] = found.unusable.counts()
        notes["account"] = found.account()
        if not request.skip_broken:
            hint = f"Repair or remove them, or {request.to_leave_out}"
            hint += "" if size else f"; '{places.FOLDER_PREFIX}{path}@SIZE' cuts and resizes all to one size"
            found.unusable.stop(str(path), len(found.heads), hint)

    classes = _classes([*found.train, *found.held_out], found.depth)
    if classes:
        notes["classes"] = [places.shown(name) for name in classes]
    if found.names:
        notes["folders"] = {split: places.shown(name) for split, name in found.names.items()}
    return Content(split(found.train), both(), total=len(found.heads), notes=notes)


def _classes(files: Files, depth: int) -> dict[str, int]:
    """Number of each class folder; empty when an image lies outside one, or there are too many."""
    parts = [relative.split("/") for relative, _ in files]
    if any(len(part) < depth + 2 for part in parts):
        return {}
    names = sorted({part[depth] for part in parts})
    return {name: i for i, name in enumerate(names)} if len(names) <= 65_536 else {}
