"""What generated images are compared with: real images, as features or as a fitted normal distribution.

One feature pass over a split serves every protocol. What a costly extractor says of real images is kept on
disk, under everything it depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from benchmark.evaluation import cache, extractors, frechet
from benchmark.records import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from benchmark.data import DatasetInfo
    from benchmark.evaluation.protocols import Protocol

    Rows = Callable[[Protocol, str, int], Tensor]


@dataclass(frozen=True)
class Reference:
    """The real side of one protocol.

    Attributes:
        normal: what FID compares with; None for protocols without it.
        features: what KID, precision and recall compare with, float32 [N, D]; None where none is asked for.

    """

    normal: frechet.Normal | None
    features: Tensor | None


def references(
    protocols: Iterable[Protocol], rows: Rows, depends_on: Mapping[str, Any]
) -> dict[str, Reference]:
    """The references of all protocols that have one, by the protocols' names.

    Args:
        protocols: what to score by.
        rows: gives the features of the first images of a split, for a protocol, split and number of images.
        depends_on: what the features depend on besides the protocol: data, device, versions.

    """
    chosen = [protocol for protocol in protocols if protocol.n_reference]
    most: dict[tuple[str, str, int, str], int] = {}
    for protocol in chosen:
        where = _where(protocol)
        most[where] = max(most.get(where, 0), protocol.n_reference)
    computed: dict[tuple[str, str, int, str], Tensor] = {}

    def first(protocol: Protocol) -> Tensor:
        """Features of the protocol's reference images, out of one pass for all that share a split."""
        where = _where(protocol)
        if where not in computed:
            computed[where] = rows(protocol, protocol.reference_split, most[where])
        return computed[where][: protocol.n_reference]

    found = {}
    for protocol in chosen:
        key = {**depends_on, **identity(protocol, protocol.reference_split, protocol.n_reference)}
        wanted = set(protocol.metrics)
        found[protocol.name] = Reference(
            _normal(protocol, key, first) if "fid" in wanted else None,
            _features(protocol, key, first) if wanted & {"kid", "precision", "recall"} else None,
        )
    return found


def identity(protocol: Protocol, split: str, n_images: int) -> dict[str, Any]:
    """What of a protocol decides the features of real images."""
    return {
        "extractor": protocol.extractor,
        "weights": protocol.weights_digest,
        "image_size": protocol.image_size,
        "split": split,
        "n": n_images,
    }


def circumstances(dataset: DatasetInfo, image_size: int | None, device: torch.device) -> dict[str, Any]:
    """What else decides them: the data, their frame, and the environment, as bits of a run depend on it."""
    return {
        **environment.describe(device.type),
        "data": dataset.digest,
        "framed_to": image_size,
        "memory_format": "channels_last on CPU, contiguous on CUDA",
        "threads": torch.get_num_threads(),
    }


def _where(protocol: Protocol) -> tuple[str, str, int, str]:
    return (
        protocol.extractor,
        protocol.weights_digest or "",
        protocol.image_size or 0,
        protocol.reference_split,
    )


def _normal(protocol: Protocol, key: dict[str, Any], first: Callable[[Protocol], Tensor]) -> frechet.Normal:
    if not extractors.get(protocol.extractor).costly:
        return frechet.fit(first(protocol))

    def build() -> cache.Arrays:
        fitted = frechet.fit(first(protocol))
        root = {} if fitted.root is None else {"root": fitted.root}
        return {"mean": fitted.mean, "covariance": fitted.covariance, **root}

    stored = cache.arrays("normal", key, build)
    return frechet.Normal(protocol.n_reference, stored["mean"], stored["covariance"], stored.get("root"))


def _features(protocol: Protocol, key: dict[str, Any], first: Callable[[Protocol], Tensor]) -> Tensor:
    if not extractors.get(protocol.extractor).costly:
        return first(protocol).clone()
    stored = cache.arrays("features", key, lambda: {"features": first(protocol).numpy()})
    return torch.from_numpy(np.ascontiguousarray(stored["features"]))
