"""Images to score, wherever they come from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from benchmark.evaluation.protocol import NEAREST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch import Tensor

    from benchmark.evaluation.protocol import Protocol
    from benchmark.training.quantise import Generated

LARGE = 8192
"""Images of a large batch."""


@dataclass(frozen=True)
class Source:
    """Where images to score come from.

    Attributes:
        batches: gives n images, a batch at a time; always the same ones for one n.
        described: what a reader must know about them, as JSON data.
        where: what messages call them.
        n_images: how many there are; None for a generator.
        trained_on: the data set that a network of ours has seen, if need be in a black frame; else empty.
        range_is_said: whether somebody said which values are black and white.
        notes: what a person should be told of them.

    """

    batches: Callable[[int], Iterator[Generated]]
    described: dict[str, Any]
    where: str
    n_images: int | None = None
    trained_on: str = ""
    range_is_said: bool = True
    notes: list[str] = field(default_factory=list)


def gathered(batches: Iterable[Generated], protocols: Iterable[Protocol]) -> Iterator[Generated]:
    """The same images in batches as these protocols take them: at least `LARGE` at a time, or as they come.

    A nearest-neighbour classifier keeps the classes. Little things that stay between large ones that go break
    the memory into pieces: of ten million images in batches of 128 about 5 KB an image.
    """
    if all(protocol.extractor != NEAREST for protocol in protocols):
        yield from batches
        return
    waiting: list[Generated] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(part.images) for part in waiting) >= LARGE:
            yield _joined(waiting)
            waiting.clear()
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[Generated]) -> Generated:
    return replace(
        parts[0],
        images=torch.cat([part.images for part in parts]),
        outputs=_together([part.outputs for part in parts]),
        classes=_together([part.classes for part in parts]),
    )


def _together(parts: list[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there else None
