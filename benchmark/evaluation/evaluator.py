"""Scores uint8 images by protocols, with one feature pass per extractor whatever the number of protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from benchmark import data
from benchmark.data.framing import frame
from benchmark.errors import UserError
from benchmark.evaluation import extractors, fidelity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark.evaluation.protocols import Protocol

Scores = dict[str, dict[str, float]]


class Evaluator:
    """Scores images against one data set; the features of the reference images are computed once, here.

    Constructing and scoring draw nothing from torch's global generators and build no graph: a training run is
    the same with and without evaluations.

    Args:
        protocols: what to compute; at least one.
        dataset_name: a registered data set.
        device: where the feature extractor runs. The scores are always computed on the CPU.

    Raises:
        UserError: a protocol and the data set do not fit (channels, size, number of images), or the weights
            of an extractor are not the recorded ones.

    """

    def __init__(
        self, protocols: Iterable[Protocol], dataset_name: str, device: torch.device | str = "cpu"
    ) -> None:
        self.protocols = tuple(protocols)
        self.dataset = data.info(dataset_name)
        self.device = torch.device(device)
        if not self.protocols:
            raise UserError("no protocol to evaluate by", where=dataset_name, do="Name at least one")
        for protocol in self.protocols:
            self._check_fit(protocol)
        names = {protocol.extractor for protocol in self.protocols}
        self._nets = {name: extractors.load(name).to(self.device) for name in names}
        self._references = {protocol.name: self._reference_features(protocol) for protocol in self.protocols}

    @property
    def n_generated(self) -> int:
        """Images `scores` takes: the most that any of the protocols uses."""
        return max(protocol.n_generated for protocol in self.protocols)

    def scores(self, images: Tensor) -> Scores:
        """Score `n_generated` images, uint8 [N,C,H,W]: a value per protocol and metric (``is``, ``fid``).

        A protocol with fewer images uses the first ones. Smaller images get a black border.

        Raises:
            ValueError: wrong dtype, shape or number of images.
            NonFiniteScore: a score that is not finite.

        """
        if len(images) != self.n_generated:
            raise ValueError(f"the protocols score {self.n_generated} images, not {len(images)}")
        passes: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}
        scores: Scores = {}
        for protocol in self.protocols:
            key = (protocol.extractor, protocol.image_size)
            if key not in passes:
                passes[key] = self._extract(protocol, images)
            features, logits = (rows[: protocol.n_generated] for rows in passes[key])
            scores[protocol.name] = self._score(protocol, features, logits)
        return scores

    def real_data_floor(self) -> Scores:
        """Score real images like generated ones: the first of the split that FID does not compare with."""
        scores: Scores = {}
        for protocol in self.protocols:
            images = self._real(_other_split(protocol), protocol.n_generated)
            scores[protocol.name] = self._score(protocol, *self._extract(protocol, images))
        return scores

    def _score(self, protocol: Protocol, features: Tensor, logits: Tensor) -> dict[str, float]:
        values = {}
        if "is" in protocol.metrics:
            values["is"] = fidelity.inception_score(logits, splits=protocol.isc_splits)
        if "fid" in protocol.metrics:
            values["fid"] = fidelity.frechet_distance(features, self._references[protocol.name])
        return values

    def _extract(self, protocol: Protocol, images: Tensor) -> tuple[Tensor, Tensor]:
        framed = frame(images, protocol.image_size)
        return extractors.extract(self._nets[protocol.extractor], framed, self.device)

    def _reference_features(self, protocol: Protocol) -> Tensor:
        return self._extract(protocol, self._real(protocol.reference_split, protocol.n_reference))[0]

    def _real(self, split: str, n_images: int) -> Tensor:
        return data.load(self.dataset.name, cast("data.Split", split))[:n_images]

    def _check_fit(self, protocol: Protocol) -> None:
        channels, height, width = self.dataset.shape
        needed = extractors.CHANNELS[protocol.extractor]
        if channels != needed or max(height, width) > protocol.image_size:
            raise UserError(
                f"takes {needed} x {protocol.image_size} x {protocol.image_size} images or smaller ones, "
                f"but those of '{self.dataset.name}' are {channels} x {height} x {width}",
                where=f"protocol '{protocol.name}'",
                do="Choose another protocol or data set",
            )
        sizes = {"train": self.dataset.n_train, "held-out": self.dataset.n_held_out}
        asked = {protocol.reference_split: protocol.n_reference, _other_split(protocol): protocol.n_generated}
        for split, n_images in asked.items():
            if sizes[split] < n_images:
                raise UserError(
                    f"needs {n_images} real images, but '{self.dataset.name}' ({split}) has {sizes[split]}",
                    where=f"protocol '{protocol.name}'",
                    do="Choose another protocol or data set",
                )


def _other_split(protocol: Protocol) -> str:
    return "held-out" if protocol.reference_split == "train" else "train"
