"""Scores of anybody's images by protocols, with what may go wrong, and what a score depends on, in a line."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.fidelity import NonFiniteScore
from benchmark.evaluation.ranges import Watch
from benchmark.evaluation.source import gathered
from benchmark.training.quantise import Generated, NonFiniteImages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from torch import Tensor

    from benchmark.data import DatasetInfo
    from benchmark.evaluation.protocol import Protocol
    from benchmark.evaluation.source import Source

_MOST_HASHED = 1 << 30
"""Bytes of a data set whose images are looked for among those to score; of CIFAR-10 0.2 GB."""


def scores_of_images(
    chosen: Iterable[Protocol], source: Source, dataset: str, device: str, note: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Value by protocol and metric.

    Args:
        chosen: protocols of images, `resolved`.
        source: the images.
        dataset: what they are compared with.
        device: where the feature extractor runs.
        note: gets lines for a person.

    Raises:
        UserError: the images, the data and the protocols do not fit, or there is nothing finite to score.

    """
    chosen, info = tuple(chosen), data.info(dataset)
    try:
        batches, shape = checked(chosen, source, info.shape[0], info.name, note)
        evaluator = Evaluator(chosen, dataset, device, frame_of(chosen, source, shape, info, note))
        if shape == info.shape[1:]:
            batches = _copies_told(batches, dataset, source.where, note)
        return evaluator.scores_of(gathered(batches, chosen))
    except (NonFiniteImages, NonFiniteScore) as error:
        raise UserError(f"nothing to score: {error}", where=source.where) from error
    except ValueError as error:
        raise UserError(str(error), where=source.where) from error


def checked(
    chosen: tuple[Protocol, ...], source: Source, channels: int, name: str, note: Callable[[str], None]
) -> tuple[Iterator[Generated], tuple[int, int]]:
    """The images as protocols take them, and their (height, width).

    Args:
        chosen: protocols of images.
        source: the images.
        channels: of the images they are compared with.
        name: what messages call those.
        note: gets lines for a person.

    Raises:
        UserError: too few images; in colour where grey ones are wanted; outputs in another range than that of
            a protocol that is comparable with papers.

    """
    n = max(protocol.n_generated for protocol in chosen)
    if source.n_images is not None:
        if source.n_images < n:
            raise UserError(
                f"holds {source.n_images} images, but {n} are needed",
                where=source.where,
                do="Add images or choose a protocol with fewer",
            )
        for protocol in chosen:
            if protocol.n_generated < source.n_images:
                note(
                    f"{protocol.name} takes {protocol.n_generated} of the {source.n_images} images, chosen "
                    "by the SHA-256 of their pixels"
                )
    for line in source.notes:
        note(line)
    strict = not source.range_is_said and any(protocol.comparable_with_papers for protocol in chosen)
    watch = Watch(source.where, note, strict=strict)
    stream = _with_channels(watch.through(source.batches(n)), channels, source.where, name)
    first = next(stream)
    height, width = first.images.shape[2:]
    return chain([first], stream), (height, width)


def _copies_told(
    batches: Iterable[Generated], dataset: str, where: str, note: Callable[[str], None]
) -> Iterator[Generated]:
    """The same images; a line at the end if some are copies of the data set's: no score of a generator's."""
    info, real = data.info(dataset), set[bytes]()
    sizes: dict[data.Split, int] = {"train": info.n_train, "held-out": info.n_held_out}
    if sum(sizes.values()) * math.prod(info.shape) <= _MOST_HASHED:
        for split, size in sizes.items():
            if size:
                real |= {*digests(data.load(dataset, split))}
    n = copies = 0
    for batch in batches:
        yield batch
        if real:
            n += len(batch.images)
            copies += sum(digest in real for digest in digests(batch.images))
    if copies:
        note(f"{where}: {copies} of the {n} images that were scored are images of '{info.name}' itself")


def digests(images: Iterable[Tensor]) -> Iterator[bytes]:
    """SHA-256 of the pixels of each of some uint8 images [C,H,W]."""
    return (hashlib.sha256(image.cpu().contiguous().numpy().data).digest() for image in images)


def frame_of(
    chosen: tuple[Protocol, ...],
    source: Source,
    shape: tuple[int, int],
    info: DatasetInfo,
    note: Callable[[str], None],
) -> int | None:
    """The size to frame real images to, where the network was trained on framed ones.

    Raises:
        UserError: images of another size than the real ones, by a protocol that has no size of its own, or
            larger ones than its size.

    """
    theirs = f"{shape[0]} x {shape[1]}"
    real = f"{info.shape[1]} x {info.shape[2]}"
    if shape == info.shape[1:]:
        return None
    if source.trained_on == info.name and shape[0] == shape[1] > max(info.shape[1:]):
        return shape[0]
    for protocol in chosen:
        check_size(protocol, shape, source.where)
        if not protocol.image_size:
            raise UserError(
                f"images are {theirs}, those of '{info.name}' are {real}",
                where=source.where,
                do="Resize them, or compare with data of their size (folder:PATH@SIZE makes some)",
            )
    note(f"images are {theirs}, those of '{info.name}' are {real}: the smaller ones get a wider black border")
    return None


def check_size(protocol: Protocol, shape: tuple[int, int], where: str) -> None:
    """Refuse images of a (height, width) that does not fit into the size of a protocol, if it has one."""
    size = protocol.image_size
    if size and max(shape) > size:
        what = f"images are {shape[0]} x {shape[1]}, {protocol.name} takes up to {size} x {size}"
        raise UserError(what, where=where, do="Resize them")


def _with_channels(batches: Iterable[Generated], channels: int, where: str, name: str) -> Iterator[Generated]:
    """Images with one channel or three; coloured ones are grey if their channels are equal."""
    for batch in batches:
        own = batch.images.shape[1]
        if own == channels:
            yield batch
        elif (own, channels) == (1, 3):
            outputs = None if batch.outputs is None else batch.outputs.expand(-1, 3, -1, -1)
            yield replace(batch, images=batch.images.expand(-1, 3, -1, -1).contiguous(), outputs=outputs)
        elif (own, channels) == (3, 1) and (batch.images == batch.images[:, :1]).all():
            outputs = None if batch.outputs is None else batch.outputs[:, :1]
            yield replace(batch, images=batch.images[:, :1].contiguous(), outputs=outputs)
        elif (own, channels) == (3, 1):
            do = "Save them as grey (mode L), or compare with coloured ones"
            raise UserError(f"images are coloured, those of '{name}' are grey", where=where, do=do)
        else:
            raise UserError(f"images have {own} channels, not one or three", where=where)
