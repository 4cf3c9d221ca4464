"""Errors that nobody thought of: a line for the person, a file with everything else for a report."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import UserError
from benchmark.records import places

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_CODE = 70
"""An error in ganbench itself, as EX_SOFTWARE of sysexits.h; no verdict on anything."""
DEBUG_VARIABLE = "GANBENCH_DEBUG"
_PACKAGES = ("ganbench", "torch", "torchvision", "numpy", "click", "rich")


def told(error: BaseException, argv: list[str]) -> str:
    """One line that names the error and the file that was saved about it.

    With ``GANBENCH_DEBUG`` set, the traceback is shown on stderr as well.
    """
    try:
        trace, said = "".join(traceback.format_exception(error)), str(error)
    except Exception:  # an error of somebody whose text is one too
        trace = said = type(error).__name__
    if os.environ.get(DEBUG_VARIABLE):
        with suppress(OSError):
            sys.stderr.write(trace)
    saved = _save(_content(trace, argv))
    kept = f"what is known of it is in {saved}" if saved else "no file about it could be written"
    reason = " ".join(said.split())[:200]
    return (
        f"unexpected error ({type(error).__name__}{': ' if reason else ''}{reason}); {kept}. "
        f"Please report it; {DEBUG_VARIABLE}=1 shows the traceback"
    )


def _content(trace: str, argv: list[str]) -> str:
    found = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    versions = "\n".join(f"{name} {number}" for name, number in found.items())
    where = f"{sys.implementation.name} {platform.python_version()}, {platform.system()} {platform.release()}"
    return f"ganbench {' '.join(map(repr, argv))}\n{where}\n{versions}\n\n{trace}"


def _save(content: str) -> Path | None:
    """The file; None where none can be written."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for folder in _folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"ganbench-error-{stamp}-", suffix=".txt", dir=folder)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(content)
            return Path(name)
    return None


def _folders() -> Iterator[Path]:
    """Below the cache folder or, where that cannot be, the folder for temporary files."""
    with suppress(UserError, OSError):
        yield places.cache_dir() / "errors"
    with suppress(OSError):
        yield Path(tempfile.gettempdir())
