"""What is expensive to compute again, kept on disk by content: never believed without its digest.

An entry is one safetensors file, named by the SHA-256 of its key. Its header holds the key and a SHA-256 over
the arrays; a file that is cut short, altered or of another key is made anew and replaced.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import TYPE_CHECKING, Any

from benchmark.records import atomic, bounded, places

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np

    Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]


_MOST_BYTES = 1 << 34
"""Of an entry: features of 50 000 images have 0.4 GB."""


def arrays(kind: str, key: Mapping[str, Any], build: Callable[[], Arrays]) -> Arrays:
    """The arrays stored under a key, or those that `build` computes, which are then stored.

    Args:
        kind: what they are, in a word; for people who look into the directory.
        key: everything they depend on, as JSON data.
        build: computes them.

    """
    text = json.dumps({"kind": kind, **key}, sort_keys=True)
    name = hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]
    path = places.cache_dir() / "evaluation" / f"{kind}-{name}.safetensors"
    found = _read(path, text)
    if found is None:
        found = build()
        try:
            _write(path, text, found)
        except OSError as error:  # costs the time to compute it again, no number
            warnings.warn(f"{path.parent} cannot keep {kind} ({error.strerror})", stacklevel=2)
    return found


def _write(path: Path, text: str, content: Arrays) -> None:
    import numpy as np
    from safetensors.numpy import save

    content = {name: np.ascontiguousarray(array) for name, array in content.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(path, save(content, metadata={"key": text, "sha256": _digest(content)}))


def _read(path: Path, text: str) -> Arrays | None:
    """The arrays of an intact entry with this very key; None otherwise."""
    from safetensors import SafetensorError, safe_open

    try:
        bounded.check_regular(path, _MOST_BYTES)
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
            content = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iterator
    except (OSError, SafetensorError, ValueError, TypeError):
        return None
    intact = header.get("key") == text and header.get("sha256") == _digest(content)
    return content if intact else None


def _digest(content: Arrays) -> str:
    total = hashlib.sha256()
    for name in sorted(content):
        array = content[name]
        total.update(f"{name}|{array.dtype}|{array.shape}|".encode())
        total.update(array.tobytes())
    return total.hexdigest()
