"""Folders of the user, also of one who has no home: a container's user without a line in /etc/passwd."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

CACHE_VARIABLE = "GANBENCH_CACHE_DIR"


def cache_dir() -> Path:
    """``$GANBENCH_CACHE_DIR``, else `user_cache`. It may not exist yet."""
    own = os.environ.get(CACHE_VARIABLE)
    return Path(own) if own else user_cache()


def user_cache() -> Path:
    """``ganbench`` in the user's cache folder; without a home, `temporary`."""
    with suppress(RuntimeError):  # no home; older versions of platformdirs then give a path below ~
        from platformdirs import user_cache_path  # tests/portable/arms.py does without it

        path = user_cache_path("ganbench", appauthor=False)
        if path.is_absolute():
            return path
    return temporary()


def unlinked(path: str, flags: int) -> int:
    """For `open`: a descriptor of a file to append to; `OSError` where a link would lead elsewhere."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def temporary() -> Path:
    """A folder of the user's among temporary files, which others cannot enter.

    Raises:
        UserError: it is somebody else's.

    """
    path = Path(tempfile.gettempdir()) / f"ganbench-{os.getuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        do = f"Name a folder of yours by ${CACHE_VARIABLE} and $GANBENCH_DATA_DIR"
        raise UserError("is somebody else's", where=str(path), do=do)
    return path


def expanded(text: str, where: str = "") -> Path:
    """A path as a person writes it, absolute, with ``~`` as the home folder.

    Raises:
        UserError: there is no such home, or no such path can be.

    """
    if "\0" in text:
        raise UserError("no path has a NUL in it", where=where or text)
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise UserError("there is no home folder", where=where or text, do="Write the whole path") from error


def inside(directory: Path, name: str) -> Path | None:
    """The file of that name in a run directory; None if it lies elsewhere, as through a link.

    A stranger's run must not make a report embed, or a published folder hold, other files of the user.
    """
    path = directory / name
    try:
        return path if path.resolve().is_relative_to(directory.resolve()) else None
    except (OSError, RuntimeError):  # links in a circle
        return None


def refuse_among(runs: Iterable[Path], target: Path, option: str) -> None:
    """Refuse to write where these runs lie: what reads runs would find it there, and `set_aside` move it.

    Raises:
        UserError: `target` is one of the directories or below it, or below the folder ``runs`` that has it.

    """
    where = Path(os.path.realpath(target))  # `resolve` fails at links in a circle
    for own in {run.resolve() for run in runs}:
        if where.is_relative_to(next((up for up in own.parents[2:3] if up.name == "runs"), own)):
            do = "Name a folder outside of the results"
            raise UserError("lies among the runs themselves", where=f"{option} {target}", do=do)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files of a folder, newest first: G-iterations in nine digits, more from 10⁹ on.

    Whatever else lies there, such as a copy called `000000100 (1)`, is none.
    """
    found = [path for path in folder.glob("*.safetensors") if re.fullmatch("[0-9]{9,15}", path.stem)]
    return sorted(found, key=lambda path: (int(path.stem), path.stem), reverse=True)


def home() -> str:
    """The home folder; empty for a user who has none, or where it is the root."""
    try:
        found = str(Path.home())
    except RuntimeError:
        return ""
    return found if len(found) > 1 else ""
