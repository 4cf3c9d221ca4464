"""Evaluation protocols: exactly how a score is computed, as data. Imports no torch.

Why `digits-2k` has the numbers it has. The reference is the held-out split, not the 4 000 training images
of the usual "FID against train": against train, a generator that memorises scores best, and a real-data
floor would need 2 000 further real images, which do not exist. 1 000 and 2 000 are 12 and 24 times the 84
dimensions of the features: enough for stable covariances, not enough to remove the bias of FID at finite N,
which the real-data floor makes visible. IS uses one split, as ten splits of 200 images would lower it; the
spread in reports is over seeds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from benchmark.errors import UserError, did_you_mean
from benchmark.evaluation import weights


@dataclass(frozen=True)
class Protocol:
    """How generated images become scores.

    Attributes:
        name: how suites and records call it.
        title: how reports call it.
        extractor: the feature network, one of `benchmark.evaluation.extractors`.
        metrics: the scores computed, from ``is`` (Inception score) and ``fid`` (Fréchet distance).
        n_generated: generated images per evaluation.
        n_reference: real images that FID compares with.
        reference_split: the split of the data set they come from, its first `n_reference` images.
        isc_splits: groups over which the Inception score is averaged.
        image_size: height and width in pixels at which images enter the extractor.
        quantisation: how generator outputs become uint8.
        comparable_with_papers: whether the scores may stand beside a number printed in a paper.
        note: what a reader must know to read the scores.
        weights_digest: SHA-256 (hex) of the extractor's weights file.

    """

    name: str
    title: str
    extractor: str
    metrics: tuple[str, ...]
    n_generated: int
    n_reference: int
    reference_split: str
    isc_splits: int
    image_size: int
    quantisation: str
    comparable_with_papers: bool
    note: str
    weights_digest: str

    def as_dict(self) -> dict[str, Any]:
        """All fields as JSON types; this is what identifies the protocol in records."""
        return {**asdict(self), "metrics": list(self.metrics)}


def names() -> tuple[str, ...]:
    """List the registered protocols."""
    return tuple(_registry())


def get(name: str) -> Protocol:
    """Look a protocol up; `UserError` for an unknown name."""
    known = _registry()
    if name not in known:
        raise UserError(f"unknown protocol '{name}'", do=did_you_mean(name, known))
    return known[name]


@cache
def _registry() -> dict[str, Protocol]:
    digits_2k = Protocol(
        name="digits-2k",
        title="2 000 generated digits, LeNet features",
        extractor="digits-lenet",
        metrics=("is", "fid"),
        n_generated=2000,
        n_reference=1000,
        reference_split="held-out",
        isc_splits=1,
        image_size=32,
        quantisation="clamp, round to nearest",
        comparable_with_papers=False,
        note=(
            "Not comparable with any paper: IS and FID use a small digit classifier instead of the Inception "
            "network. IS lies between 1 and 10 (ten classes). FID uses 84 features and 1 000 reference "
            "images. Compare values only with each other and with the score of real digits."
        ),
        weights_digest=weights.record(weights.path("digits-lenet"))["weights_sha256"],
    )
    return {digits_2k.name: digits_2k}
