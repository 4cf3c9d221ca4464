"""Images to score, wherever they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmark.training.quantise import Generated


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
