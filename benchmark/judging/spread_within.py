"""The spread within one run, which is none over seeds: of ours, and whether the paper's is alike."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from benchmark.judging import comparability, statistics
from benchmark.records.cells import score

if TYPE_CHECKING:
    from baselines.claims import Claim

WITHIN = {
    "splits": ("is_std_over_splits", "isc_splits", "sd over {} splits"),
    "eval_repeats": ("is_std_over_sets", "is_sets", "sd over {} sets of images"),
    "test_examples": ("parzen_se_over_test_examples", "n_reference", "standard error over {} test images"),
    "folds": ("parzen_se_over_folds", "folds", "standard error over {} folds"),
}
"""The spread within one run that records have of the same kind as a claim's ± (`spread_kind`): its name
among the scores, how many it is over by the protocol's key, and what it is in words."""


def spread_within(claim: Claim, own: comparability.Side) -> tuple[tuple[str, float] | None, list[str]]:
    """What it is over and its mean over our runs, and caveats where it and the paper's cannot be alike."""
    found_within, caveats = None, []
    metric = comparability.METRICS.get(claim.metric, claim.metric)
    for kind, (key, number, words) in WITHIN.items():
        found = [score(record["final"], own.protocol.get("name", ""), key) for record in own.records]
        values = [x for x in found if x is not None]
        if not values or not key.startswith(metric.split("_")[0]):
            continue
        mean, k = fmean(values), int(own.protocol[number])
        found_within = (words.format(k), mean)
        alike = kind == claim.spread_kind in ("splits", "eval_repeats") and k == claim.spread_n
        if alike and claim.spread is not None and statistics.spreads_differ(mean, claim.spread, k):
            differs = f"ours is {mean:.3g}, the paper's {claim.spread:g}, each over {k}"
            caveats.append(f"split spread differs: protocol suspect ({differs})")
    return found_within, caveats
