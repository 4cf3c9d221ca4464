"""Writes data sets as arrays that later runs map: chunk by chunk, hashed on the way, whole or absent.

Arrays are written front to back, not through a writable map, whose dirty pages would count as resident.
`dataset.json` comes last; a set without it does not exist. `locked` lets a second process wait.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from benchmark import __version__
from benchmark.data import converted
from benchmark.errors import UserError
from benchmark.records import atomic, locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmark.data.sources import Content


@contextmanager
def locked(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a data set's folder, made if need be, for this process; calls `waiting` before it waits.

    Raises:
        UserError: the folder cannot be made or written.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = locks.hold(folder, waiting)
    except OSError as error:
        raise UserError(
            f"cannot write there ({error.strerror})",
            where=str(folder),
            do="Choose another data directory with --data-dir",
        ) from error
    with lock:
        yield


def convert(
    folder: Path,
    content: Content,
    *,
    name: str,
    expected_digest: str,
    sources: dict[str, Any],
    told: Callable[[int, int | None], None],
) -> dict[str, Any]:
    """Write a set's arrays into a locked folder and return its metadata, written last.

    Args:
        folder: where to; an earlier conversion in it stops being valid first.
        content: the images and labels.
        name: the data set's name.
        expected_digest: SHA-256 the content must have, or empty.
        sources: what it is made from, for the record.
        told: gets (images written, images in all or None).

    Raises:
        UserError: the content has another digest, the images no common shape, or the disk is full.

    """
    (folder / converted.METADATA).unlink(missing_ok=True)
    writer = _Writer(folder, content.total, told)
    try:
        for split, chunks in (("train", content.train), ("held-out", content.held_out)):
            with writer.split(split) as add:
                for images, labels in chunks:
                    add(images, labels)
        found = writer.finish(name, expected_digest, sources, content)
    except OSError as error:
        writer.discard()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = f"no space left after {writer.n_images} images"
            raise UserError(what, where=str(folder), do="Free some, or choose another --data-dir") from error
        raise
    except BaseException:
        writer.discard()
        raise
    return found


class _Writer:
    """The arrays of one conversion under temporary names, until `finish` renames them."""

    def __init__(self, folder: Path, total: int | None, told: Callable[[int, int | None], None]) -> None:
        self._folder, self._total, self._told = folder, total, told
        self._digest = hashlib.sha256()
        self._shape: tuple[int, ...] | None = None
        self._labels: dict[str, list[np.ndarray]] = {split: [] for split in converted.SPLITS}
        self._counts = dict.fromkeys(converted.SPLITS, 0)
        self.n_images = 0

    @contextmanager
    def split(self, split: str) -> Iterator[Callable[[np.ndarray, np.ndarray | None], None]]:
        """A function that adds images uint8 [N,C,H,W] with labels [N] or None to a split."""
        with self._temporary(converted.images_file(split)).open("w+b") as file:

            def add(images: np.ndarray, labels: np.ndarray | None) -> None:
                if images.dtype != np.uint8 or images.ndim != 4:
                    raise ValueError(f"a reader gave {images.dtype} {images.shape}")
                if self._shape is None:
                    self._shape = images.shape[1:]
                if images.shape[1:] != self._shape:
                    raise UserError(
                        f"images of shape {list(images.shape[1:])} after some of {list(self._shape)}",
                        where=str(self._folder),
                    )
                if not file.tell():
                    _write_header(file, (0, *self._shape))
                data = np.ascontiguousarray(images).reshape(-1).data
                self._digest.update(data)
                file.write(data)
                if labels is not None:
                    self._labels[split].append(np.asarray(labels, dtype=np.int64))
                self._counts[split] += len(images)
                self.n_images += len(images)
                self._told(self.n_images, self._total)

            yield add
            body = file.tell()
            if not body and self._shape is not None:
                _write_header(file, (0, *self._shape))
            elif body:
                file.seek(0)
                _write_header(file, (self._counts[split], *(self._shape or ())))
            file.flush()
            os.fsync(file.fileno())

    def finish(
        self, name: str, expected_digest: str, sources: dict[str, Any], content: Content
    ) -> dict[str, Any]:
        """Write the labels, compare the digest, give the files their names, write the metadata."""
        if self._shape is None or not self._counts["train"]:
            raise UserError("there is no image to train on", where=name)
        names = [converted.images_file(split) for split in converted.SPLITS]
        for split in converted.SPLITS:
            if self._labels[split]:
                self._write_labels(split)
                names.append(converted.labels_file(split))
        digest = self._digest.hexdigest()
        if expected_digest and digest != expected_digest:
            raise UserError(
                f"the images have SHA-256 {digest}, expected {expected_digest}",
                where=f"data set '{name}', {self._folder}",
                do="Remove the files it was made from, and fetch them again",
            )
        for file in names:
            self._temporary(file).replace(self._folder / file)
        found: dict[str, Any] = {
            "format": converted.FORMAT,
            "name": name,
            "shape": list(self._shape),
            "digest": digest,
            "splits": {
                split: {"images": self._counts[split], "labelled": bool(self._labels[split])}
                for split in converted.SPLITS
            },
            "files": {file: (self._folder / file).stat().st_size for file in names},
            "sources": sources,
            "notes": content.notes,
            "converted_utc": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "ganbench": __version__,
        }
        found["metadata_digest"] = converted.metadata_digest(found)
        atomic.write_json(self._folder / converted.METADATA, found)
        return found

    def discard(self) -> None:
        """Remove what was written."""
        for path in self._folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def _write_labels(self, split: str) -> None:
        labels = np.concatenate(self._labels[split])
        if len(labels) != self._counts[split] or labels.min() < 0 or labels.max() > 65_535:
            raise UserError(
                f"{len(labels)} labels from {labels.min()} to {labels.max()}, {self._counts[split]} images",
                where=f"{self._folder}, {split}",
            )
        stored = labels.astype("u1" if labels.max() < 256 else "<u2")
        self._digest.update(stored.tobytes())
        with self._temporary(converted.labels_file(split)).open("wb") as file:
            np.save(file, stored, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())

    def _temporary(self, name: str) -> Path:
        return self._folder / f".{name}.tmp"


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """NPY header of a uint8 array; its length is the same for every number of images (NumPy leaves room)."""
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
