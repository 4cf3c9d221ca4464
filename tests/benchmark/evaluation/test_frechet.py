"""The Fréchet distance by a factorised reference is torch-fidelity's, or torch-fidelity computes it."""

import numpy as np
import pytest
import torch

from benchmark import data
from benchmark.evaluation import extractors, fidelity, frechet
from benchmark.evaluation.evaluator import frame

D = 96


def rows(n, seed, scale, shift=0.0):
    """Normal rows with these standard deviations along random directions."""
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(len(scale), len(scale), generator=torch.Generator().manual_seed(9)))[
        0
    ]
    return (torch.randn(n, len(scale), generator=generator) * scale) @ basis + shift


def decaying(decades, dimension=D):
    """Standard deviations for eigenvalues that fall by this many powers of ten."""
    return 10 ** (-decades / 2 * torch.arange(dimension) / dimension)


def library(a, b):
    return fidelity.frechet_distance(a, b)


@pytest.fixture
def calls(monkeypatch):
    """How often torch-fidelity computed the distance."""
    made = []
    between = fidelity.frechet_between
    monkeypatch.setattr(fidelity, "frechet_between", lambda *a: made.append(1) or between(*a))
    return made


@pytest.mark.parametrize("decades", [0, 2, 4, 6])
@pytest.mark.parametrize("shift", [0.0, 0.05])
def test_equal_to_the_librarys_within_the_tolerance(calls, decades, shift):
    a, b = rows(800, 1, 1.1 * decaying(decades), shift), rows(3000, 2, decaying(decades))
    value = frechet.distance(a, frechet.fit(b))
    assert calls == []
    assert value == pytest.approx(library(a, b), rel=frechet.TOLERANCE)


@pytest.mark.parametrize(
    ("n", "m", "scale"),
    [
        (D, 500, decaying(0)),  # as many generated images as features
        (20, 500, decaying(0)),
        (500, 20, decaying(0)),  # too few real images
        (500, 400, torch.cat([torch.ones(50), torch.zeros(D - 50)])),  # silent features
        (500, 400, decaying(14)),
    ],
)
def test_singular_covariances_are_left_to_the_library(calls, n, m, scale):
    a, b = rows(n, 1, scale, 0.1), rows(m, 2, scale)
    assert frechet.distance(a, frechet.fit(b)) == library(a, b)
    assert calls == [1]


@pytest.mark.parametrize("scale", [decaying(9), torch.cat([torch.ones(1), torch.full((D - 1,), 1e-4)])])
def test_where_rounding_would_show_the_library_computes(calls, scale):
    a, b = rows(3000, 1, scale), rows(3000, 2, scale)
    assert frechet.fit(b).root is not None
    assert frechet.distance(a, frechet.fit(b)) == library(a, b)
    assert calls == [1]


@pytest.mark.parametrize("decades", [0, 3, 6, 8, 10, 12])
@pytest.mark.parametrize("floor", [0.0, 1e-3, 1e-5])
def test_the_estimate_covers_the_difference(decades, floor):
    scale = decaying(decades).clamp(min=floor)
    a, b = rows(2000, 1, scale), rows(2000, 2, scale)
    reference = frechet.fit(b)
    if reference.root is not None:
        value, error = frechet.by_root(a, reference.mean, reference.covariance, reference.root)
        assert abs(value - library(a, b)) <= error


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_the_covariance_is_numpys_in_double_precision_however_far_the_mean(shift):
    a = rows(2 * frechet._CHUNK + 5, 1, decaying(2), shift)
    expected = np.cov(a.double().numpy(), rowvar=False)
    found = frechet._covariance(a).numpy()
    assert np.abs(found - expected).max() <= 1e-13 * np.abs(expected).max() * (1 + shift)


def test_near_a_closed_form():
    """Of two normal distributions with the same axes: sum of (difference of deviations)², with many rows."""
    a, b = rows(200_000, 1, 2 * decaying(1, 8)), rows(200_000, 2, decaying(1, 8))
    expected = float((decaying(1, 8) ** 2).sum())
    assert frechet.distance(a, frechet.fit(b)) == pytest.approx(expected, rel=0.02)


def test_the_digits_protocol_goes_the_librarys_way(calls):
    """14 silent features: its numbers are those of every earlier version, bit for bit."""
    net = extractors.load("digits-lenet")
    a, b = (
        extractors.extract(net, frame(data.load("digits", s)[:1000], 32), torch.device("cpu"))[0]
        for s in ("train", "held-out")
    )
    assert frechet.distance(a, frechet.fit(b)) == library(a, b)
    assert calls == [1]


def test_statistics_are_the_librarys():
    a, b = rows(300, 1, decaying(2)), rows(200, 2, decaying(2))
    assert fidelity.frechet_between(fidelity.normal(a), fidelity.normal(b)) == library(a, b)
    assert np.array_equal(fidelity.normal(a)[1], np.cov(a.numpy(), rowvar=False))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_features_are_refused(bad):
    a, b = rows(300, 1, decaying(0)), rows(300, 2, decaying(0))
    reference = frechet.fit(b)
    a[7, 3] = bad
    with pytest.raises(fidelity.NonFiniteScore, match="1 of 28800"):
        frechet.distance(a, reference)
    with pytest.raises(fidelity.NonFiniteScore):
        frechet.fit(a)
    with pytest.raises(ValueError, match="cannot compare 95 features with 96"):
        frechet.distance(rows(300, 1, decaying(0))[:, 1:], reference)
    with pytest.raises(ValueError, match="at least 2 rows"):
        frechet.distance(b[:1], reference)
