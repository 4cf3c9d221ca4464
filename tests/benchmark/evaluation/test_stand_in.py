"""Scoring with the device "meta" in a GPU's part: extractors and searches run there, the rest on the CPU."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

import baselines
from benchmark import data
from benchmark.evaluation import critic_features, protocols
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.protocols import replace
from benchmark.records import environment
from benchmark.training import numerics, sampling
from benchmark.training.contract.stand_in import DEVICE, StandIn
from benchmark.training.contract.tools import players_of

OPS = json.loads((Path(__file__).parents[2] / "gpu" / "ops.json").read_text(encoding="utf-8"))
READS = {
    "quantise.py: to_uint8",
    "quantise.py: of",
    "quantise.py: real_valued",
    "extractors.py: extract",
    "neighbours.py: add",
    "neighbours.py: _look",
    "nearest_classifier.py: scores",
}
"""Where scoring may wait for the device: outputs, features and results, once per batch."""


@pytest.fixture(autouse=True)
def _numerics():
    with numerics.applied():
        yield


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """The stand-in's is the CPU's."""
    describe = environment.describe
    known = {str(DEVICE): "cpu"}
    monkeypatch.setattr(environment, "describe", lambda kind: describe(known.get(kind, kind)))


@pytest.fixture
def small(given_weights):
    """Every kind of score of images, with few of them."""
    few = {"n_generated": 24, "n_reference": 20}
    inception = replace(
        protocols.get("fid-5k").resolved(), name="inception", metrics=("is",), isc_splits=2, **few
    )
    assert inception.weights_digest == given_weights
    digits = replace(
        protocols.get("digits-2k").resolved(), kid_subsets=2, kid_subset_size=8, prc_neighbours=2, **few
    )
    window = replace(
        protocols.get("parzen-mnist").resolved(),
        name="window",
        dataset="digits",
        first_validation=30,
        n_validation=10,
        **few,
    )
    nearest = replace(protocols.get("nearest-50k").resolved(), name="nearest", dataset="digits", **few)
    return {protocol.name: protocol for protocol in (inception, digits, window, nearest)}


@pytest.mark.parametrize("name", ["inception", "digits-2k", "window", "nearest"])
def test_an_evaluation(name, small):
    """From the generator on the device to scores."""
    experiment = baselines.get("dcgan/mnist-conditional")
    chosen, generator = [small[name]], players_of(experiment, DEVICE).scored
    with StandIn() as gpu:
        evaluator = Evaluator(chosen, "digits", DEVICE)
        scores = evaluator.scores_of(sampling.batches(experiment, generator, 0, evaluator.n_generated))
        floor = evaluator.real_data_floor()
    for found in (scores[name], floor[name]):
        assert set(chosen[0].metrics) <= set(found) or name == "window"
        assert all(math.isfinite(value) for value in found.values())
    assert {"quantise.py: to_uint8", "quantise.py: of"} < set(gpu.reads) <= READS
    assert gpu.ops - set(OPS["used"]) == set()


def test_features_of_a_critic():
    experiment = baselines.get("dcgan/digits")
    critic = players_of(experiment, DEVICE).critic
    images = data.load("digits", "train")[:40]
    with StandIn() as gpu:
        averaged = critic_features.with_statistics_of(critic, images, experiment.image_range, 20)
        rows = critic_features.features(
            averaged, images, experiment.image_range, statistics="running", batch=20
        )
    assert rows.device.type == "cpu"
    assert len(rows) == 40
    # Averaging over batches, each of torch's batch norms reads how many there were.
    n_norms = sum(isinstance(module, torch.nn.BatchNorm2d) for module in critic.modules())
    assert gpu.reads == {"critic_features.py: features": 2, "dcgan.py: forward": 2 * n_norms}
    assert gpu.ops - set(OPS["used"]) == set()


def test_what_the_device_said_reaches_the_score(small):
    """The stand-in's made-up features and no others: another one of them, another score."""

    def score(seed):
        with StandIn() as gpu:
            gpu._random.manual_seed(seed)
            evaluator = Evaluator(
                [dataclasses.replace(small["digits-2k"], metrics=("kid",))], "digits", DEVICE
            )
            return evaluator.scores(data.load("digits", "train")[:24])

    assert score(0) == score(0) != score(1)
