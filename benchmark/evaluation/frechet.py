"""Fréchet distance to a reference whose covariance is factorised once.

torch-fidelity takes the eigenvalues of the product of two covariances, a matrix that is not symmetric. With
the symmetric root R of the reference's covariance at hand, R S R has the same eigenvalues and is symmetric:
several times faster. What rounding can do to either way is estimated from the eigenvalues, and where it might
exceed `TOLERANCE` of the distance (singular covariances, distances near zero), the library's way is taken. It
is the only one for fewer images than features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from benchmark.evaluation import fidelity

if TYPE_CHECKING:
    from benchmark.evaluation.fidelity import Matrix, Vector

TOLERANCE = 1e-6
"""Most relative difference to torch-fidelity's value."""
_CHUNK = 2048
_EPSILON = 2.0**-52
_SAFETY = 1.0
"""Rounding of an eigenvalue in units of epsilon times the norms of both covariances. With 1, the estimate was
3 to 10 000 times the measured difference for each of a hundred spectra."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution fitted to features.

    Attributes:
        n: rows it was fitted to.
        mean: [D], in the precision of the features.
        covariance: [D, D].
        root: its symmetric root; None where it is singular.

    """

    n: int
    mean: Vector
    covariance: Matrix
    root: Matrix | None


def fit(features: Tensor) -> Normal:
    """Fit a reference to features, float32 [N, D] on the CPU. Raises like `fidelity.normal`."""
    mean, covariance = fidelity.normal(features)
    return Normal(len(features), mean, covariance, _root(covariance, len(features)))


def distance(features: Tensor, reference: Normal) -> float:
    """`fidelity.frechet_distance` of features and those of the reference, up to `TOLERANCE` of it.

    Args:
        features: float32 [N, D] on the CPU, N >= 2.
        reference: fitted to features of the same kind.

    Raises:
        NonFiniteScore: a feature or the distance is not finite.
        ValueError: the shapes do not fit.

    """
    fidelity.check_rows(features, at_least=2)
    if features.shape[1] != len(reference.mean) or features.shape[1] < 2:
        raise ValueError(f"cannot compare {features.shape[1]} features with {len(reference.mean)}")
    if reference.root is not None and len(features) > features.shape[1]:
        value, error = by_root(features, reference.mean, reference.covariance, reference.root)
        if error <= TOLERANCE * value:
            return value
    return fidelity.frechet_between(fidelity.normal(features), (reference.mean, reference.covariance))


def by_root(features: Tensor, mean: Vector, covariance: Matrix, root: Matrix) -> tuple[float, float]:
    """The distance by the root of the reference's covariance; what rounding may do to it or the library's."""
    own_mean = features.numpy().mean(
        axis=0
    )  # in single precision as the library's, whose error it thus shares
    own = _covariance(features)
    factor = torch.from_numpy(root)
    values = torch.linalg.eigvalsh(factor @ own @ factor)
    cross = values.clamp(min=0.0).sqrt().sum()
    difference = own_mean - mean
    traces = own.trace() + torch.from_numpy(covariance).trace()
    value = float(difference.dot(difference)) + float(traces - 2.0 * cross)
    # A perturbation d of an eigenvalue v moves its root by d / (2 sqrt(v)), and by sqrt(d) at most.
    norms = torch.linalg.vector_norm(own) * torch.linalg.vector_norm(torch.from_numpy(covariance))
    d = _SAFETY * _EPSILON * float(norms)
    moved = torch.minimum(d / (2.0 * values.clamp(min=1e-300).sqrt()), torch.full_like(values, d**0.5))
    rounding = _EPSILON * float(traces) * len(values) ** 0.5
    return value, 2.0 * float(torch.linalg.vector_norm(moved)) + _SAFETY * rounding


def _covariance(features: Tensor) -> Tensor:
    """Covariance in double precision, a part of the rows at a time; equals NumPy's up to rounding."""
    parts = torch.split(features, _CHUNK)
    mean = torch.stack([part.sum(0, dtype=torch.float64) for part in parts]).sum(0) / len(features)
    total = torch.zeros(features.shape[1], features.shape[1], dtype=torch.float64)
    for part in parts:
        centred = part.double() - mean
        total.addmm_(centred.T, centred)
    return total / (len(features) - 1)


def _root(covariance: Matrix, n: int) -> Matrix | None:
    dimension = len(covariance)
    if n <= dimension or dimension < 2:
        return None
    values, vectors = torch.linalg.eigh(torch.from_numpy(covariance))
    if values[0] <= _EPSILON * dimension * values[-1]:
        return None
    root: Matrix = ((vectors * values.sqrt()) @ vectors.T).numpy()
    return root
