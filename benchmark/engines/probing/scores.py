"""The probe of what scores images, without any experiment: every metric, on noisy embedded digits."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from benchmark import data
from benchmark.engines.probing.drawn import pictures
from benchmark.evaluation import frechet, parzen, protocols
from benchmark.evaluation.evaluator import Evaluator

NAME = "scores"
N_IMAGES, N_REFERENCE = 250, 500
_WINDOW_IMAGES = 50
_SIGMAS = (0.1, 0.2, 0.4)
_N_ROWS = 100
_NOISE_SHIFT = 3
"""Noise is of 256 / 2³ grey levels."""


def compute() -> dict[str, Any]:
    """Scores by protocol and metric, those in portable numerics, and a digest of all their bits."""
    digits = data.load("digits", "held-out")
    noise = pictures(N_IMAGES, (1, 28, 28)) >> _NOISE_SHIFT
    images = digits[-N_IMAGES:] // 2 + noise
    found = {
        "digits": Evaluator(
            [_protocol(("is", "fid", "kid", "precision", "recall"), splits=5)], "digits"
        ).scores(images)["digits-2k"]
    }
    window = parzen.cell(
        images[:_WINDOW_IMAGES], digits[:_WINDOW_IMAGES], digits[_WINDOW_IMAGES : 2 * _WINDOW_IMAGES], _SIGMAS
    )
    found["window"] = {"parzen_ll": window.mean, "parzen_se_over_test_examples": window.standard_error}
    # The network's covariances are singular on digits, which takes the library's way to the distance.
    rows = pictures(2 * _N_ROWS, (1, 4, 4)).flatten(1) / 256
    found["regular"] = {"fid": frechet.distance(rows[:_N_ROWS], frechet.fit(rows[_N_ROWS:]))}
    exact = Evaluator([_protocol(("is", "fid"), splits=1)], "digits", portable=True).scores(images)
    text = json.dumps([found, exact], sort_keys=True)
    return {
        "experiment": NAME,
        "scores": found,
        "portable_scores": exact["digits-2k"],
        "bits": {"scores": hashlib.sha256(text.encode()).hexdigest()},
    }


def _protocol(metrics: tuple[str, ...], splits: int) -> protocols.Protocol:
    """Metrics of few images."""
    return protocols.replace(
        protocols.get("digits-2k"),
        metrics=metrics,
        n_generated=N_IMAGES,
        n_reference=N_REFERENCE,
        isc_splits=splits,
        kid_subsets=4,
        kid_subset_size=100,
        prc_neighbours=3,
    )
