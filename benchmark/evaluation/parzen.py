"""Parzen-window log-likelihood: Table 1 of Goodfellow et al. 2014, after the released parzen_ll.py.

A normal density of standard deviation σ around each of n samples s, averaged, evaluated at x:

    log p(x) = log (1/n) Σᵢ exp(−‖x − sᵢ‖² / 2σ²) − D·log(σ·√(2π))

in nats, for D pixels in the range that paper used, 0..1: in −1..1 every value is D·log 2 smaller. The paper
takes 10 000 samples, σ from `GRID` by the mean over 1 000 validation images, and reports mean and standard
error over the test images; `cell` does that. The estimate depends strongly on n,
so it is comparable at equal n alone. Everything is computed in float64, on the device of the arguments.
Which images, and how many, says a protocol of `benchmark.evaluation.protocols`; `windows` applies it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor


def log_spaced(first: float, last: float, n: int) -> tuple[float, ...]:
    """Candidates for σ, evenly spaced in their logarithm.

    Half a step from the best σ costs about D·δ² nats, for δ half the distance of two logarithms: with
    MNIST's 784 dimensions up to 13, six times the printed ±, for the ten of `GRID`, and .13 for 91 candidates
    from .1 to 1, the ten among them. How much of it is lost depends on the samples: the 91 gained 10.8 to
    12.5 nats over the ten on three generators, whose best σ lies between two of `GRID`, 2 on real images.
    """
    return tuple(float(s) for s in np.logspace(math.log10(first), math.log10(last), n))


GRID = log_spaced(0.1, 1.0, 10)
"""The candidates of the released parzen_ll.py."""
_CHUNK = 500


class Estimate(NamedTuple):
    """Mean of log-likelihoods and its standard error over test examples, in nats."""

    mean: float
    standard_error: float


class Cell(NamedTuple):
    """A cell of Table 1: mean and standard error in nats under the chosen σ.

    `at_edge` says that σ is the first or last of the grid: the best one may lie outside.
    """

    mean: float
    standard_error: float
    sigma: float
    at_edge: bool


def cell(
    samples: Tensor, validation: Tensor, test: Tensor, grid: Sequence[float] = GRID, *, chunk: int = _CHUNK
) -> Cell:
    """Log-likelihood of test images under the samples (Table 1).

    σ = argmax over the grid of the mean over the validation images; then mean and standard error over the
    test images.

    Args:
        samples: generated images, [n, ...]; uint8 in 0..255 (divided by 255) or floats in 0..1.
        validation: images that choose σ, [v, ...], of the same size.
        test: images that the cell is about, [m, ...].
        grid: candidates for σ, increasing.
        chunk: as in `log_likelihoods`.

    Raises:
        ValueError: values outside 0..1, shapes that do not fit, or what `log_likelihoods` refuses.

    """
    centres, chosen_by, judged = (_unit(images) for images in (samples, validation, test))
    sigma = choose_sigma(chosen_by, centres, grid, chunk=chunk)
    found = estimate(log_likelihoods(judged, centres, sigma, chunk=chunk))
    return Cell(*found, sigma, at_edge=sigma in (grid[0], grid[-1]))


def log_likelihoods(test: Tensor, samples: Tensor, sigma: float, *, chunk: int = _CHUNK) -> Tensor:
    """The log-density at every test point, float64 [m], in nats.

    Args:
        test: points [m, D].
        samples: centres of the window [n, D].
        sigma: standard deviation of the window, in the unit of the pixels.
        chunk: test points at a time; bounds memory at a few matrices of chunk × n, does not change values.

    Raises:
        ValueError: the shapes do not fit, one is empty, a value is not finite, or `sigma` is not positive.

    """
    _check(test, samples, (sigma,))
    return torch.cat(
        [_log_density(d, sigma, test.shape[1]) for d in _squared_distances(test, samples, chunk)]
    )


def choose_sigma(
    validation: Tensor, samples: Tensor, grid: Sequence[float] = GRID, *, chunk: int = _CHUNK
) -> float:
    """The σ of `grid` under which the validation points have the largest mean; the first of equals.

    Arguments and errors are those of `log_likelihoods`; an empty grid is a ValueError too.
    """
    means = mean_log_likelihoods(validation, samples, grid, chunk=chunk)
    return grid[int(means.argmax())]


def mean_log_likelihoods(
    points: Tensor, samples: Tensor, grid: Sequence[float], *, chunk: int = _CHUNK
) -> Tensor:
    """Mean of `log_likelihoods` for every σ of `grid`, float64 [len(grid)]; distances are computed once."""
    _check(points, samples, grid)
    totals = torch.zeros(len(grid), dtype=torch.float64, device=points.device)
    for distances in _squared_distances(points, samples, chunk):
        totals += torch.stack([_log_density(distances, s, points.shape[1]).sum() for s in grid])
    return totals / len(points)


def estimate(values: Tensor) -> Estimate:
    """Mean and population standard deviation / √m of `values`, [m]: the two numbers of a cell of Table 1."""
    if values.dim() != 1 or not len(values):
        raise ValueError(f"need a vector of log-likelihoods, not {list(values.shape)}")
    values = values.double()
    return Estimate(values.mean().item(), values.std(correction=0).item() / math.sqrt(len(values)))


def _squared_distances(points: Tensor, samples: Tensor, chunk: int) -> Iterator[Tensor]:
    """‖x − s‖² as matrices [≤ chunk, n], through one matrix product each."""
    samples = samples.double()
    norms = samples.square().sum(1)
    for some in torch.split(points.double(), chunk):
        products = some @ samples.t()
        yield (some.square().sum(1, keepdim=True) + norms - 2 * products).clamp_(min=0)


def _log_density(squared_distances: Tensor, sigma: float, dimensions: int) -> Tensor:
    n = squared_distances.shape[1]
    constant = math.log(n) + dimensions * math.log(sigma * math.sqrt(2 * math.pi))
    return torch.logsumexp(squared_distances / (-2 * sigma**2), 1) - constant


def _unit(images: Tensor) -> Tensor:
    """Float64 vectors in 0..1, [n, D]."""
    vectors = images.flatten(1).double()
    if images.dtype == torch.uint8:
        return vectors / 255
    if len(vectors) and not ((vectors >= 0) & (vectors <= 1)).all():
        low, high = vectors.min().item(), vectors.max().item()
        raise ValueError(f"pixels must lie in 0..1, or be uint8; these lie in {low:g}..{high:g}")
    return vectors


def _check(points: Tensor, samples: Tensor, grid: Sequence[float]) -> None:
    if points.dim() != 2 or samples.dim() != 2 or points.shape[1] != samples.shape[1]:
        raise ValueError(f"points {list(points.shape)} do not fit samples {list(samples.shape)}")
    if not points.numel() or not samples.numel():
        raise ValueError(f"nothing to compare: points {list(points.shape)}, samples {list(samples.shape)}")
    if not torch.isfinite(points).all() or not torch.isfinite(samples).all():
        raise ValueError("a point or a sample is NaN or Inf")
    if not grid or not all(0 < sigma < math.inf for sigma in grid):
        raise ValueError(f"σ must be positive and finite, not {list(grid)}")
