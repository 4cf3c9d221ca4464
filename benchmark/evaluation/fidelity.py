"""Scores of feature rows, computed by torch-fidelity, which `inception` alone uses besides.

Features are extracted once per evaluation (`benchmark.evaluation.extractors`); torch-fidelity then sees rows
instead of images, through an extractor that returns its input. The numbers equal a direct call on the images.
What the library leaves to the caller is done here: its draws from torch's global generator are undone, its
name-keyed cache is off, an unknown option is an error, and so is a value that is not finite.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmark.evaluation import torchvision_ops

torchvision_ops.import_torchvision()

import torch_fidelity as torch_fidelity  # noqa: E402
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric  # noqa: E402
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY  # noqa: E402

_EXTRACTOR = "ganbench-rows"
_LAYER = "rows"
# Rows are only copied, so this bounds memory and has no influence on the values.
_BATCH_SIZE = 8192

Vector = np.ndarray[tuple[int], np.dtype[Any]]
Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


class NonFiniteScore(ValueError):
    """A feature or a score is NaN or Inf."""


class _Rows(Dataset[Tensor]):
    """Rows of a matrix in the form torch-fidelity takes: one tensor per index."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Tensor:
        return self.rows[index]


class _PassThrough(torch_fidelity.FeatureExtractorBase):  # type: ignore[misc]
    """The extractor whose features are its input."""

    def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
        super().__init__(name, features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return (_LAYER,)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:  # noqa: ARG004
        return _LAYER

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, rows: Tensor) -> tuple[Tensor]:
        return (rows,)


def inception_score(logits: Tensor, *, splits: int) -> float:
    """The mean of `inception_scores`."""
    return inception_scores(logits, splits=splits)[0]


def inception_scores(logits: Tensor, *, splits: int) -> tuple[float, float]:
    """exp(mean KL(p(y|x) || p(y))) of groups of shuffled rows: mean and deviation (Salimans et al. 2016).

    Args:
        logits: class scores before the softmax, floating-point [N, classes] on the CPU.
        splits: number of groups, between 1 and N. The deviation over them is the population's.

    Raises:
        NonFiniteScore: a logit or the score is not finite.
        ValueError: fewer rows than groups.

    """
    check_rows(logits, at_least=max(splits, 1))
    if splits < 1:
        raise ValueError(f"the Inception score needs at least one split, not {splits}")
    mean, deviation = _calculate(
        "inception_score_mean", "inception_score_std", input1=_Rows(logits), isc=True, isc_splits=splits
    )
    return mean, deviation


def frechet_distance(generated: Tensor, reference: Tensor) -> float:
    """Fréchet distance between normal distributions fitted to two sets of features (Heusel et al. 2017).

    Args:
        generated: features, float32 [N, D] on the CPU, N >= 2 and D >= 2.
        reference: features of the real images, float32 [M, D] on the CPU, M >= 2.

    Raises:
        NonFiniteScore: a feature or the distance is not finite.
        ValueError: the shapes do not fit.

    """
    _check_pair(generated, reference, at_least=2)
    return _calculate(
        "frechet_inception_distance", input1=_Rows(generated), input2=_Rows(reference), fid=True
    )[0]


def normal(features: Tensor) -> tuple[Vector, Matrix]:
    """Mean (in the features' precision) and covariance (float64) of rows, as `frechet_distance` fits them."""
    check_rows(features, at_least=2)
    fitted = fid_features_to_statistics(features)
    return fitted["mu"], fitted["sigma"]


