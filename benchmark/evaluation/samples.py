"""Images that are there already: an array, a file with one, a folder of pictures.

They are taken in the order of the SHA-256 of their pixels. So a score depends on the images alone, not on
how they are called, stored or sorted; and if there are more than a protocol takes, those that are taken are
chosen by nothing that has to do with what they show.
"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmark.data import folders, pixels
from benchmark.errors import UserError
from benchmark.evaluation.source import Source
from benchmark.training.quantise import Generated, NonFiniteImages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BATCH = 500
_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")
_KEPT_BYTES = 1 << 29
"""Pictures of a folder are decoded once if all together take no more than this, else twice."""

_MORE = "goes on after its array, as if several had been written one after the other; one would be scored"
_JOIN = "Write all images as one array"


def of_array(images: Any, value_range: tuple[float, float] | None, where: str, **described: Any) -> Source:
    """Images [N,C,H,W]: uint8 as they are, floating-point from `value_range` (black, white).

    Raises:
        UserError: another shape or type, no range for floating-point values, or NaN or Inf among them.

    """
    try:
        tensor = torch.as_tensor(images)
    except (TypeError, ValueError) as error:
        raise UserError(str(error).partition(". ")[0], where=where, do="Give uint8 or float32") from error
    if tensor.dim() != 4 or tensor.shape[1] not in (1, 3) or not tensor.numel():
        shape = "x".join(map(str, tensor.shape)) or "one value"
        raise UserError(f"is {shape}, not [N,C,H,W] with one channel or three", where=where)
    if tensor.dtype != torch.uint8 and not tensor.is_floating_point():
        raise UserError(f"holds {tensor.dtype}", where=where, do="Give uint8 or floating-point values")
    if tensor.dtype != torch.uint8 and value_range is None:
        do = "Add --range LOW HIGH, the values that are black and white, or store uint8"
        raise UserError(f"holds {tensor.dtype}, whose range is not said", where=where, do=do)

    def generated(part: Tensor) -> Generated:
        if part.dtype == torch.uint8:
            return Generated(part.cpu())
        assert value_range is not None
        return Generated.of(part, value_range, len(part))

    try:
        parts = [generated(part).images for part in torch.split(tensor, _BATCH)]
    except NonFiniteImages as error:
        raise UserError(f"nothing to score: {error}", where=where) from error
    if tensor.shape[1] == 3 and all((part == part[:, :1]).all() for part in parts):
        tensor, parts = tensor[:, :1], [part[:, :1] for part in parts]
    order, notes = _order((image for part in parts for image in part.numpy()), where)

    def batches(n: int) -> Iterator[Generated]:
        for chosen in torch.split(order[:n], _BATCH):
            yield generated(tensor[chosen.to(tensor.device)].contiguous())

    return Source(batches, {**described, "images": len(tensor)}, where, len(tensor), notes=notes)


def of_file(file: Path, key: str | None, value_range: tuple[float, float] | None) -> Source:
    """Images in a NumPy file: [N,H,W,C] or [N,C,H,W] with one channel or three, or [N,H,W].

    Of an .npz file, the array ``arr_0`` or the only one, unless `key` names another.

    Raises:
        UserError: the file is damaged, has no such array, or one too large for the memory.

    """
    array = _array(file, key)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    return of_array(array, value_range, str(file), file=file.name)


def of_folder(folder: Path) -> Source:
    """All pictures of a folder, read like those to train on (`benchmark.data.folders`).

    Raises:
        UserError: there is none, or some cannot be used; or the folder has splits.

    """
    found, where = folders.look(folder), str(folder)
    if found.held_out:
        names = " and ".join(f"'{name}'" for name in found.names.values())
        raise UserError(f"has the splits {names}", where=where, do="Name one of them")
    if not found.train:
        raise UserError("; ".join(["there is no image", *found.account()]), where=where)
    colour, size = found.has_colour(), found.sizes()[0][0] if found.sizes() else None
    channels = 3 if colour else 1
    n_bytes = len(found.train) * channels * (size[0] * size[1] if size else 0)
    kept: dict[int, np.ndarray[Any, np.dtype[np.uint8]]] = {}
    files = [file for _, file in found.train]

    def read() -> Iterator[np.ndarray[Any, np.dtype[np.uint8]]]:
        for i, (relative, file) in enumerate(found.train):
            if not found.fits(relative, size):
                continue
            try:
                image = pixels.array(found.picture(file, colour, size))
            except pixels.BrokenImage as error:
                found.unusable.add("broken", relative, str(error))
                continue
            if n_bytes <= _KEPT_BYTES:
                kept[i] = image
            yield image

    order, copies = _order(read(), where)
    found.unusable.stop(where, len(found.train), "Repair or remove them")
    shape = f"{size[1]} x {size[0]}" if size else ""
    parts = [f"{len(files)} images, {shape}, {'coloured' if colour else 'grey'}", *found.account()]
    if lossy := sum(file.suffix.lower() in _LOSSY for file in files):
        parts.append(f"{lossy} are JPEG, which changes pixels")
    notes = [f"{where}: {'; '.join(parts)}", *copies]

    def batches(n: int) -> Iterator[Generated]:
        for chosen in torch.split(order[:n], _BATCH):
            images = [
                kept[i] if i in kept else pixels.array(found.picture(files[i], colour, size))
                for i in chosen.tolist()
            ]
            yield Generated(torch.from_numpy(np.stack(images)))

    return Source(batches, {"folder_images": len(files)}, where, len(files), notes=notes)


def _order(images: Iterable[np.ndarray[Any, np.dtype[np.uint8]]], where: str) -> tuple[Tensor, list[str]]:
    """Positions of uint8 images [C,H,W] in the order of the SHA-256 of their pixels; a line on copies."""
    digests = [hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images]
    order = torch.tensor(sorted(range(len(digests)), key=digests.__getitem__), dtype=torch.int64)
    copies = len(digests) - len(set(digests))
    return order, [f"{where}: {copies} of the {len(digests)} images are copies of others"] if copies else []


def _array(file: Path, key: str | None) -> np.ndarray[Any, np.dtype[Any]]:
    where = str(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they are about is an error that follows
            with file.open("rb") as opened:
                zipped_arrays = opened.read(2) == b"PK"
            return _member(file, key) if zipped_arrays else _alone(file, key)
    except UserError:
        raise
    except Exception as error:  # NumPy raises nearly anything on damaged files
        raise UserError(f"cannot be read as an array ({error})", where=where) from error


def _alone(file: Path, key: str | None) -> np.ndarray[Any, np.dtype[Any]]:
    """The array of an .npy file, mapped."""
    if key is not None:
        raise UserError("has one array, which has no name", where=str(file), do="Leave out --key")
    array: np.memmap[Any, np.dtype[Any]] = np.load(file, mmap_mode="c", allow_pickle=False)
    if file.stat().st_size > array.offset + array.nbytes:
        raise UserError(_MORE, where=str(file), do=_JOIN)
    return array


def _member(file: Path, key: str | None) -> np.ndarray[Any, np.dtype[Any]]:
    """An array of an .npz file."""
    with zipfile.ZipFile(file) as zipped:
        members = zipped.infolist()
        names = [info.filename.removesuffix(".npy") for info in members]
        name = key or ("arr_0" if "arr_0" in names or len(names) != 1 else names[0])
        if names.count(name) != 1:
            what = f"has several '{name}'" if name in names else f"has no array '{name}'"
            raise UserError(what, where=str(file), do=f"Name one of them with --key: {', '.join(names)}")
        with zipped.open(members[names.index(name)]) as content:
            array: np.ndarray[Any, np.dtype[Any]] = np.lib.format.read_array(content, allow_pickle=False)
            if content.read(1):
                raise UserError(f"'{name}' {_MORE}", where=str(file), do=_JOIN)
    return array
