"""What readers of many compressed pictures share: chunks of arrays, and one account of what was unusable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark.data import pixels
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from PIL import Image

_CHUNK_BYTES = 16_000_000
_NAMED = 3


class Unusable:
    """Pictures that cannot be used, by kind: how many, and the first few by name."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}

    def add(self, kind: str, name: str, why: str = "") -> None:
        """Note one picture."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        named = self._names.setdefault(kind, [])
        if len(named) < _NAMED:
            named.append(f"{name}: {why}" if why else name)

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return dict(self._counts)

    def stop(self, where: str, total: int, do: str) -> None:
        """Raise one `UserError` that names them all with counts, if there are any."""
        if not self._counts:
            return
        kinds = "; ".join(
            f"{count} {kind} ({', '.join(self._names[kind])}{', …' if count > _NAMED else ''})"
            for kind, count in self._counts.items()
        )
        raise UserError(
            f"{sum(self._counts.values())} of {total} images cannot be used: {kinds}", where=where, do=do
        )


def chunks(
    pictures: Iterable[tuple[str, Callable[[], bytes | Path], int | None]],
    prepare: Callable[[Image.Image], Image.Image],
    unusable: Unusable,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Decode and prepare (name, function that gives file or bytes, label or None), and stack them in order.

    Those that `prepare` or the decoder call broken are noted in `unusable` and left out.
    """
    decoded = (
        (name, lambda read=read: prepare(pixels.decode(read())), label) for name, read, label in pictures
    )
    return stacks(decoded, unusable)


def stacks(
    pictures: Iterable[tuple[str, Callable[[], Image.Image], int | None]], unusable: Unusable
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Stack (name, function that gives the picture, label or None) in order; else like `chunks`."""
    arrays: list[np.ndarray] = []
    labels: list[int | None] = []
    for name, picture, label in pictures:
        try:
            arrays.append(pixels.array(picture()))
        except (pixels.BrokenImage, OSError) as error:
            unusable.add("broken", name, str(error))
            continue
        labels.append(label)
        if len(arrays) * arrays[0].size >= _CHUNK_BYTES:
            yield _stacked(arrays, labels)
            arrays, labels = [], []
    if arrays:
        yield _stacked(arrays, labels)


def _stacked(arrays: list[np.ndarray], labels: list[int | None]) -> tuple[np.ndarray, np.ndarray | None]:
    known = [label for label in labels if label is not None]
    return np.stack(arrays), np.array(known, dtype=np.int64) if len(known) == len(arrays) else None
