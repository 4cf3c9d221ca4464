"""Opens converted data sets: memory-mapped uint8 arrays beside a `dataset.json` that was written last.

`<folder>/<split>.npy` is uint8 [N,C,H,W], `<split>.labels.npy` uint8 or little-endian uint16 [N] where the
split has labels. `dataset.json` holds shapes, sizes and digests, and a digest of itself. Before arrays are
used they are hashed, once per change: `.hashed.json` has the sizes, times and inodes that they had then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import mmap
import os
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal
from weakref import WeakValueDictionary

import msgspec

from benchmark.records import atomic, bounded, schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

METADATA = "dataset.json"
STAMP = ".hashed.json"
SETTLED_NS = 2_000_000_000
FORMAT = 1
SPLITS = ("train", "held-out")
_CHUNK = 1 << 22
_METADATA_BYTES = 64 * bounded.MIB
"""Of a set of 65 536 classes with long names about 20 MB."""
_Size = Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]


class _Split(msgspec.Struct):
    images: Annotated[int, msgspec.Meta(ge=0)]
    labelled: bool


class _Metadata(msgspec.Struct):
    """What of the metadata is read again."""

    shape: tuple[_Size, _Size, _Size]
    digest: str
    splits: dict[Literal["train", "held-out"], _Split]
    files: dict[
        Literal["train.npy", "held-out.npy", "train.labels.npy", "held-out.labels.npy"],
        Annotated[int, msgspec.Meta(ge=0)],
    ]
    sources: dict[str, dict[str, Any]]
    notes: dict[str, Any]


class Damaged(Exception):
    """A converted set that is not as it was written; the text says how."""


def images_file(split: str) -> str:
    """Name of a split's array of images."""
    return f"{split}.npy"


def labels_file(split: str) -> str:
    """Name of a split's array of labels."""
    return f"{split}.labels.npy"


