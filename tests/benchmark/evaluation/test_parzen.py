"""The Parzen window against a Gaussian in closed form, its definition read literally, and its symmetries.

The released code's own numbers are compared in tests/baselines/test_golden_gan.py. The protocol of Table 1
has an oracle besides: MNIST's own training images as samples, whose value is known from elsewhere.
"""

import math
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data import idx
from benchmark.evaluation.parzen import (
    GRID,
    cell,
    choose_sigma,
    estimate,
    log_likelihoods,
    log_spaced,
    mean_log_likelihoods,
)

MNIST = Path(__file__).parents[4] / "shared" / "data" / "MNIST"
SMALL = (0.05, 0.1, 0.3, 1.0)
FINE = log_spaced(0.1, 1.0, 91)


def uniform(n, dimensions, seed):
    return torch.rand(n, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def literal(test, samples, sigma):
    values = []
    for x in test.tolist():
        density = 0.0
        for s in samples.tolist():
            squared = sum((a - b) ** 2 for a, b in zip(x, s, strict=True))
            density += math.exp(-squared / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi)) ** len(x)
        values.append(math.log(density / len(samples)))
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("sigma", [0.1, 0.3, 2.0])
def test_one_sample_is_a_gaussian(sigma):
    test, sample = uniform(5, 7, 0), uniform(1, 7, 1)
    expected = torch.distributions.Normal(sample, sigma).log_prob(test).sum(1)
    torch.testing.assert_close(log_likelihoods(test, sample, sigma), expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("sigma", [0.2, 1.0])
def test_definition_read_literally(sigma):
    test, samples = uniform(6, 4, 0), uniform(9, 4, 1)
    torch.testing.assert_close(
        log_likelihoods(test, samples, sigma), literal(test, samples, sigma), rtol=1e-12, atol=1e-12
    )


def test_density_integrates_to_one():
    samples, x = uniform(20, 1, 0), torch.linspace(-4, 5, 4001, dtype=torch.float64)
    density = log_likelihoods(x[:, None], samples, 0.25).exp()
    assert torch.trapezoid(density, x).item() == pytest.approx(1, abs=1e-9)


def test_far_points_do_not_underflow():
    far = torch.full((1, 784), 100.0)
    value = log_likelihoods(far, torch.zeros(3, 784), 0.1).item()
    assert value == pytest.approx(
        -784 * 100**2 / 0.02 - 784 * math.log(0.1 * math.sqrt(2 * math.pi)), rel=1e-12
    )


@given(st.integers(1, 40))
def test_chunk_does_not_matter(chunk):
    test, samples = uniform(30, 20, 0), uniform(25, 20, 1)
    whole = log_likelihoods(test, samples, 0.2, chunk=30)
    torch.testing.assert_close(
        log_likelihoods(test, samples, 0.2, chunk=chunk), whole, rtol=1e-12, atol=1e-12
    )
    torch.testing.assert_close(
        mean_log_likelihoods(test, samples, GRID, chunk=chunk),
        torch.stack([log_likelihoods(test, samples, sigma).mean() for sigma in GRID]),
        rtol=1e-12,
        atol=1e-12,
    )


@given(st.permutations(range(8)), st.permutations(range(6)))
def test_order_of_samples_does_not_matter_and_that_of_points_is_kept(sample_order, point_order):
    test, samples = uniform(6, 5, 0), uniform(8, 5, 1)
    torch.testing.assert_close(
        log_likelihoods(test[list(point_order)], samples[list(sample_order)], 0.3),
        log_likelihoods(test, samples, 0.3)[list(point_order)],
        rtol=1e-12,
        atol=1e-12,
    )


def test_repeating_every_sample_does_not_matter():
    test, samples = uniform(6, 5, 0), uniform(8, 5, 1)
    torch.testing.assert_close(
        log_likelihoods(test, samples.repeat(3, 1), 0.3),
        log_likelihoods(test, samples, 0.3),
        rtol=1e-12,
        atol=1e-12,
    )


def test_twice_the_range_costs_log_two_per_dimension():
    test, samples = uniform(6, 5, 0), uniform(8, 5, 1)
    torch.testing.assert_close(
        log_likelihoods(2 * test - 1, 2 * samples - 1, 0.6),
        log_likelihoods(test, samples, 0.3) - 5 * math.log(2),
        rtol=1e-12,
        atol=1e-12,
    )


def test_float32_images_are_computed_in_float64():
    test, samples = uniform(6, 50, 0).float(), uniform(8, 50, 1).float()
    values = log_likelihoods(test, samples, 0.1)
    assert values.dtype == torch.float64
    assert torch.equal(values, log_likelihoods(test.double(), samples.double(), 0.1))


def test_grid_is_that_of_the_released_code():
    np.testing.assert_allclose(GRID, [10 ** (i / 9 - 1) for i in range(10)], rtol=1e-15)


def test_sigma_of_one_sample_is_the_root_mean_square_distance():
    # The likelihood of a Gaussian in σ has one peak, at σ² = Σ‖x − s‖² / (m·D).
    validation, sample = uniform(50, 30, 0), uniform(1, 30, 1)
    best = (validation - sample).square().mean().sqrt().item()
    fine = tuple(best * (1 + offset / 100) for offset in range(-20, 21))
    assert choose_sigma(validation, sample, fine) == best
    assert choose_sigma(validation, sample) == min(GRID, key=lambda sigma: abs(math.log(sigma / best)))


def test_sigma_falls_as_samples_come_closer():
    samples = uniform(30, 10, 0)
    near, far = (samples + scale * (uniform(30, 10, 1) - 0.5) for scale in (0.1, 2.0))
    assert choose_sigma(near, samples) == GRID[0] < choose_sigma(far, samples)


def test_estimate_is_mean_and_population_deviation_over_root_m():
    values = [-3.0, 1.0, 4.0, 10.0]
    mean, error = estimate(torch.tensor(values))
    assert mean == pytest.approx(statistics.fmean(values), rel=1e-15)
    assert error == pytest.approx(statistics.pstdev(values) / 2, rel=1e-15)
    assert estimate(torch.tensor([2.5])) == (2.5, 0.0)


@pytest.mark.parametrize(
    ("test", "samples", "sigma", "message"),
    [
        (torch.zeros(0, 3), torch.zeros(2, 3), 0.1, "nothing to compare"),
        (torch.zeros(2, 3), torch.zeros(0, 3), 0.1, "nothing to compare"),
        (torch.zeros(2, 0), torch.zeros(2, 0), 0.1, "nothing to compare"),
        (torch.zeros(2, 3), torch.zeros(2, 4), 0.1, "do not fit"),
        (torch.zeros(3), torch.zeros(2, 3), 0.1, "do not fit"),
        (torch.zeros(2, 1, 3), torch.zeros(2, 3), 0.1, "do not fit"),
        (torch.full((2, 3), math.nan), torch.zeros(2, 3), 0.1, "NaN or Inf"),
        (torch.zeros(2, 3), torch.full((2, 3), math.inf), 0.1, "NaN or Inf"),
        (torch.zeros(2, 3), torch.zeros(2, 3), 0.0, "positive"),
        (torch.zeros(2, 3), torch.zeros(2, 3), -0.1, "positive"),
        (torch.zeros(2, 3), torch.zeros(2, 3), math.nan, "positive"),
        (torch.zeros(2, 3), torch.zeros(2, 3), math.inf, "positive"),
    ],
)
def test_refusals(test, samples, sigma, message):
    with pytest.raises(ValueError, match=message):
        log_likelihoods(test, samples, sigma)
    with pytest.raises(ValueError, match=message):
        choose_sigma(test, samples, (0.2, sigma))


def test_refuses_an_empty_grid_and_empty_values():
    with pytest.raises(ValueError, match="positive"):
        choose_sigma(torch.zeros(2, 3), torch.zeros(2, 3), ())
    with pytest.raises(ValueError, match="vector"):
        estimate(torch.zeros(0))


# --- The protocol of Table 1 ---------------------------------------------------------------------------


def small_sets():
    return uniform(12, 6, 0), uniform(5, 6, 1), uniform(9, 6, 2)


def test_a_cell_is_the_formula_at_the_sigma_that_the_validation_images_like_best():
    samples, validation, test = small_sets()
    found = cell(samples, validation, test, SMALL)
    means = {sigma: literal(validation, samples, sigma).mean() for sigma in SMALL}
    assert found.sigma == max(means, key=means.get)
    values = literal(test, samples, found.sigma)
    assert found.mean == pytest.approx(values.mean().item(), rel=1e-12)
    assert found.standard_error == pytest.approx(values.std(correction=0).item() / 3, rel=1e-12)


def test_bytes_are_the_numbers_from_0_to_1():
    as_bytes = [(images * 255).round().to(torch.uint8).reshape(-1, 1, 2, 3) for images in small_sets()]
    as_floats = [images.double() / 255 for images in as_bytes]
    assert cell(*as_bytes, SMALL) == cell(*as_floats, SMALL)


def test_of_equally_good_sigmas_the_first_is_chosen(monkeypatch):
    means = torch.tensor([1.0, 2.0, 2.0, 0.0], dtype=torch.float64)
    monkeypatch.setattr("benchmark.evaluation.parzen.mean_log_likelihoods", lambda *_, **__: means)
    assert choose_sigma(torch.zeros(1, 2), torch.zeros(1, 2), (0.1, 0.2, 0.3, 0.4)) == 0.2


@pytest.mark.parametrize(("scale", "at_edge"), [(0.0, True), (0.2, False), (1.0, True)])
def test_a_sigma_at_the_edge_is_told(scale, at_edge):
    # With samples `scale` apart from the validation images in every pixel, σ is near `scale`.
    grid = (0.01, 0.1, 0.2, 0.4, 0.8)
    zeros = torch.zeros(1, 500)
    assert cell(zeros, zeros + scale, zeros, grid).at_edge == at_edge


def test_the_finer_grid_has_the_released_one_and_leaves_little_to_choice():
    np.testing.assert_allclose(FINE[::10], GRID, rtol=1e-15)
    half_a_step = math.log(FINE[1] / FINE[0]) / 2
    assert 784 * half_a_step**2 == pytest.approx(0.13, abs=0.005)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, v, t: (2 * s - 1, v, t), r"0\.\.1"),
        (lambda s, v, t: (s, v, t * math.nan), r"0\.\.1"),
        (lambda s, v, t: (s[:, 1:], v, t), "do not fit"),
    ],
)
def test_what_is_no_set_of_images_in_one_range_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        cell(*change(*small_sets()), SMALL)


@pytest.fixture(scope="module")
def mnist():
    if not MNIST.is_dir():
        pytest.skip(f"MNIST's IDX files are not at {MNIST}")
    return tuple(torch.from_numpy(idx.mnist(MNIST, split)[0]) for split in ("train", "test"))


@pytest.mark.slow
def test_real_mnist_images_as_samples(mnist):
    # 241.2 at σ = .167: computed independently of this code, with NumPy. The paper prints no such row.
    train, test = mnist
    found = cell(train[:10_000], train[50_000:51_000], test)
    assert found.mean == pytest.approx(241.2, abs=0.05)
    assert found.sigma == pytest.approx(0.1668, abs=5e-5)
    assert not found.at_edge


@pytest.mark.slow
def test_a_finer_grid_finds_a_better_sigma_for_real_mnist_images(mnist):
    # Theis et al. 2016 give 243 for the true distribution.
    train, test = mnist
    found = cell(train[:10_000], train[50_000:51_000], test, FINE)
    assert found.mean == pytest.approx(243.2, abs=0.1)
    assert GRID[2] < found.sigma < GRID[3]
