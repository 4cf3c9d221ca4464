"""Gets what a suite needs before it is planned: data sets and weights that may be downloaded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmark import data
from benchmark.data import places, registry
from benchmark.data.fetch import fetch
from benchmark.evaluation import protocols, weights
from benchmark.suites import experiments

if TYPE_CHECKING:
    from collections.abc import Callable

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
    for name in dict.fromkeys(named):
        known = name in registry.DEFINITIONS or name.startswith(places.FOLDER_PREFIX)
        if known and not data.is_ready(name) and not registry.definition(name).by_hand:
            note(f"{name}: not there yet, fetching it")
            fetch(name, note=note)
    if places.offline() or os.environ.get(weights.VARIABLE) or weights.inception_path().is_file():
        return
    if any(protocols.get(name).weights_digest == "" for name in suite.protocols):
        note("the Inception weights are not there yet, downloading them")
        weights.download_inception()