def metadata_digest(metadata: dict[str, Any]) -> str:
    """SHA-256 (hex) of the metadata's canonical JSON without the digest itself."""
    rest = {key: value for key, value in metadata.items() if key != "metadata_digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def metadata(folder: Path) -> dict[str, Any] | None:
    """Read what was converted; None when nothing is there. Looks at sizes only, so it is quick.

    Raises:
        Damaged: the metadata is unreadable or changed, or an array is missing or of another size.

    """
    try:
        found = bounded.read_json(folder / METADATA, _METADATA_BYTES)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise Damaged(f"{METADATA} is of another version of ganbench")
        schema.check(found, _Metadata)
    except FileNotFoundError:
        return None
    except bounded.Unreadable as error:
        raise Damaged(f"cannot read {METADATA} ({error})") from error
    if found.get("metadata_digest") != metadata_digest(found):
        raise Damaged(f"{METADATA} was changed")
    for name, size in found["files"].items():
        try:
            actual = (folder / name).stat().st_size
        except OSError:
            raise Damaged(f"{name} is missing") from None
        if actual != size:
            raise Damaged(f"{name} has {actual} bytes, expected {size}")
    return found


def is_official(found: dict[str, Any]) -> bool:
    """Whether the set was made, without leaving out an image, from files whose digests are published."""
    sources = found["sources"].values()
    whole = not found["notes"].get("left out")
    return whole and bool(sources) and all(source.get("as_published", False) for source in sources)


def open_images(folder: Path, found: dict[str, Any], split: str) -> np.ndarray:
    """Map a split's images uint8 [N,C,H,W]; writing to them changes only the caller's own pages.

    Raises:
        Damaged: the array does not have the recorded shape.

    """
    expected = (found["splits"][split]["images"], *found["shape"])
    return _open(folder / images_file(split), expected, ("uint8",), mapped=expected[0] > 0)


def open_labels(folder: Path, found: dict[str, Any], split: str) -> np.ndarray | None:
    """Labels of a split, uint8 or uint16 [N], or None when it has none. Raises the same error."""
    if not found["splits"][split]["labelled"]:
        return None
    expected = (found["splits"][split]["images"],)
    return _open(folder / labels_file(split), expected, ("uint8", "uint16"), mapped=False)


def verify(
    folder: Path,
    found: dict[str, Any],
    told: Callable[[int, int], None] = lambda *_: None,
    *,
    anew: bool = False,
) -> None:
    """Hash the content, unless that was done since its files last changed.

    Args:
        folder: of the set.
        found: its metadata.
        told: gets (bytes hashed, bytes in all).
        anew: believe only what this process has hashed itself.

    Raises:
        Damaged: it does not have the recorded digest.

    """
    states = _states(folder, found)
    stamp = {"digest": found["digest"], "files": states}
    if _hashed.get(folder) == stamp or (not anew and _read_stamp(folder) == stamp):
        return
    began_ns = time.time_ns()
    actual = content_digest(folder, found, told)
    if actual != found["digest"]:
        (folder / STAMP).unlink(missing_ok=True)
        raise Damaged(f"its content has SHA-256 {actual}, expected {found['digest']}")
    # A file that has just changed may change again within one tick of its times.
    if all(began_ns - max(times) > SETTLED_NS for _, *times, _ in states.values()):
        _hashed[folder] = stamp
        with contextlib.suppress(OSError):  # costs the time to hash it again, no number
            atomic.write_json(folder / STAMP, stamp)


def _states(folder: Path, found: dict[str, Any]) -> dict[str, list[int]]:
    """Size, time of the last write and of the last change in ns, inode of each file."""
    try:
        stats = {name: (folder / name).stat() for name in found["files"]}
    except OSError as error:
        raise Damaged(f"cannot be read ({error.strerror})") from error
    return {name: [s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino] for name, s in stats.items()}


def _read_stamp(folder: Path) -> Any:
    try:
        return bounded.read_json(folder / STAMP, bounded.MIB)
    except (FileNotFoundError, bounded.Unreadable):
        return None


def content_digest(folder: Path, found: dict[str, Any], told: Callable[[int, int], None]) -> str:
    """SHA-256 (hex) of the content, as `DatasetInfo.digest` defines it, of what is on disk now.

    `told` gets (bytes hashed, bytes in all). Raises `Damaged` like the functions that open the arrays.
    """
    digest = hashlib.sha256()
    total, done = sum(found["files"].values()), 0
    for split in SPLITS:
        images = open_images(folder, found, split)
        with (folder / images_file(split)).open("rb") as file:  # a map's pages would count as resident
            file.seek(-images.nbytes, os.SEEK_END)
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                done += len(chunk)
                told(done, total)
    for split in SPLITS:
        labels = open_labels(folder, found, split)
        if labels is not None:
            digest.update(labels.tobytes())
    return digest.hexdigest()


def release(address: int) -> bool:
    """Give the pages of a mapped array, found by its address, back to the system; False if there is none.

    What was written to them is lost; the others are read again when they are used. The system would take
    them back by itself when memory gets short, but until then they count as this process's own.
    """
    mapped = _mapped.get(address)
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)
    return mapped is not None


_hashed: dict[Path, dict[str, Any]] = {}
"""Stamps of the sets that this process has hashed, by folder."""

_mapped: WeakValueDictionary[int, mmap.mmap] = WeakValueDictionary()
"""Live maps by the address of the array in them."""


def _map(path: Path) -> np.ndarray:
    """The array of an NPY file in a private map."""
    import numpy as np

    with path.open("rb") as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("not NPY 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        array = np.frombuffer(mapped, dtype, count=math.prod(shape), offset=file.tell())
    if fortran:
        raise ValueError("Fortran order")
    _mapped[int(array.ctypes.data)] = mapped
    return array.reshape(shape)


def _open(path: Path, shape: tuple[int, ...], dtypes: tuple[str, ...], *, mapped: bool) -> np.ndarray:
    import numpy as np

    try:
        array: np.ndarray = _map(path) if mapped else np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise Damaged(f"cannot open {path.name} ({error})") from error
    if array.shape != shape or array.dtype.name not in dtypes:
        raise Damaged(f"{path.name} holds {array.dtype} {list(array.shape)}, expected {list(shape)}")
    return array
