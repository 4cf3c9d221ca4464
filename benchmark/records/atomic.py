"""Files that are either whole or absent, also after a crash or a power cut."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write through a temporary file in the same directory: fsync, rename, fsync of the directory."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def target(path: Path) -> str:
    """Name of the file that a temporary one is for; other names stay as they are."""
    return re.sub(r"^\.(.+)\.\d+\.tmp$", r"\1", path.name)


def remove_litter(folder: Path) -> None:
    """Remove temporary files that a killed process left below a folder that nobody else writes to."""
    for path in folder.rglob(".*.tmp"):
        path.unlink()


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON; `ValueError` for NaN or infinity, which JSON does not have."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode("utf-8"))


def write_scratch_json(path: Path, value: Any) -> None:
    """Replace a small file that may be lost in a crash but is never seen half written: no fsync."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)
