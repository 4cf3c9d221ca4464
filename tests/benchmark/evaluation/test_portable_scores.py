"""Portable scores: the definitions of torch-fidelity, up to rounding; eigenvalues of any symmetric matrix."""

import numpy as np
import pytest
import torch

from benchmark import data
from benchmark.evaluation import fidelity, portable_scores, protocols
from benchmark.evaluation.evaluator import Evaluator


@pytest.fixture(scope="module")
def real():
    return data.load("digits", "train")[:2000]


def test_the_scores_of_digits_are_those_of_the_faithful_profile(real):
    found, expected = (
        Evaluator([protocols.get("digits-2k")], "digits", portable=portable).scores(real)["digits-2k"]
        for portable in (True, False)
    )
    assert found.keys() == expected.keys()
    assert found["is"] == pytest.approx(expected["is"], rel=1e-6)
    assert found["fid"] == pytest.approx(expected["fid"], rel=1e-5)


def test_a_real_data_floor_is_there_too():
    floor = Evaluator([protocols.get("digits-2k")], "digits", portable=True).real_data_floor()
    assert set(floor["digits-2k"]) == {"is", "fid"}


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("rank", [1, 3, 20])
def test_eigenvalues_and_vectors(n, rank):
    rows = np.random.default_rng(n).standard_normal((n, rank))
    matrix = rows @ rows.T
    values, vectors = portable_scores.eigen(matrix)
    assert np.sort(values) == pytest.approx(np.linalg.eigvalsh(matrix), abs=1e-12 * np.abs(matrix).max() * n)
    assert (vectors * values) @ vectors.T == pytest.approx(matrix, abs=1e-12 * np.abs(matrix).max() * n)
    assert vectors.T @ vectors == pytest.approx(np.eye(n), abs=1e-12)


def test_distances_in_closed_form():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 5, generator=generator)
    assert portable_scores.frechet_distance(x, x) == pytest.approx(0, abs=1e-12)
    assert portable_scores.frechet_distance(x + 2, x) == pytest.approx(4 * 5, rel=1e-6)
    spread = portable_scores.frechet_distance(x * 3, x)
    mean, var = x.double().mean(0), x.double().var(0)
    assert spread == pytest.approx(float((4 * mean**2).sum() + (4 * var).sum()), rel=1e-6)


def test_inception_score_in_closed_form():
    certain = 50.0 * torch.eye(4).repeat(6, 1)
    assert portable_scores.inception_score(certain) == pytest.approx(4, rel=1e-12)
    assert portable_scores.inception_score(torch.zeros(5, 4)) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_has_no_score(bad):
    rows = torch.ones(4, 3)
    rows[1, 1] = bad
    with pytest.raises(fidelity.NonFiniteScore):
        portable_scores.inception_score(rows)
    with pytest.raises(fidelity.NonFiniteScore):
        portable_scores.frechet_distance(rows, torch.ones(4, 3))
