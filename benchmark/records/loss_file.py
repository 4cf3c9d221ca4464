"""`losses.safetensors`: the losses of every G-iteration of a finished run.

One float32 tensor [K] per loss, under the name that the baseline gives it; value k is of G-iteration k + 1.
The record holds the file's digest, so curves made from it are as good as the record.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from benchmark.records import atomic, bounded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

NAME = "losses.safetensors"
MOST_BYTES = 1 << 30
"""Two losses of 10⁸ G-iterations."""


class UnusableLosses(ValueError):
    """The file is missing, cannot be read, or is not the one that the record speaks of; says which."""


def write(directory: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write float32 columns [K] into the run directory, atomically."""
    from safetensors.numpy import save

    atomic.write_bytes(directory / NAME, save(dict(columns)))


def read(directory: Path, record: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The columns [K] by loss; K is the budget, or `diverged_at` (whose values are the first not finite).

    Raises:
        UnusableLosses: missing, unreadable, not of the digest in `record`, or no such columns.

    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = directory / NAME
    try:
        columns: dict[str, np.ndarray] = load(bounded.read(path, MOST_BYTES))
    except FileNotFoundError:
        raise UnusableLosses(f"{NAME} is missing") from None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UnusableLosses(f"{NAME} cannot be read ({error})") from error
    if digest(columns) != record["digests"].get("losses"):
        raise UnusableLosses(f"{NAME} was altered: it does not have the recorded SHA-256")
    _check_columns(columns, record)
    return columns


def _check_columns(columns: Mapping[str, np.ndarray], record: Mapping[str, Any]) -> None:
    """A digest says whose columns they are, not that a run could have written them."""
    diverged_at = record["diverged_at"]
    k: int = record["gen_iters"] if diverged_at is None else diverged_at
    if k and not columns:
        raise UnusableLosses(f"{NAME} has no losses, and the record {k} G-iterations")
    for name, column in sorted(columns.items()):
        if column.dtype != "float32" or column.shape != (k,):
            found = f"{column.dtype} {list(column.shape)}"
            raise UnusableLosses(f"{NAME} has '{name:.100}' as {found}, not as float32 [{k}]")


def digest(columns: Mapping[str, np.ndarray]) -> str:
    """SHA-256 (hex) over name, type, length and little-endian bytes of every column, by name."""
    total = hashlib.sha256()
    for name in sorted(columns):
        column = columns[name]
        total.update(f"{name}|{column.dtype}|{list(column.shape)}|".encode())
        total.update(column.astype(column.dtype.newbyteorder("<"), copy=False).tobytes())
    return total.hexdigest()


def first_difference(
    then: Mapping[str, np.ndarray], now: Mapping[str, np.ndarray]
) -> tuple[int, str, float, float] | None:
    """The first G-iteration (from 1) with another bit: it, the loss, its values; None if there is none.

    Where one side has fewer G-iterations, or does not have a loss at all, its value is NaN.
    """
    import numpy as np

    found: list[tuple[int, str, float, float]] = []
    for name in sorted({*then, *now}):
        sides = [columns.get(name, np.empty(0, np.float32)) for columns in (then, now)]
        both = min(map(len, sides))
        bits = [side[:both].view(np.uint32) for side in sides]
        unequal = np.flatnonzero(bits[0] != bits[1])
        k = int(unequal[0]) if len(unequal) else both
        if k < max(map(len, sides)):
            values = [float(side[k]) if k < len(side) else float("nan") for side in sides]
            found.append((k + 1, name, values[0], values[1]))
    return min(found, key=lambda difference: difference[:2], default=None)
