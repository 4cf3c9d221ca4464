"""What an evaluation costs: `tox -e bench`. Read the ratios within a group, never the seconds.

The first arm of a group is what ganbench does. Nothing is asserted about time. One thread, as in a run. The
peak of memory is printed (`-s` shows it), each arm in a process of its own.
"""

import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
import torch

import baselines
from benchmark import data
from benchmark.data.framing import frame
from benchmark.evaluation import fidelity, frechet, protocols
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.protocols import replace
from benchmark.training import numerics, sampling, trainer

pytestmark = pytest.mark.bench


@pytest.fixture(autouse=True)
def _numerics():
    numerics.apply()


def four_protocols():
    """IS, FID at two sizes, and KID, of digits."""
    digits = protocols.get("digits-2k")
    return (
        replace(digits, name="is", metrics=("is",), isc_splits=10),
        replace(digits, name="fid", metrics=("fid",)),
        replace(digits, name="fid-1k", metrics=("fid",), n_generated=1000),
        replace(digits, name="kid", metrics=("kid",), kid_subsets=10, kid_subset_size=100),
    )


def evaluation(*evaluators):
    """Generation, features and scores, once per evaluator."""
    experiment = baselines.get("dcgan/digits")
    real = frame(data.load("digits", "train"), experiment.image_shape[1])
    generator = trainer.build(experiment, 0, real).generator

    def run():
        return [
            e.scores_of(sampling.image_batches(experiment, generator, 0, e.n_generated)) for e in evaluators
        ]

    return run


@pytest.mark.benchmark(group="four protocols of 2 000 generated digits")
class TestPasses:
    def test_one_pass(self, benchmark):
        benchmark.pedantic(evaluation(Evaluator(four_protocols(), "digits")), rounds=5, warmup_rounds=1)

    def test_a_pass_each(self, benchmark):
        each = [Evaluator([protocol], "digits") for protocol in four_protocols()]
        benchmark.pedantic(evaluation(*each), rounds=5, warmup_rounds=1)


@pytest.fixture(scope="module")
def features():
    """2 048 features of 5 000 generated and 5 000 real images, with eigenvalues over five decades."""
    scale = 10 ** (-2.5 * torch.arange(2048) / 2048)
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(2048, 2048, generator=generator))[0]
    real = (torch.randn(5000, 2048, generator=generator) * scale) @ basis
    return (torch.randn(5000, 2048, generator=generator) * scale * 1.1) @ basis, real


@pytest.mark.benchmark(group="FID of 5 000 images against 5 000, 2 048 features")
class TestFrechet:
    def test_factorised_reference(self, benchmark, features):
        reference = frechet.fit(features[1])
        benchmark.pedantic(lambda: frechet.distance(features[0], reference), rounds=3, warmup_rounds=1)

    def test_torch_fidelity(self, benchmark, features):
        benchmark.pedantic(lambda: fidelity.frechet_distance(*features), rounds=3)

    def test_torch_fidelity_with_known_statistics(self, benchmark, features):
        reference = fidelity.normal(features[1])
        benchmark.pedantic(
            lambda: fidelity.frechet_between(fidelity.normal(features[0]), reference), rounds=3
        )

    def test_scipy_sqrtm(self, benchmark, features):
        mean, covariance = fidelity.normal(features[1])

        def by_sqrtm():
            own_mean, own = fidelity.normal(features[0])
            root = scipy.linalg.sqrtm(own @ covariance).real
            return np.sum((own_mean - mean) ** 2) + np.trace(own + covariance - 2 * root)

        benchmark.pedantic(by_sqrtm, rounds=1)


MEMORY = """
import re, sys
from pathlib import Path
import torch
from benchmark.evaluation import extractors, fidelity, frechet

class Wide(torch.nn.Module):
    '''As many features and logits as Inception has, at no cost.'''
    def forward(self, images):
        x = images[:, :, :26, :26].flatten(1).float() / 255
        x = x.repeat(1, 2)[:, :3056]
        return x[:, :2048].contiguous(), x[:, 2048:].contiguous()

def generated(n, generator=torch.Generator().manual_seed(0)):
    return torch.rand(n, 3, 64, 64, generator=generator)

net, cpu, n = Wide(), torch.device("cpu"), 50_000

def peak():  # of this process; ru_maxrss would be the parent's, where that is larger
    return int(re.search("VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

start = peak()
rows = extractors.Pass(net, cpu, 500, n, n)
if sys.argv[1] == "streamed":
    for _ in range(0, n, 500):
        rows.add((generated(500) * 255).byte())
    features, logits = rows.rows()
else:
    images = torch.cat([generated(500) for _ in range(0, n, 500)])
    features, logits = extractors.extract(net, (images * 255).byte(), cpu)
extracted = peak()
own = frechet._covariance(features) if sys.argv[1] == "streamed" else fidelity.normal(features)
covariance = peak()
fidelity.inception_score(logits, splits=10)
end = peak()
print(*((x - start) // 1024 for x in (extracted, covariance, end)))
"""


@pytest.mark.benchmark(group="peak memory of 50 000 images of 64 x 64 pixels")
@pytest.mark.parametrize("arm", ["streamed", "all-images-held"])
def test_peak_memory(benchmark, arm):
    def run():
        return subprocess.run(
            [sys.executable, "-c", MEMORY, arm], check=True, capture_output=True, text=True
        ).stdout

    extracted, covariance, score = map(int, benchmark.pedantic(run, rounds=1).split())
    print(f"\n{arm}: {extracted} MiB after the features, {covariance} after statistics, {score} after IS")
    benchmark.extra_info["peak_mib"] = score
