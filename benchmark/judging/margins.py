"""How large a difference from a printed number counts as none (δ), by metric, each with its reason. No torch.

A metric that is not here gets no verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Margin:
    """A rule; what is zero has no part in it.

    Attributes:
        rule: in words.
        reason: why this much.
        share: of the printed value.
        per_pixel: in units of the metric.
        standard_errors: of the difference of two percentages, each of the same number of test images.

    """

    rule: str
    reason: str
    share: float = 0.0
    per_pixel: float = 0.0
    standard_errors: float = 0.0

    def size(self, value: float, pixels: int, n_test: int) -> float:
        """δ in units of the metric.

        Args:
            value: as printed; a percentage where `standard_errors` count.
            pixels: of an image, over all channels.
            n_test: test images, or 0.

        """
        p = value / 100
        error = 100 * math.sqrt(2 * p * (1 - p) / n_test) if self.standard_errors and n_test else 0.0
        return self.share * value + self.per_pixel * pixels + self.standard_errors * error


_PERCENTAGE = Margin(
    "1.96 standard errors of a difference, √(2·p·(1−p)/m) for m test images",
    "two classifiers that in truth err equally often differ by less on test sets of that size 19 times in "
    "20, and on the same images oftener: 0.47 points at 2.98 % of 10 000 images",
    standard_errors=1.96,
)
MARGINS: Mapping[str, Margin] = {
    "fid": Margin(
        "10 % of the printed value",
        "seeds alone make 1 to 2 %, so that 3 to 5 of them settle this much and hardly less",
        share=0.10,
    ),
    "inception_score": Margin(
        "4 % of the printed value",
        "seeds alone make 1 to 2 %; below about 3 % nothing could be settled by 3 to 5 of them",
        share=0.04,
    ),
    "parzen_ll": Margin(
        "10 nats per 784 pixels",
        "a log-likelihood grows with the pixels and has no zero for a share to refer to; less than a grid of "
        "ten σ leaves to chance (12.8 nats at 784 pixels) and than the 11 nats to the next printed row",
        per_pixel=10 / 784,
    ),
    "classification_error": _PERCENTAGE,
    "classification_accuracy": _PERCENTAGE,
}


def margin(metric: str, value: float, record: Mapping[str, Any], protocol: Mapping[str, Any]) -> float | None:
    """δ for a printed value in units of its metric; None where none is declared, or it has no size here.

    Args:
        metric: a key of the claims' metrics.
        value: as printed.
        record: one of our runs: its images.
        protocol: the one that it is judged by: its test images.

    """
    if metric not in MARGINS:
        return None
    pixels = math.prod(record["spec"]["experiment"]["image_shape"])
    return MARGINS[metric].size(value, pixels, protocol["n_reference"]) or None
