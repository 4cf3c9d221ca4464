"""Takes named files out of archives, and nothing else, to paths of our own choosing.

A small archive can unpack to terabytes. What is unpacked is therefore bounded, and the bound is looked at
before the bytes are made, or as they come.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zipfile
import zlib
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_IN_GZIP = 1 << 30
"""Bytes; the largest IDX file of the MNIST family has 0.55 GB."""
MOST_IN_TAR = 1 << 32
"""Bytes in all members; STL-10 has 3.1 GB."""
MOST_IN_MEMBER = 1 << 26
"""Bytes of a picture in a ZIP file."""
_MOST_IN_HEADER = 1 << 20
_CHUNK = 1 << 20


class _TarInfo(tarfile.TarInfo):
    """A member whose long names and attributes, which are read into memory, are bounded."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if not (self.isfile() or self.isdir()) and self.size > _MOST_IN_HEADER:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(tar)  # type: ignore[misc]


def gzip_chunks(path: Path) -> Iterator[bytes]:
    """The content of a gzipped file, of all its members, in parts.

    Raises:
        gzip.BadGzipFile: damaged, or more than `MOST_IN_GZIP`.
        EOFError, zlib.error: cut off or damaged.

    """
    total = 0
    with gzip.open(path) as content:
        while chunk := content.read(_CHUNK):
            total += len(chunk)
            if total > MOST_IN_GZIP:
                raise gzip.BadGzipFile(f"unpacks to more than {MOST_IN_GZIP} bytes")
            yield chunk


def check_zip(file: zipfile.ZipFile, path: Path) -> None:
    """Refuse a ZIP file whose members say that they would fill more than half of the memory.

    Raises:
        UserError: it would; or two members have one name, and readers differ in which they take.

    """
    names = Counter(member.filename for member in file.infolist())
    for name, count in names.most_common(1):
        if count > 1:
            raise UserError(f"has {count} members called '{name}'", where=str(path), do="Write it again")
    n_bytes = sum(member.file_size for member in file.infolist())
    if n_bytes > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2:
        raise UserError(f"unpacks to {n_bytes / 1e9:.0f} GB, more than half of the memory", where=str(path))


def picture(file: zipfile.ZipFile, name: str) -> bytes:
    """A picture in a ZIP file.

    Raises:
        KeyError: there is none of this name.
        zipfile.BadZipFile: damaged, or more than `MOST_IN_MEMBER`.

    """
    if (size := file.getinfo(name).file_size) > MOST_IN_MEMBER:
        raise zipfile.BadZipFile(f"unpacks to {size} bytes")
    return file.read(name)


def extract(archive: Path, wanted: Iterable[str], into: Path) -> dict[str, Path]:
    """Copy members of a tar file, by the last part of their names, to ``into/.member.NAME.tmp``.

    Raises:
        UserError: the archive is damaged, lacks one of them, or has a member with an absolute path, a
            ``..``, or that is a link or device: no official archive has. Or its members have more than
            `MOST_IN_TAR` bytes.

    """
    missing = dict.fromkeys(wanted)
    found: dict[str, Path] = {}
    total = 0
    try:
        with tarfile.open(archive, "r|*", tarinfo=_TarInfo) as tar:
            for member in tar:
                _check(member, archive)
                total += member.size
                if total > MOST_IN_TAR:
                    raise tarfile.ReadError(f"unpacks to more than {MOST_IN_TAR} bytes")
                name = PurePosixPath(member.name).name
                if name not in missing or not member.isfile():
                    continue
                content = tar.extractfile(member)
                path = into / f".member.{name}.tmp"
                if content is None:
                    continue
                with content, path.open("wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                if path.stat().st_size != member.size:
                    raise tarfile.ReadError("unexpected end of data")
                found[name] = path
                del missing[name]
                if not missing:
                    break
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(
            f"damaged archive ({error})", where=str(archive), do="Remove it and fetch again"
        ) from error
    if missing:
        raise UserError(f"the archive has no '{next(iter(missing))}'", where=str(archive))
    return found


def _check(member: tarfile.TarInfo, archive: Path) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise UserError(
            f"refused: member '{member.name}' points out of the archive",
            where=str(archive),
            do="Remove it; this is not the official file",
        )
