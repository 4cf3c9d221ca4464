"""IS and FID whose bits depend on IEEE 754 alone, from features of the same kind.

Sums are made in an order that is fixed here, matrices by one outer product after the other, and the roots of
covariances by Jacobi rotations, all from additions, multiplications, divisions and square roots, each of
which rounds once. Definitions are those of torch-fidelity, as `fidelity` and `frechet` have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.evaluation import fidelity
from benchmark.evaluation.reference import Reference
from benchmark.training.portable import Portable, functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from benchmark.evaluation.protocols import Protocol

    Array = np.ndarray[Any, np.dtype[np.float64]]

_SWEEPS = 30
"""Most rounds over all pairs; 84 features take about ten."""


class Net(nn.Module):
    """A feature extractor that computes in the profile."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self._net = net

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits, as of the network."""
        with Portable("the feature extractor"):
            found: tuple[Tensor, Tensor] = self._net(images)
        return found


def references(
    protocols: Iterable[Protocol], rows: Callable[[Protocol, str, int], Tensor], _: Mapping[str, Any]
) -> dict[str, Reference]:
    """As `reference.references` finds them, but features only: what is fitted to them is fitted here."""
    return {
        p.name: Reference(None, rows(p, p.reference_split, p.n_reference)) for p in protocols if p.n_reference
    }


def scores(metrics: Iterable[str], features: Tensor, logits: Tensor, real: Tensor | None) -> dict[str, float]:
    """IS (over one split) of logits [N, classes] and FID of features [N, D], float32, as far as asked for.

    Raises:
        NonFiniteScore: a feature or logit is not finite.

    """
    found = {}
    if "is" in metrics:
        found["is"] = inception_score(logits)
    if "fid" in metrics and real is not None:
        found["fid"] = frechet_distance(features, real)
    return found


def inception_score(logits: Tensor) -> float:
    """exp(mean KL(p(y|x) || p(y))) of all rows."""
    fidelity.check_rows(logits, at_least=1)
    wide = logits.double()
    shifted = wide - wide.amax(1, keepdim=True)
    log_p = shifted - functions.log(_added(functions.exp(shifted).T)).unsqueeze(1)
    p = functions.exp(log_p)
    mean = _added(p) / float(len(p))
    divergence = _added((p * (log_p - functions.log(mean))).T)
    return functions.exp(_added(divergence.unsqueeze(1)) / float(len(p))).item()


def _added(terms: Tensor) -> Tensor:
    """Sum over the first dimension, one after the other."""
    total = torch.zeros_like(terms[0])
    for term in terms:
        total += term
    return total


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) of normal distributions fitted to features [N, D]."""
    for features in (first, second):
        fidelity.check_rows(features, at_least=2)
    (mean, covariance), (other_mean, other) = (_normal(f.double().numpy()) for f in (first, second))
    values, vectors = eigen(other)
    root = _product(vectors * np.sqrt(np.maximum(values, 0.0)), vectors.T)
    inner = _product(_product(root, covariance), root)
    cross = np.sqrt(np.maximum(eigen((inner + inner.T) * 0.5)[0], 0.0))
    terms = (mean - other_mean) * (mean - other_mean) + covariance.diagonal() + other.diagonal()
    total = 0.0
    for term in (terms - 2.0 * cross).tolist():
        total += term
    return total


def _normal(rows: Array) -> tuple[Array, Array]:
    """Mean [D] and covariance [D, D] of rows [N, D]."""
    mean = np.zeros(rows.shape[1])
    for row in rows:
        mean += row
    mean /= len(rows)
    centred = rows - mean
    return mean, _product(centred.T, centred) / (len(rows) - 1)


def _product(a: Array, b: Array) -> Array:
    """Matrix product, the terms of each element added in order."""
    total = np.zeros((a.shape[0], b.shape[1]))
    for column, row in zip(a.T, b, strict=True):
        total += np.multiply.outer(column, row)
    return total


def eigen(matrix: Array) -> tuple[Array, Array]:
    """Eigenvalues [D] and eigenvectors (columns of [D, D]) of a symmetric matrix, in no particular order.

    Cyclic Jacobi (Golub & Van Loan, Matrix Computations, §8.5), rotating D/2 disjoint pairs at a time in the
    order of a round-robin tournament. Stops when a round has changed nothing.
    """
    n = len(matrix) + len(matrix) % 2
    a = np.zeros((n, n))
    a[: len(matrix), : len(matrix)] = matrix
    vectors = np.eye(n)
    players = np.arange(n)
    for _ in range(_SWEEPS):
        before = a.copy()
        for _ in range(n - 1):
            p, q = players[: n // 2], players[: n // 2 - 1 : -1]
            c, s = _rotation(a[p, p], a[q, q], a[p, q])
            for m in (a, a.T, vectors.T):
                m[p], m[q] = c * m[p] - s * m[q], s * m[p] + c * m[q]
            a[p, q] = a[q, p] = 0.0
            players[1:] = np.roll(players[1:], 1)
        if np.array_equal(a, before):
            break
    return a.diagonal()[: len(matrix)].copy(), vectors[: len(matrix), : len(matrix)]


def _rotation(app: Array, aqq: Array, apq: Array) -> tuple[Array, Array]:
    """Cosines and sines [pairs, 1] of the rotations that make a_pq zero; 1 and 0 where it is negligible."""
    small = np.abs(apq) <= 2.0**-56 * np.sqrt(np.abs(app) * np.abs(aqq))
    tau = (aqq - app) / (2.0 * np.where(small, 1.0, apq))
    t = np.where(tau >= 0, 1.0, -1.0) / (np.abs(tau) + np.sqrt(1.0 + tau * tau))
    t = np.where(small, 0.0, t)
    c = 1.0 / np.sqrt(1.0 + t * t)
    return c[:, None], (t * c)[:, None]
