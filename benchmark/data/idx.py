"""Reader for MNIST's IDX files, gzipped or extracted, in the directory layout torchvision uses.

Format: http://yann.lecun.com/exdb/mnist/ (big-endian; two zero bytes, the type code 0x08 for unsigned bytes,
the number of dimensions, one 32-bit size per dimension, then the values in C order).
"""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmark.data import archives
from benchmark.errors import UserError
from benchmark.records import bounded

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = bytes((0, 0, 0x08))  # 0x08: unsigned bytes
_DOWNLOAD_AGAIN = "Download the file again"
_STEMS = {"train": "train", "test": "t10k"}


def find(directory: Path, file_name: str) -> Path:
    """Path of `file_name` or `file_name`.gz in `directory`, its ``raw`` or its ``MNIST/raw`` subdirectory."""
    for folder in (directory, directory / "raw", directory / "MNIST" / "raw"):
        for candidate in (folder / file_name, folder / f"{file_name}.gz"):
            if candidate.is_file():
                return candidate
    raise UserError(
        f"no file '{file_name}' or '{file_name}.gz'",
        where=str(directory),
        do="Point to the directory that holds MNIST's four IDX files",
    )


def read_bytes(path: Path) -> bytes:
    """Read the uncompressed content of an IDX file; `UserError` when it is cut off or unreadable."""
    try:
        if path.suffix == ".gz":
            return b"".join(archives.gzip_chunks(path))
        return bounded.read(path, archives.MOST_IN_GZIP)
    except (OSError, EOFError, zlib.error, bounded.Unreadable) as error:
        raise UserError(f"cannot read the file ({error})", where=str(path), do=_DOWNLOAD_AGAIN) from error


def parse(content: bytes, where: str = "") -> np.ndarray:
    """Decode the uint8 array an IDX file holds; `UserError` when the header and the length disagree."""
    n_dims = content[3] if content[:3] == _MAGIC and len(content) > 3 else 0
    header = 4 + 4 * n_dims
    if n_dims and len(content) >= header:
        shape = struct.unpack(f">{n_dims}I", content[4:header])
        if len(content) == header + math.prod(shape):
            return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape).copy()
    raise UserError("not an IDX file of unsigned bytes", where=where, do=_DOWNLOAD_AGAIN)


def mnist(directory: Path, split: Literal["train", "test"]) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """MNIST images [N,28,28] and labels [N], uint8, and the SHA-256 of each file's uncompressed content."""
    arrays, digests = [], {}
    for kind in ("images-idx3", "labels-idx1"):
        name = f"{_STEMS[split]}-{kind}-ubyte"
        path = find(directory, name)
        content = read_bytes(path)
        arrays.append(parse(content, where=str(path)))
        digests[name] = hashlib.sha256(content).hexdigest()
    return arrays[0], arrays[1], digests
