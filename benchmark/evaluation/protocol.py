"""What an evaluation protocol is: exactly how a score is computed, as data."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmark import data
from benchmark.data import registry
from benchmark.errors import UserError
from benchmark.evaluation import weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmark.data import DatasetInfo

WINDOW = "parzen"
"""The extractor of protocols that need none: a Parzen window on the pixels."""
NEAREST = "nearest"
"""The extractor of protocols that need none: the class of the nearest generated image, by its pixels."""
CRITIC = "critic"
"""The extractor of protocols that take the features of the run's own critic."""
OF_PIXELS = (WINDOW, NEAREST)


@dataclass(frozen=True)
class Protocol:
    """How a generator, or a critic, gets its scores; fields that do not apply are None.

    Attributes:
        name: how suites and records call it.
        title: how reports call it.
        extractor: the feature network, one of `benchmark.evaluation.extractors`; or `WINDOW`,
            `NEAREST` or `CRITIC`.
        metrics: the scores computed, from ``is`` (Inception score), ``fid`` (Fréchet distance), ``kid``
            (kernel distance), ``precision`` and ``recall``; ``parzen_ll`` (log-likelihood in nats) by a
            window; ``classification_accuracy`` and ``classification_error`` in percent by a critic or by
            the nearest image.
        n_generated: generated images per evaluation.
        n_reference: real images that the scores are about: those that FID and the like compare with, or the
            test images; 0 where there are none.
        reference_split: the split of the data set they are of: its first `n_reference` images; or ``none``.
        isc_splits: groups over which the Inception score is averaged.
        image_size: height and width in pixels at which images enter the extractor; 0 for as they are.
        quantisation: how generator outputs become uint8, if they do.
        comparable_with_papers: whether the scores may stand beside a number printed in a paper.
        note: what a reader must know to read the scores.
        weights_digest: SHA-256 (hex) of the extractor's weights file; empty until `resolved` where the file
            is not part of ganbench; None without a file.
        is_sets: consecutive sets of `n_generated` / `is_sets` images with an Inception score each, of which
            the mean is the score.
        kid_subsets: pairs of random subsets over which KID is averaged.
        kid_subset_size: images in such a subset.
        prc_neighbours: the k of the k-nearest-neighbour balls of precision and recall.
        dataset: the only data set that the protocol is about.
        n_validation: training images that choose the window's σ or the SVM's C.
        first_validation: the first of them.
        folds: of the data set, each with a validation and a test part and a σ of its own; the score is
            the mean over them.
        folds_digest: SHA-256 (hex) over their content; empty until `resolved`.
        sigma_grid: (first, last, number) of the candidates for σ, evenly spaced in their logarithm.
        labels_per_class: labels that an SVM gets of each class; 0 for all.
        draws: random draws of these labels over which the accuracy is averaged.
        choosing_draws: the first so many of them, by which C is chosen.

    """

    name: str
    title: str
    extractor: str
    metrics: tuple[str, ...]
    n_generated: int
    n_reference: int
    reference_split: str
    isc_splits: int | None
    image_size: int | None
    quantisation: str | None
    comparable_with_papers: bool
    note: str
    weights_digest: str | None
    is_sets: int | None = None
    kid_subsets: int | None = None
    kid_subset_size: int | None = None
    prc_neighbours: int | None = None
    dataset: str | None = None
    n_validation: int | None = None
    first_validation: int | None = None
    folds: int | None = None
    folds_digest: str | None = None
    sigma_grid: tuple[float, float, int] | None = None
    labels_per_class: int | None = None
    draws: int | None = None
    choosing_draws: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """All fields that apply, as JSON types; this is what identifies the protocol in records."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}

    def resolved(self) -> Protocol:
        """The protocol with the digest of the weights that are there now; runs are planned and scored by it.

        Other weights than the published ones make it another protocol, comparable with no paper.

        Raises:
            UserError: the weights, or a fold, are not there or damaged; says how to get them.

        """
        if self.folds_digest == "":
            names = self.fold_names()
            for name in names:
                data.require(name)
            digests = "".join(data.info(name).digest for name in names)
            return replace(self, folds_digest=hashlib.sha256(digests.encode()).hexdigest())
        if self.weights_digest != "":
            return self
        try:
            digest = weights.inception_digest()
        except UserError as error:
            what = f"{error.where}: {error.what}"
            raise UserError(what, where=f"protocol '{self.name}'", do=error.do) from None
        if digest == weights.INCEPTION_SHA256:
            return replace(self, weights_digest=digest)
        note = "Not comparable with any paper: the weights are not the published ones. " + self.note
        return replace(self, weights_digest=digest, comparable_with_papers=False, note=note)

    @property
    def has_portable_scores(self) -> bool:
        """Whether `portable_scores` computes all of them."""
        exact = self.extractor == "digits-lenet" and set(self.metrics) <= {"is", "fid"}
        return exact and self.isc_splits in (None, 1) and self.is_sets is None

    def fold_names(self) -> tuple[str, ...]:
        """The data sets that are the folds."""
        return tuple(registry.fold_name(self.dataset or "", k) for k in range(self.folds or 0))

    def check_suite(self) -> None:
        """Refuse a protocol that no suite can have: it is about the critic of a finished run."""
        if self.extractor == CRITIC:
            do = f"Use `ganbench evaluate RUN --protocol {self.name}` on its runs"
            raise UserError(f"'{self.name}' scores critics, which suites do not", do=do)

    def check_data(
        self, dataset: DatasetInfo, image_shape: tuple[int, ...], classes: int | None = None
    ) -> None:
        """Refuse data that the protocol is not about; how many there are is checked when scoring.

        Args:
            dataset: what the scores are to be about.
            image_shape: (channels, height, width) of what the networks see.
            classes: that the generator is given, 0 for none; None where nothing is known of it.

        Raises:
            UserError: another data set than the protocol's; a frame around images of which the pixels
                count, which would add dimensions; or a generator that does not know what class it draws.

        """
        where = f"protocol '{self.name}'"
        if data.is_drawn(dataset.name):
            do = "Give the suite no protocols: protocols = []"
            raise UserError(f"scores images, '{dataset.name}' are points of the plane", where=where, do=do)
        if self.dataset not in (None, dataset.name):
            do = "Choose another protocol, or an experiment on these data"
            raise UserError(f"is about '{self.dataset}', not '{dataset.name}'", where=where, do=do)
        if self.extractor == NEAREST and classes == 0:
            do = "Choose a conditional experiment"
            raise UserError("needs images that are generated by class", where=where, do=do)
        if self.extractor in OF_PIXELS and image_shape != dataset.shape:
            theirs, ours = ("x".join(map(str, shape)) for shape in (dataset.shape, image_shape))
            raise UserError(f"takes images of {theirs}, but the networks' are {ours}", where=where)


def at_edge(protocol: Mapping[str, Any], sigma: float) -> bool:
    """Whether a σ is the first or last candidate of a protocol (`as_dict`): the best may lie outside."""
    first, last, _ = protocol["sigma_grid"]
    return math.isclose(sigma, first) or math.isclose(sigma, last)


def sigmas(scores: Mapping[str, float | None]) -> list[float]:
    """The σ among the scores of a window: one, or one per fold."""
    return [x for metric, x in scores.items() if metric.startswith("parzen_sigma") and x is not None]
