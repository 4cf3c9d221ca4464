"""Reader of any folder of images, ``folder:PATH`` or, cut and resized to squares, ``folder:PATH@SIZE``.

Two subfolders ``train`` and ``test`` (or ``val``, ``held-out``) are the splits; otherwise all is trained on.
When every image lies in a subfolder of its split, those are the classes, in the order of their names.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from PIL import Image

from benchmark.data import pixels, places
from benchmark.data.sources import Content, Request
from benchmark.data.sources.pictures import Unusable, chunks
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

_HELD_OUT = ("held-out", "test", "val")
_OTHER_FILES = (
    ".txt",
    ".md",
    ".json",
    ".csv",
    ".html",
    ".xml",
    ".py",
    ".log",
    ".npy",
    ".npz",
    ".mat",
    ".db",
    ".ini",
)
_GREY = ("1", "L", "LA")
_Files = list[tuple[str, "Path"]]


def read(request: Request) -> Content:
    """Read a folder: uint8 [N,1,H,W] if every image is grey, else [N,3,H,W].

    Raises:
        UserError: there is no image, or some are broken, of another size or mode than most; names and
            counts them all. Not raised for these when broken ones are to be skipped.

    """
    path, size = places.split_folder_name(request.name)
    if not path.is_dir():
        raise UserError("no such folder", where=str(path))
    train, held_out = _splits(path)
    if not train:
        raise UserError("there is no image to train on", where=str(path))
    unusable = Unusable()
    heads = {relative: _head(file) for relative, file in (*train, *held_out)}
    if size:
        common_mode = "RGB" if any(head and head[0] == "RGB" for head in heads.values()) else "L"
        common_size = None
    else:
        common = Counter(head for head in heads.values() if head).most_common(1)
        common_mode, common_size = common[0][0] if common else ("RGB", None)
    notes: dict[str, object] = {"path": str(path)}

    def prepare(image: Image.Image) -> Image.Image:
        if size:
            return pixels.shorter_side_then_middle(image.convert(common_mode), size)
        return image

    def fits(relative: str) -> bool:
        head = heads[relative]
        if head is None or size:
            return True  # the decoder says what is wrong
        if head[1] != common_size:
            most = f"{common_size[0]}x{common_size[1]}" if common_size else ""
            kind = f"of another size than most, {most}"
            unusable.add(kind, relative, f"{head[1][0]}x{head[1][1]}")
        elif head[0] != common_mode:
            unusable.add(
                "in colour among grey ones" if head[0] == "RGB" else "grey among coloured ones", relative
            )
        else:
            return True
        return False

    def split(files: _Files) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        pictures = (
            (r, f.read_bytes, classes[r.split("/")[depth]] if classes else None) for r, f in files if fits(r)
        )
        yield from chunks(pictures, prepare, unusable)

    def both() -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The held-out images; then the account of what was unusable in both splits."""
        yield from split(held_out)
        notes["left out"] = unusable.counts()
        if not request.skip_broken:
            hint = "Repair or remove them, or leave them out with --skip-broken"
            hint += "" if size else f"; '{places.FOLDER_PREFIX}{path}@64' cuts and resizes all to one size"
            unusable.stop(str(path), len(heads), hint)

    depth = 1 if held_out else 0
    classes = _classes([*train, *held_out], depth)
    if classes:
        notes["classes"] = list(classes)
    return Content(split(train), both(), total=len(heads), notes=notes)


def _splits(path: Path) -> tuple[_Files, _Files]:
    files = [(r, f) for r, f in places.listing(path) if f.suffix.lower() not in _OTHER_FILES]
    tops = {relative.split("/")[0] for relative, _ in files if "/" in relative}
    other = next((name for name in _HELD_OUT if name in tops), None)
    if "train" not in tops or other is None:
        return files, []
    train, held_out = ([(r, f) for r, f in files if r.startswith(f"{name}/")] for name in ("train", other))
    return train, held_out


def _classes(files: _Files, depth: int) -> dict[str, int]:
    """Number of each class folder; empty when an image lies outside one, or there are too many."""
    parts = [relative.split("/") for relative, _ in files]
    if any(len(part) < depth + 2 for part in parts):
        return {}
    names = sorted({part[depth] for part in parts})
    return {name: i for i, name in enumerate(names)} if len(names) <= 65_536 else {}


def _head(file: Path) -> tuple[str, tuple[int, int]] | None:
    """Mode (L or RGB) and size, from the header alone; None if Pillow cannot tell."""
    try:
        with Image.open(file) as image:
            return ("L" if image.mode in _GREY else "RGB"), image.size
    except Exception:  # Pillow raises nearly anything; decoding will say what
        return None