def frechet_between(first: tuple[Vector, Matrix], second: tuple[Vector, Matrix]) -> float:
    """`frechet_distance` of two results of `normal`: the same bits. A mean may be of double precision."""
    kind = np.result_type(first[0], second[0])
    statistics = [
        {"mu": mean.astype(kind, copy=False), "sigma": covariance} for mean, covariance in (first, second)
    ]
    try:
        value = float(fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"])
    except np.linalg.LinAlgError as error:
        raise NonFiniteScore(f"the Fréchet distance cannot be computed ({error})") from error
    return _finite("frechet_inception_distance", value)


def kernel_distance(
    generated: Tensor, reference: Tensor, *, subsets: int, subset_size: int
) -> tuple[float, float]:
    """Unbiased squared MMD, kernel (x·y/D + 1)³, over pairs of random subsets (Binkowski et al. 2018).

    Args:
        generated: features, float32 [N, D] on the CPU.
        reference: features of the real images, float32 [M, D] on the CPU.
        subsets: pairs of subsets; mean and (population) deviation over them are returned.
        subset_size: rows in each, at most N and M.

    Raises:
        NonFiniteScore: a feature or the distance is not finite.
        ValueError: fewer rows than a subset takes, or the shapes do not fit.

    """
    _check_pair(generated, reference, at_least=max(subset_size, 2))
    if subsets < 1 or subset_size < 2:
        raise ValueError(f"KID needs a subset of two rows or more, not {subsets} of {subset_size}")
    mean, deviation = _calculate(
        "kernel_inception_distance_mean",
        "kernel_inception_distance_std",
        input1=_Rows(generated),
        input2=_Rows(reference),
        kid=True,
        kid_subsets=subsets,
        kid_subset_size=subset_size,
    )
    return mean, deviation


def precision_recall(generated: Tensor, reference: Tensor, *, neighbours: int) -> tuple[float, float]:
    """Shares of each set within the other's k-nearest-neighbour balls (Kynkäänniemi et al. 2019).

    Args:
        generated: features, float32 [N, D] on the CPU, N > `neighbours`.
        reference: features of the real images, float32 [M, D] on the CPU, M > `neighbours`.
        neighbours: the k, at least 1.

    Raises:
        NonFiniteScore: a feature is not finite.
        ValueError: too few rows, or the shapes do not fit.

    """
    _check_pair(generated, reference, at_least=max(neighbours, 1) + 1)
    if neighbours < 1:
        raise ValueError(f"precision and recall need at least one neighbour, not {neighbours}")
    precision, recall = _calculate(
        "precision",
        "recall",
        input1=_Rows(generated),
        input2=_Rows(reference),
        prc=True,
        prc_neighborhood=neighbours,
    )
    return precision, recall


def check_rows(rows: Tensor, *, at_least: int) -> None:
    """Raise for rows that are too few (`ValueError`) or not finite (`NonFiniteScore`)."""
    if rows.dim() != 2 or len(rows) < at_least:
        raise ValueError(f"need a matrix with at least {at_least} rows, not {list(rows.shape)}")
    if not all(torch.isfinite(part).all() for part in torch.split(rows, _BATCH_SIZE)):
        raise NonFiniteScore(
            f"{int((~torch.isfinite(rows)).sum())} of {rows.numel()} features are NaN or Inf"
        )


def _check_pair(generated: Tensor, reference: Tensor, *, at_least: int) -> None:
    check_rows(generated, at_least=at_least)
    check_rows(reference, at_least=at_least)
    if generated.shape[1] != reference.shape[1] or generated.shape[1] < 2:
        raise ValueError(f"cannot compare features {list(generated.shape)} with {list(reference.shape)}")


def _calculate(*keys: str, **request: Any) -> list[float]:
    # The check keeps a second import of this module (reload, test runners) from failing.
    if _EXTRACTOR not in FEATURE_EXTRACTORS_REGISTRY:
        torch_fidelity.register_feature_extractor(_EXTRACTOR, _PassThrough)
    # Rows are on the CPU and CUDA is off: only the CPU generator can be touched.
    with torch.random.fork_rng(devices=[]):
        scores = torch_fidelity.calculate_metrics(
            **request,
            feature_extractor=_EXTRACTOR,
            batch_size=_BATCH_SIZE,
            cuda=False,
            save_cpu_ram=True,
            cache=False,
            verbose=False,
        )
    return [_finite(key, float(scores[key])) for key in keys]


def _finite(key: str, value: float) -> float:
    if not math.isfinite(value):
        raise NonFiniteScore(f"{key} is {value}")
    return value
