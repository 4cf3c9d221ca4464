"""Whether protocols and a data set fit: what can be refused before anything is loaded. Needs no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.errors import UserError
from benchmark.evaluation.protocol import CRITIC

if TYPE_CHECKING:
    from benchmark.data import DatasetInfo
    from benchmark.evaluation.protocol import Protocol

CHANNELS = {"digits-lenet": (1,), "inception-2015": (1, 3)}
"""Channels of the images that a feature extractor takes."""


def check_known(dataset: DatasetInfo) -> None:
    """Refuse images without a digest, which could be others the next time."""
    if not dataset.digest:
        raise UserError(
            "the data set is not there yet, or its content has no digest",
            where=dataset.name,
            do="See `ganbench data --help`",
        )


def check(protocol: Protocol, dataset: DatasetInfo, channels: tuple[int, ...]) -> None:
    """Refuse a protocol that could not score images by this data set, or whose scores would mean nothing.

    Args:
        protocol: `resolved`, with a feature extractor.
        dataset: what the images are compared with.
        channels: those that the extractor takes.

    Raises:
        UserError: says what does not fit.

    """
    where, do = f"protocol '{protocol.name}'", "Choose another protocol or data set"
    if protocol.extractor == CRITIC:
        raise UserError("scores critics, not images", where=where, do="Use `ganbench evaluate`")
    protocol.check_data(dataset, dataset.shape)
    own, height, width = dataset.shape
    size = protocol.image_size
    if own not in channels or (size and max(height, width) > size):
        shape = f"{size} x {size} images or smaller ones" if size else "images"
        raise UserError(
            f"takes {' or '.join(map(str, channels))} x {shape}, "
            f"but those of '{dataset.name}' are {own} x {height} x {width}",
            where=where,
            do=do,
        )
    there = dataset.n_train if protocol.reference_split == "train" else dataset.n_held_out
    if protocol.n_reference and there < protocol.n_reference:
        if dataset.name.startswith("folder"):
            do = "Put more into its folder train or test (held-out), or choose another protocol or none"
        raise UserError(
            f"needs {protocol.n_reference} real images, but '{dataset.name}' "
            f"({protocol.reference_split}) has {there}",
            where=where,
            do=do,
        )
    _check_numbers(protocol)


def _check_numbers(protocol: Protocol) -> None:
    """Refuse what would fail, or give a number that means nothing, only after all features were computed."""
    fewest = min(protocol.n_generated, protocol.n_reference) if protocol.n_reference else 0
    splits = protocol.isc_splits or 0
    wrong = ""
    if not protocol.weights_digest:
        wrong = "the weights of its extractor are not known"
    elif "is" in protocol.metrics and (
        splits < 1
        or (protocol.is_sets or 1) < 1
        or protocol.n_generated % (protocol.is_sets or 1)
        or protocol.n_generated < splits * (protocol.is_sets or 1)
    ):
        sets = f"{protocol.is_sets} sets of " if protocol.is_sets else ""
        wrong = f"{protocol.n_generated} images do not make {sets}{splits} splits"
    elif "fid" in protocol.metrics and fewest < 2:
        wrong = "FID needs two images or more on either side"
    elif "kid" in protocol.metrics and not 2 <= (protocol.kid_subset_size or 0) <= fewest:
        wrong = f"{fewest} images do not make a subset of {protocol.kid_subset_size}"
    elif {"precision", "recall"} & set(protocol.metrics) and not 1 <= (protocol.prc_neighbours or 0) < fewest:
        wrong = f"{fewest} images do not have {protocol.prc_neighbours} neighbours each"
    if wrong:
        raise UserError(wrong, where=f"protocol '{protocol.name}'")
