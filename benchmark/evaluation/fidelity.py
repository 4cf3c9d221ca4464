"""Inception score and Fréchet distance of feature rows, computed by torch-fidelity. Nothing else imports it.

Features are extracted once per evaluation (`benchmark.evaluation.extractors`); torch-fidelity then sees rows
instead of images, through an extractor that returns its input. The numbers equal a direct call on the images.
What the library leaves to the caller is done here: its draws from torch's global generator are undone, its
name-keyed cache is off, an unknown option is an error, and so is a value that is not finite.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmark.evaluation import torchvision_ops

torchvision_ops.make_importable()
with warnings.catch_warnings():
    # torchvision warns about its image codecs when its extension does not match torch; none is used here.
    warnings.filterwarnings("ignore", message="Failed to load image Python extension")
    import torch_fidelity
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

_EXTRACTOR = "ganbench-rows"
_LAYER = "rows"
# Rows are only copied, so this bounds memory and has no influence on the values.
_BATCH_SIZE = 8192


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
    """exp(mean KL(p(y|x) || p(y))) over `splits` groups of shuffled rows, averaged (Salimans et al. 2016).

    Args:
        logits: class scores before the softmax, floating-point [N, classes] on the CPU.
        splits: number of groups, between 1 and N.

    Raises:
        NonFiniteScore: a logit or the score is not finite.
        ValueError: fewer rows than groups.

    """
    _check_rows(logits, at_least=max(splits, 1))
    if splits < 1:
        raise ValueError(f"the Inception score needs at least one split, not {splits}")
    return _calculate("inception_score_mean", input1=_Rows(logits), isc=True, isc_splits=splits)


def frechet_distance(generated: Tensor, reference: Tensor) -> float:
    """Fréchet distance between normal distributions fitted to two sets of features (Heusel et al. 2017).

    Args:
        generated: features, float32 [N, D] on the CPU, N >= 2 and D >= 2.
        reference: features of the real images, float32 [M, D] on the CPU, M >= 2.

    Raises:
        NonFiniteScore: a feature or the distance is not finite.
        ValueError: the shapes do not fit.

    """
    _check_rows(generated, at_least=2)
    _check_rows(reference, at_least=2)
    if generated.shape[1] != reference.shape[1] or generated.shape[1] < 2:
        raise ValueError(f"cannot compare features {list(generated.shape)} with {list(reference.shape)}")
    return _calculate(
        "frechet_inception_distance", input1=_Rows(generated), input2=_Rows(reference), fid=True
    )


def _check_rows(rows: Tensor, *, at_least: int) -> None:
    if rows.dim() != 2 or len(rows) < at_least:
        raise ValueError(f"need a matrix with at least {at_least} rows, not {list(rows.shape)}")
    if not torch.isfinite(rows).all():
        raise NonFiniteScore(
            f"{int((~torch.isfinite(rows)).sum())} of {rows.numel()} features are NaN or Inf"
        )


def _calculate(key: str, **request: Any) -> float:
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
    value = float(scores[key])
    if not math.isfinite(value):
        raise NonFiniteScore(f"{key} is {value}")
    return value
