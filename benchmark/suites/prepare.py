"""What a suite needs before it can be planned: data sets and weights. Gets what may be downloaded."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark import data
from benchmark.data import converted, places, registry
from benchmark.data.fetch import fetch
from benchmark.evaluation import protocols, weights
from benchmark.suites import experiments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from benchmark.suites import Suite


def prepare(suite: Suite, note: Callable[[str], None]) -> None:
    """Fetch and convert each data set that is not ready, and the Inception weights if a protocol needs them.

    Does nothing where all is there. What ganbench may not download is left to planning, which says how to get
    it; offline, data sets are still converted from files that are there.

    Args:
        suite: what will be run.
        note: gets lines for a person.

    Raises:
        UserError: a download or a conversion failed, or would be needed offline; whole files are kept.

    """
    named = (suite.dataset or str(experiments.describe(name)["dataset"]) for name in suite.experiments)
    make_ready(named, suite.protocols, note)


def make_ready(datasets: Iterable[str], protocol_names: Iterable[str], note: Callable[[str], None]) -> None:
    """`prepare`, by the names of data sets and protocols; several processes get each thing once."""
    for name in dict.fromkeys(datasets):
        known = name in registry.DEFINITIONS or name.startswith(places.FOLDER_PREFIX)
        if known and not data.is_ready(name) and not registry.definition(name).by_hand:
            note(f"{name}: not there yet, fetching it")
            fetch(name, note=note)
    if places.offline() or os.environ.get(weights.VARIABLE) or weights.inception_path().is_file():
        return
    if any(protocols.get(name).weights_digest == "" for name in protocol_names):
        note("the Inception weights are not there yet, downloading them")
        weights.download_inception()


@dataclass(frozen=True)
class Need:
    """Something that is not here yet.

    Attributes:
        name: of a data set, or `INCEPTION`.
        files: that are downloaded, or that a person gets.
        download_bytes: of these files; None where that is not known.
        content_bytes: that the images take once they are converted; None where that is not known.
        place: where it will lie.
        by_hand: how a person gets it, where it may not be downloaded.

    """

    name: str
    files: tuple[str, ...]
    download_bytes: int | None
    content_bytes: int | None
    place: Path
    by_hand: str = ""

    @property
    def free_bytes(self) -> int:
        """Free on the disk that it will lie on."""
        existing = next(path for path in (self.place, *self.place.parents) if path.exists())
        return shutil.disk_usage(existing).free


INCEPTION = "Inception weights"


def needs(suite: Suite) -> dict[str, tuple[Need, ...]]:
    """What each experiment of a suite still needs; empty where nothing. Looks only; opens no connection.

    Folders of images, and sets that are there but damaged, are left to planning.
    """
    chosen = [protocols.get(name) for name in suite.protocols]
    shared = [fold for protocol in chosen for fold in protocol.fold_names()]
    weighed = any(protocol.weights_digest == "" for protocol in chosen)
    weights_lack = weighed and not os.environ.get(weights.VARIABLE) and not weights.inception_path().is_file()
    found = {}
    for name in suite.experiments:
        own = suite.dataset or str(experiments.describe(name)["dataset"])
        lacking = [_dataset_need(dataset) for dataset in dict.fromkeys([own, *shared]) if _is_absent(dataset)]
        found[name] = (*lacking, *([_weights_need()] if weights_lack else []))
    return found


def _is_absent(name: str) -> bool:
    if name not in registry.DEFINITIONS or data.is_ready(name):
        return False
    try:
        return converted.metadata(data.folder(name)) is None
    except converted.Damaged:
        return False


def _dataset_need(name: str) -> Need:
    definition = registry.definition(name)
    sizes, info = [file.n_bytes for file in definition.files], definition.info
    n_images = info.n_train + info.n_held_out
    return Need(
        name,
        tuple(file.urls[0] if file.urls else file.name for file in definition.files),
        sum(sizes) if all(sizes) else None,
        n_images * math.prod(info.shape) or None,
        data.folder(name),
        definition.by_hand,
    )


def _weights_need() -> Need:
    return Need(INCEPTION, (weights.INCEPTION_URL,), None, None, weights.inception_path())
