"""What the chunked Parzen window is worth: `tox -e bench`. Read the ratios within a group, not milliseconds.

The first arm of a group is what ganbench does: squared distances through one matrix product per chunk. The
others are the formula as it stands: the differences of one test point, or of 100 as in the released
parzen_ll.py, with all samples. All give the same numbers. 1 000 samples of 784 pixels and 100 test points
(10 000 of each in Table 1), one thread.
"""

import math

import pytest
import torch

from benchmark.evaluation import neighbours, parzen
from benchmark.training import numerics

pytestmark = pytest.mark.bench
ROUNDS = {"rounds": 7, "iterations": 1, "warmup_rounds": 1}
SIGMA = 0.2


@pytest.fixture(autouse=True)
def _numerics():
    numerics.apply()


@pytest.fixture(scope="module")
def points():
    """Test points and samples in 0..1."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(n, 784, generator=generator, dtype=torch.float64) for n in (100, 1000))


def directly(test, samples, at_a_time):
    """log (1/n) Σ exp(−‖x − s‖²/2σ²) − D·log(σ√2π) from the differences themselves."""
    n, dimensions = samples.shape
    constant = math.log(n) + dimensions * math.log(SIGMA * math.sqrt(2 * math.pi))
    parts = []
    for some in test.split(at_a_time):
        exponents = ((some[:, None] - samples[None]) / SIGMA).square().sum(2) / -2
        parts.append(torch.logsumexp(exponents, 1) - constant)
    return torch.cat(parts)


class TestParzen:
    def test_chunked_products(self, benchmark, points):
        benchmark.group = "Parzen window, 100 points x 1 000 samples"
        found = benchmark.pedantic(parzen.log_likelihoods, (*points, SIGMA), **ROUNDS)
        torch.testing.assert_close(found, directly(*points, 1), rtol=1e-11, atol=1e-9)

    @pytest.mark.parametrize("at_a_time", [1, 100])
    def test_differences(self, benchmark, points, at_a_time):
        benchmark.group = "Parzen window, 100 points x 1 000 samples"
        benchmark.pedantic(directly, (*points, at_a_time), **ROUNDS)


def differences(samples, training):
    """Nearest neighbours from the differences, in int32, a sample at a time."""
    return torch.stack([(training - s).square().sum((1, 2, 3), dtype=torch.int64).argmin() for s in samples])


@pytest.fixture(scope="module")
def images():
    """Samples and training images."""
    generator = torch.Generator().manual_seed(0)
    return tuple(
        torch.randint(0, 256, (n, 1, 32, 32), generator=generator, dtype=torch.uint8) for n in (64, 4000)
    )


class TestNeighbours:
    def test_chunked_products(self, benchmark, images):
        benchmark.group = "nearest of 4 000 training images, 64 samples"
        found = benchmark.pedantic(neighbours.nearest, images, **ROUNDS)
        assert torch.equal(found.indices, differences(*(part.int() for part in images)))

    def test_differences(self, benchmark, images):
        benchmark.group = "nearest of 4 000 training images, 64 samples"
        benchmark.pedantic(differences, tuple(part.int() for part in images), **ROUNDS)
