"""The evaluator: sensible scores, no trace left in a training run, and refusals before any work."""

from dataclasses import replace

import pytest
import torch

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import extractors, fidelity, protocols
from benchmark.evaluation.evaluator import Evaluator, frame

DIGITS_2K = protocols.get("digits-2k")


@pytest.fixture(scope="module")
def evaluator():
    return Evaluator([DIGITS_2K], "digits")


@pytest.fixture(scope="module")
def real():
    return data.load("digits", "train")[:2000]


@pytest.fixture(scope="module")
def floor(evaluator):
    return evaluator.real_data_floor()["digits-2k"]


def test_floor_is_the_score_of_the_first_training_images(evaluator, real, floor):
    assert evaluator.scores(real) == {"digits-2k": floor}


def test_floor_is_near_the_ideal(floor):
    # Ten equally frequent classes recognised with certainty give IS = 10; one distribution gives FID near 0.
    assert 9.7 < floor["is"] <= 10.0
    assert 0.0 < floor["fid"] < 3.0


def test_scores_are_those_of_the_stated_protocol(evaluator, real):
    """Recomputed from the protocol: 32 pixels, F6 features, one IS group, the 1 000 held-out digits."""
    net = extractors.load("digits-lenet")
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2000, 1, 28, 28), dtype=torch.uint8, generator=generator)
    images[:1500] = real[:1500]
    features, logits = extractors.extract(
        net, torch.nn.functional.pad(images, (2, 2, 2, 2)), torch.device("cpu")
    )
    held_out = torch.nn.functional.pad(data.load("digits", "held-out"), (2, 2, 2, 2))
    reference, _ = extractors.extract(net, held_out, torch.device("cpu"))
    assert evaluator.scores(images)["digits-2k"] == {
        "is": fidelity.inception_score(logits, splits=1),
        "fid": fidelity.frechet_distance(features, reference),
    }


def test_worse_images_score_worse(evaluator, real, floor):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(-64, 65, real.shape, generator=generator)
    noisy = evaluator.scores((real.int() + noise).clamp(0, 255).to(torch.uint8))["digits-2k"]
    one_class = real[data.load_labels("digits", "train")[:2000] == 3]
    collapsed = evaluator.scores(one_class.repeat(20, 1, 1, 1)[:2000])["digits-2k"]
    assert floor["fid"] < noisy["fid"] < collapsed["fid"]
    assert collapsed["is"] < 1.5 < noisy["is"] < floor["is"]


def test_memory_format_of_the_images_does_not_matter(evaluator, real):
    expected = evaluator.scores(real)
    assert evaluator.scores(real.contiguous(memory_format=torch.channels_last)) == expected
    strided = torch.empty(2000, 28, 28, 1, dtype=torch.uint8).permute(0, 3, 1, 2).copy_(real)
    assert evaluator.scores(strided) == expected


def test_evaluating_leaves_no_trace_in_a_training_run(real):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    evaluator = Evaluator([DIGITS_2K], "digits")
    evaluator.scores(real)
    evaluator.real_data_floor()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in evaluator._nets["digits-lenet"].parameters())


def test_one_feature_pass_serves_all_protocols(real, monkeypatch):
    smaller = replace(
        DIGITS_2K, name="digits-1k", n_generated=1000, n_reference=500, isc_splits=2, metrics=("is",)
    )
    both = Evaluator([smaller, DIGITS_2K], "digits")
    alone = Evaluator([smaller], "digits").scores(real[:1000])
    passes = []
    extract = extractors.extract
    monkeypatch.setattr(
        extractors, "extract", lambda net, x, device: passes.append(len(x)) or extract(net, x, device)
    )
    scores = both.scores(real)
    assert passes == [2000]
    assert both.n_generated == 2000
    assert scores["digits-1k"] == alone["digits-1k"]
    assert set(scores["digits-1k"]) == {"is"}
    assert set(scores["digits-2k"]) == {"is", "fid"}


def test_framing_is_central_and_black():
    images = torch.full((2, 1, 28, 27), 9, dtype=torch.uint8)
    framed = frame(images, 32)
    assert framed.shape == (2, 1, 32, 32)
    assert (framed[:, :, 2:30, 2:29] == 9).all()
    assert framed.sum() == images.sum()


def test_larger_or_other_images_are_refused(evaluator, real):
    with pytest.raises(ValueError, match="do not fit into 32 x 32"):
        evaluator.scores(torch.zeros(2000, 1, 33, 32, dtype=torch.uint8))
    with pytest.raises(ValueError, match="must be uint8"):
        evaluator.scores(real.float())
    with pytest.raises(ValueError, match="takes uint8 images"):
        evaluator.scores(real.expand(-1, 3, -1, -1))
    with pytest.raises(ValueError, match="score 2000 images, not 1999"):
        evaluator.scores(real[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_reference": 1001}, r"needs 1001 real images, but 'digits' \(held-out\) has 1000"),
        ({"reference_split": "train"}, r"needs 2000 real images, but 'digits' \(held-out\) has 1000"),
        ({"image_size": 27}, "but those of 'digits' are 1 x 28 x 28"),
    ],
)
def test_protocols_that_do_not_fit_the_data_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        Evaluator([replace(DIGITS_2K, **change)], "digits")


def test_no_protocol_is_refused():
    with pytest.raises(UserError, match="no protocol"):
        Evaluator([], "digits")
