"""What took an import of torch to find out, kept in the user's cache folder: JSON with its SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 26


def place(kind: str, key: Any) -> Path | None:
    """File for what follows from `key`, the code of this package, Python and torch; None without a cache."""
    from importlib.metadata import PackageNotFoundError, version

    from platformdirs import user_cache_path

    with suppress(PackageNotFoundError):
        key = [key, version("torch")]
    own = {path.name: sha256(path) for path in sorted(Path(__file__).parent.rglob("*.py"))}
    text = json.dumps([key, sys.version, own])
    try:
        folder = user_cache_path("ganbench", appauthor=False) / kind
    except RuntimeError:  # a user without home
        return None
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json" if folder.is_absolute() else None


def read(path: Path | None) -> dict[str, Any] | None:
    """What was kept, if it is whole and this user's."""
    try:
        if path is None or not path.is_file():
            return None
        status = path.stat()
        if status.st_size > MOST_BYTES or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
            return None
        content: dict[str, Any] = json.loads(path.read_bytes())
        return content if content.pop("sha256") == _digest(content) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def write(path: Path | None, content: dict[str, Any]) -> None:
    """Keep it, where that is possible."""
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({**content, "sha256": _digest(content)}, file)
        Path(name).replace(path)


def forget(path: Path | None) -> None:
    """Remove it, where that is possible."""
    with suppress(OSError):
        if path:
            path.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Of a file's content, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
