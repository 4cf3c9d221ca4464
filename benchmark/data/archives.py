"""Takes named files out of downloaded archives, and nothing else, to paths of our own choosing."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def extract(archive: Path, wanted: Iterable[str], into: Path) -> dict[str, Path]:
    """Copy members of a tar file, by the last part of their names, to ``into/.member.NAME.tmp``.

    Raises:
        UserError: the archive is damaged, lacks one of them, or has a member with an absolute path, a
            ``..``, or that is a link or device: no official archive has.

    """
    missing = dict.fromkeys(wanted)
    found: dict[str, Path] = {}
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                _check(member, archive)
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
