"""Readers of the official files, one per format: each gives images and labels chunk by chunk."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np


@dataclass
class Content:
    """What a reader gives; the training images are read to the end before the held-out ones.

    Attributes:
        train: chunks of the training split: images uint8 [N,C,H,W] and their labels [N], or None.
        held_out: chunks of the other split.
        total: number of images, when it is known.
        notes: what the record should say; may be added to until both splits are read.

    """

    train: Iterable[tuple[np.ndarray, np.ndarray | None]]
    held_out: Iterable[tuple[np.ndarray, np.ndarray | None]] = ()
    total: int | None = None
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a reader works on.

    Attributes:
        name: the data set's name.
        files: the source files by name.
        scratch: folder for temporary files named ``.*.tmp``, removed afterwards.
        skip_broken: leave out images that cannot be used, instead of an error.

    """

    name: str
    files: dict[str, Path]
    scratch: Path
    skip_broken: bool = False

    @property
    def to_leave_out(self) -> str:
        """What to type for a set without images that cannot be used: other commands have no such option."""
        return f"leave them out: ganbench data fetch {shlex.quote(self.name)} --skip-broken"


def slices(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover 0..n."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
