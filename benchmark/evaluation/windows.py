"""Scores by the protocols of a Parzen window: which images choose σ, which are judged, what is reported."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import parzen
from benchmark.evaluation.fidelity import NonFiniteScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.data import DatasetInfo
    from benchmark.evaluation.protocol import Protocol
    from benchmark.training.quantise import Generated


class Windows:
    """The real images of some protocols' windows. Everything is computed on the CPU, in float64.

    Args:
        protocols: by which to score; all with the extractor `WINDOW`, perhaps none.
        dataset: what they are to be about.
        image_shape: (channels, height, width) of the images to score.

    Raises:
        UserError: a protocol is about other data, or there are not as many images as it wants.

    """

    def __init__(
        self, protocols: Sequence[Protocol], dataset: DatasetInfo, image_shape: tuple[int, int, int]
    ) -> None:
        self.protocols = tuple(protocols)
        self.n_generated = max((protocol.n_generated for protocol in self.protocols), default=0)
        for protocol in self.protocols:
            protocol.check_data(dataset, image_shape)
            if dataset.n_train < _end(protocol) or dataset.n_held_out < protocol.n_reference:
                raise UserError(
                    f"needs {_end(protocol)} training and {protocol.n_reference} test images, "
                    f"but '{dataset.name}' has {dataset.n_train} and {dataset.n_held_out}",
                    where=f"protocol '{protocol.name}'",
                )
        self._train = data.load(dataset.name, "train") if self.protocols else torch.empty(0)
        self._test = data.load(dataset.name, "held-out") if self.protocols else torch.empty(0)

    def scores(self, samples: Tensor) -> dict[str, dict[str, float]]:
        """Score samples, [n, C, H, W] in 0..1 or uint8; a protocol with fewer takes the first ones.

        Of each protocol ``parzen_ll`` and ``parzen_se_over_test_examples`` in nats, and ``parzen_sigma``;
        over folds ``parzen_ll``, ``parzen_se_over_folds`` (sample deviation / √folds) and the σ of each.

        Raises:
            NonFiniteScore: a score that is not finite.

        """
        return {protocol.name: self._score(protocol, samples) for protocol in self.protocols}

    def floor(self, protocol: Protocol) -> dict[str, float]:
        """The scores of the first training images in place of samples: they do not choose σ."""
        return self._score(protocol, self._train)

    def _score(self, protocol: Protocol, samples: Tensor) -> dict[str, float]:
        samples, candidates = samples[: protocol.n_generated], grid(protocol)
        if protocol.folds:
            scores = _over_folds(protocol, samples, candidates)
        else:
            validation = self._train[protocol.first_validation : _end(protocol)]
            found = parzen.cell(samples, validation, self._test[: protocol.n_reference], candidates)
            scores = {
                "parzen_ll": found.mean,
                "parzen_se_over_test_examples": found.standard_error,
                "parzen_sigma": found.sigma,
            }
        if not torch.isfinite(torch.tensor(list(scores.values()))).all():
            raise NonFiniteScore(f"{protocol.name}: {scores}")
        return scores


def _over_folds(protocol: Protocol, samples: Tensor, candidates: tuple[float, ...]) -> dict[str, float]:
    cells = [
        parzen.cell(samples, data.load(name, "train"), data.load(name, "held-out"), candidates)
        for name in protocol.fold_names()
    ]
    means = [cell.mean for cell in cells]
    return {
        "parzen_ll": fmean(means),
        "parzen_se_over_folds": stdev(means) / math.sqrt(len(means)),
        **{f"parzen_sigma_fold_{k}": cell.sigma for k, cell in enumerate(cells)},
    }


class Samples:
    """Collects the first n images of a stream, as `Generated.real_valued` gives them."""

    def __init__(self, n: int) -> None:
        self._n_missing, self._parts = n, list[Tensor]()

    def add(self, batch: Generated) -> None:
        """Take what is still missing of a batch."""
        if self._n_missing:
            self._parts.append(batch.real_valued()[: self._n_missing])
            self._n_missing -= len(self._parts[-1])

    def all(self) -> Tensor:
        """The images; `ValueError` while some are missing."""
        if self._n_missing:
            raise ValueError(f"{self._n_missing} images are missing")
        return torch.cat(self._parts) if self._parts else torch.empty(0)


def grid(protocol: Protocol) -> tuple[float, ...]:
    """The protocol's candidates for σ."""
    assert protocol.sigma_grid is not None
    return parzen.log_spaced(*protocol.sigma_grid)


def _end(protocol: Protocol) -> int:
    return (protocol.first_validation or 0) + (protocol.n_validation or 0)
