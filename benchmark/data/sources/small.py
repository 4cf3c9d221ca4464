"""Readers of sets in a few binary files: MNIST and Fashion-MNIST, CIFAR-10, SVHN, STL-10."""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmark.data import archives, idx, pixels
from benchmark.data.sources import Content, Request, slices
from benchmark.errors import UserError
from benchmark.records import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 2048
_MOST_IN_MAT = 1 << 31
"""Bytes, and numbers in an array; the largest of SVHN and TFD have 0.5 GB."""
_MAT_KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64", "single", "double")
_CIFAR_TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
_CIFAR_TEST = "test_batch.bin"
_CIFAR_RECORD = 1 + 3 * 32 * 32


def mnist(request: Request) -> Content:
    """Read the four IDX files of MNIST or Fashion-MNIST, gzipped or not: uint8 [N,1,28,28]."""

    def split(stem: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        paths = [request.files[f"{stem}-{kind}-ubyte.gz"] for kind in ("images-idx3", "labels-idx1")]
        images, labels = (idx.parse(idx.read_bytes(path), where=str(path)) for path in paths)
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            what = f"{list(labels.shape)} labels for images of shape {list(images.shape)}"
            raise UserError(what, where=str(paths[0]))
        yield images[:, None], labels

    return Content(split("train"), split("t10k"))


def cifar10(request: Request) -> Content:
    """Read CIFAR-10's binary version (https://www.cs.toronto.edu/~kriz/cifar.html): uint8 [N,3,32,32].

    A record is one label and 3 072 pixels, planes of red, green, blue in row-major order.
    """
    archive = request.files["cifar-10-binary.tar.gz"]
    members = archives.extract(archive, (*_CIFAR_TRAIN, _CIFAR_TEST), request.scratch)

    def batch(name: str) -> tuple[np.ndarray, np.ndarray]:
        content = np.fromfile(members[name], dtype=np.uint8)
        if not len(content) or len(content) % _CIFAR_RECORD:
            raise UserError(f"'{name}' is no whole number of records", where=str(archive))
        records = content.reshape(-1, _CIFAR_RECORD)
        if records[:, 0].max() > 9:
            raise UserError(f"'{name}' has a label above 9", where=str(archive))
        return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]

    return Content(map(batch, _CIFAR_TRAIN), map(batch, (_CIFAR_TEST,)))


def svhn(request: Request) -> Content:
    """Read SVHN's format 2: ``X`` uint8 [32,32,3,N], ``y`` [N,1] in 1..10, of which 10 is the digit 0."""

    def split(name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        path = request.files[name]
        found = load_mat(path, ("X", "y"))
        images = found["X"]
        labels = _from_one(found["y"].reshape(-1), 10, "y", path) % 10
        if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
            what = f"X is {images.dtype} {list(images.shape)} for {len(labels)} labels"
            raise UserError(what, where=str(path))
        for part in slices(len(labels), _CHUNK):
            yield images[..., part].transpose(3, 2, 0, 1), labels[part]

    return Content(split("train_32x32.mat"), split("test_32x32.mat"))


def stl10(request: Request) -> Content:
    """Read STL-10's binary files (https://cs.stanford.edu/~acoates/stl10), shrunk to uint8 [N,3,48,48].

    Images are 3 planes of 96×96 in column-major order, labels 1..10. The unlabelled images (2.8 GB) are
    mapped, not loaded.
    """
    archive = request.files["stl10_binary.tar.gz"]
    names = ("unlabeled_X.bin", "test_X.bin", "test_y.bin")
    members = archives.extract(archive, names, request.scratch)

    def split(images: str, labels: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        size = members[images].stat().st_size
        n = size // (3 * 96 * 96)
        if not n or size != n * 3 * 96 * 96 or (labels is not None and len(labels) != n):
            raise UserError(f"'{images}' is cut off", where=str(archive), do="Remove it and fetch again")
        for part in slices(n, _CHUNK):
            columns = np.fromfile(
                members[images],
                dtype=np.uint8,
                count=(part.stop - part.start) * 3 * 96 * 96,
                offset=part.start * 3 * 96 * 96,
            ).reshape(-1, 3, 96, 96)
            yield _shrunk(columns.transpose(0, 3, 2, 1), 48), None if labels is None else labels[part]

    test_labels = _from_one(np.fromfile(members["test_y.bin"], dtype=np.uint8), 10, "test_y.bin", archive) - 1
    return Content(split("unlabeled_X.bin", None), split("test_X.bin", test_labels))


def _from_one(labels: np.ndarray, last: int, name: str, path: Path) -> np.ndarray:
    """The labels as int64; `UserError` unless all are whole numbers from 1 to the last."""
    if not np.isin(labels, np.arange(1, last + 1)).all():
        raise UserError(f"'{name}' has labels other than 1 to {last}", where=str(path))
    return labels.astype(np.int64)


def load_mat(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of a MATLAB file; `UserError` when it is unreadable or lacks one."""
    try:
        scipy_io = importlib.import_module("scipy.io")
    except ImportError as error:
        raise UserError("reading .mat files needs SciPy", where=str(path), do="pip install scipy") from error
    try:
        bounded.check_regular(path, _MOST_IN_MAT)
        for name, shape, kind in scipy_io.whosmat(path):  # headers alone
            if name in keys and (kind not in _MAT_KINDS or math.prod(shape) > _MOST_IN_MAT):
                raise UserError(f"'{name}' is {kind} {list(shape)}", where=str(path))
        found = scipy_io.loadmat(path, variable_names=list(keys))
    except UserError:
        raise
    except Exception as error:  # SciPy's reader raises nearly anything on damaged files
        raise UserError(f"cannot read the file ({error})", where=str(path)) from error
    missing = [key for key in keys if key not in found]
    if missing:
        raise UserError(f"the file has no array '{missing[0]}'", where=str(path))
    return {key: np.asarray(found[key]) for key in keys}


def _shrunk(images: np.ndarray, size: int) -> np.ndarray:
    """Images [N,H,W,3] resized to [N,3,size,size]."""
    return np.stack(
        [pixels.array(pixels.resized(Image.fromarray(np.ascontiguousarray(i)), size, size)) for i in images]
    )
