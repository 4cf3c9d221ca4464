"""Scores images by protocols, with one pass over them whatever the number of protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from benchmark import data
from benchmark.data.framing import frame
from benchmark.errors import UserError
from benchmark.evaluation import cache, extractors, fidelity, fit, frechet, portable_scores, reference
from benchmark.evaluation.nearest_classifier import NearestClassifiers
from benchmark.evaluation.protocol import CRITIC, NEAREST, OF_PIXELS, WINDOW
from benchmark.evaluation.windows import Samples, Windows
from benchmark.training.quantise import Generated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark.evaluation.protocols import Protocol
    from benchmark.training.trainer import Scores

_Key = tuple[str, str, int]


class Evaluator:
    """Scores images against one data set; what the real images contribute is computed once, here.

    Constructing and scoring draw nothing from torch's global generators and build no graph: a training run is
    the same with and without evaluations.

    Args:
        protocols: what to compute, `resolved`; at least one.
        dataset_name: a registered data set.
        device: where the feature extractor runs. The scores are always computed on the CPU.
        image_size: height and width of the images to score, where the networks see the real ones in a frame;
            the data set's own unless given.
        portable: whether features and scores are computed in the profile of `benchmark.training.portable`.

    Raises:
        UserError: a protocol and the data set do not fit (channels, size, number of images), a protocol has
            too few images for what it asks, or the weights of an extractor are not the expected ones.

    """

    def __init__(
        self,
        protocols: Iterable[Protocol],
        dataset_name: str,
        device: torch.device | str = "cpu",
        image_size: int | None = None,
        *,
        portable: bool = False,
    ) -> None:
        self.protocols = tuple(protocols)
        self.dataset = data.info(dataset_name)
        self.device = torch.device(device)
        self.image_size = image_size
        if not self.protocols:
            raise UserError("no protocol to evaluate by", where=dataset_name, do="Name at least one")
        fit.check_known(self.dataset)
        self._by_features = tuple(p for p in self.protocols if p.extractor not in OF_PIXELS)
        for protocol in self._by_features:
            fit.check(protocol, self.dataset, _channels(protocol))
        shape = (self.dataset.shape[0], *self._height_and_width())
        self._windows = Windows([p for p in self.protocols if p.extractor == WINDOW], self.dataset, shape)
        by_nearest = [p for p in self.protocols if p.extractor == NEAREST]
        self._nearest = NearestClassifiers(by_nearest, self.dataset, shape, self.device)
        named = {_key(protocol)[:2] for protocol in self._by_features}
        nets = {key: extractors.load(*key, self.device) for key in sorted(named)}
        self._nets = {key: portable_scores.Net(net) if portable else net for key, net in nets.items()}
        self._portable = portable
        self._depends_on = reference.circumstances(self.dataset, image_size, self.device)
        find = portable_scores.references if portable else reference.references
        self._references = find(self._by_features, self._real_features, self._depends_on)

    @property
    def n_generated(self) -> int:
        """Images `scores` takes: the most that any of the protocols uses."""
        return max(protocol.n_generated for protocol in self.protocols)

    def scores(self, images: Tensor) -> Scores:
        """Score `n_generated` images, uint8 [N,C,H,W]: a value per protocol and metric (``is``, ``fid`` …).

        A protocol with fewer images uses the first ones. Smaller images get a black border where the protocol
        has a size.

        Raises:
            ValueError: wrong dtype, shape or number of images.
            NonFiniteScore: a score that is not finite.

        """
        if len(images) != self.n_generated:
            raise ValueError(f"the protocols score {self.n_generated} images, not {len(images)}")
        return self.scores_of([images])

    def scores_of(self, batches: Iterable[Tensor | Generated]) -> Scores:
        """`scores` of images that come in batches of any size; only what a window needs is kept.

        A window takes generated images before they were quantised.
        """
        passes = {key: self._pass(key, self._by_features) for key in map(_key, self._by_features)}
        samples, searches, n_images = Samples(self._windows.n_generated), self._nearest.searches(), 0
        for given in batches:
            batch = given if isinstance(given, Generated) else Generated(given)
            n_images += len(batch.images)
            for (_, _, size), feature_pass in passes.items():
                feature_pass.add(self._framed(batch.images[: feature_pass.n_missing], size))
            samples.add(batch)
            searches.add(batch)
        if n_images != self.n_generated:
            raise ValueError(f"the protocols score {self.n_generated} images, not {n_images}")
        rows = {key: feature_pass.rows() for key, feature_pass in passes.items()}
        found = self._windows.scores(samples.all()) | searches.scores()
        found |= {
            protocol.name: self._score(protocol, *rows[_key(protocol)]) for protocol in self._by_features
        }
        return {protocol.name: found[protocol.name] for protocol in self.protocols}

    def real_data_floor(self) -> Scores:
        """Score real images like generated ones: the first of the split that nothing is compared with.

        No scores for a protocol whose number of images that split does not have.
        """
        return {protocol.name: self._floor(protocol) for protocol in self.protocols}

    def _floor(self, protocol: Protocol) -> dict[str, float]:
        split = _other_split(protocol)
        if self._size(split) < protocol.n_generated:
            return {}
        if protocol.extractor == WINDOW:
            return self._windows.floor(protocol)
        if protocol.extractor == NEAREST:
            return self._nearest.floor(protocol)
        if not extractors.get(protocol.extractor).costly:
            return self._floor_on(protocol, split)
        key = {**self._depends_on, "protocol": {**protocol.as_dict(), "title": "", "note": ""}}
        stored = cache.arrays(
            "floor", key, lambda: {m: np.array([x]) for m, x in self._floor_on(protocol, split).items()}
        )
        return {metric: float(value[0]) for metric, value in stored.items()}

    def _floor_on(self, protocol: Protocol, split: str) -> dict[str, float]:
        feature_pass = self._pass(_key(protocol), [protocol])
        for images in torch.split(self._real(split, protocol.n_generated), extractors.BATCH_SIZE):
            feature_pass.add(self._framed(images, protocol.image_size or 0))
        return self._score(protocol, *feature_pass.rows())

    def _score(self, protocol: Protocol, features: Tensor, logits: Tensor) -> dict[str, float]:
        features, logits = features[: protocol.n_generated], logits[: protocol.n_generated]
        values: dict[str, float] = {}
        if self._portable:
            real = self._references[protocol.name].features
            return portable_scores.scores(protocol.metrics, features, logits, real)
        if "is" in protocol.metrics:
            values |= _inception_score(protocol, logits)
        if "fid" in protocol.metrics:
            values["fid"] = frechet.distance(features, self.normal(protocol))
        if "kid" in protocol.metrics:
            kid, deviation = fidelity.kernel_distance(
                features,
                self._reference_features(protocol),
                subsets=protocol.kid_subsets or 0,
                subset_size=protocol.kid_subset_size or 0,
            )
            values |= {"kid": kid, "kid_std_over_subsets": deviation}
        if "precision" in protocol.metrics:
            precision, recall = fidelity.precision_recall(
                features, self._reference_features(protocol), neighbours=protocol.prc_neighbours or 0
            )
            values |= {"precision": precision, "recall": recall}
        return values

    def normal(self, protocol: Protocol) -> frechet.Normal:
        """What FID by a protocol compares with."""
        normal = self._references[protocol.name].normal
        assert normal is not None
        return normal

    def _reference_features(self, protocol: Protocol) -> Tensor:
        features = self._references[protocol.name].features
        assert features is not None
        return features

    def _pass(self, key: _Key, protocols: Iterable[Protocol]) -> extractors.Pass:
        sharing = [protocol for protocol in protocols if _key(protocol) == key]
        return extractors.Pass(
            self._nets[key[:2]],
            self.device,
            extractors.get(key[0]).batch_size,
            n_features=max((p.n_generated for p in sharing if set(p.metrics) - {"is"}), default=0),
            n_logits=max((p.n_generated for p in sharing if "is" in p.metrics), default=0),
        )

    def _real_features(self, protocol: Protocol, split: str, n_images: int) -> Tensor:
        key = _key(protocol)
        feature_pass = extractors.Pass(
            self._nets[key[:2]], self.device, extractors.get(key[0]).batch_size, n_images, 0
        )
        for images in torch.split(self._real(split, n_images), extractors.BATCH_SIZE):
            feature_pass.add(self._framed(images, protocol.image_size or 0))
        return feature_pass.rows()[0]

    def _real(self, split: str, n_images: int) -> Tensor:
        images = data.load(self.dataset.name, cast("data.Split", split))[:n_images]
        return frame(images, self.image_size) if self.image_size else images

    def _framed(self, images: Tensor, size: int) -> Tensor:
        if size:
            return frame(images, size)
        height, width = self._height_and_width()
        if images.dtype != torch.uint8 or images.dim() != 4 or tuple(images.shape[2:]) != (height, width):
            raise ValueError(
                f"images to score must be uint8 [N,C,{height},{width}] like the real ones, "
                f"not {images.dtype} {list(images.shape)}"
            )
        # In plain row-major layout, for the reason that `frame` gives.
        return torch.empty(images.shape, dtype=torch.uint8, device=images.device).copy_(images)

    def _height_and_width(self) -> tuple[int, int]:
        return (self.image_size, self.image_size) if self.image_size else self.dataset.shape[1:]

    def _size(self, split: str) -> int:
        return self.dataset.n_train if split == "train" else self.dataset.n_held_out


def _inception_score(protocol: Protocol, logits: Tensor) -> dict[str, float]:
    splits = protocol.isc_splits or 0
    if protocol.is_sets is None:
        score, deviation = fidelity.inception_scores(logits, splits=splits)
        return {"is": score} | ({"is_std_over_splits": deviation} if splits > 1 else {})
    sets = torch.split(logits, len(logits) // protocol.is_sets)
    scores = [fidelity.inception_score(of_set, splits=splits) for of_set in sets]
    return {"is": float(np.mean(scores)), "is_std_over_sets": float(np.std(scores))}


def _channels(protocol: Protocol) -> tuple[int, ...]:
    return () if protocol.extractor == CRITIC else extractors.get(protocol.extractor).channels


def _key(protocol: Protocol) -> _Key:
    return protocol.extractor, protocol.weights_digest or "", protocol.image_size or 0


def _other_split(protocol: Protocol) -> str:
    return "held-out" if protocol.reference_split == "train" else "train"
