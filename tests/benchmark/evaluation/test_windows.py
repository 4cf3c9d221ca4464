"""Protocols of a Parzen window: which images they take, before which quantisation, and MNIST as an oracle."""

import numpy as np
import pytest
import torch

from benchmark import data
from benchmark.data.fetch import fetch
from benchmark.errors import UserError
from benchmark.evaluation import parzen, protocols
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.protocols import replace
from benchmark.training.quantise import Generated, NonFiniteImages

SMALL = replace(
    protocols.get("parzen-mnist"),
    name="small",
    dataset="digits",
    n_generated=60,
    n_reference=50,
    first_validation=300,
    n_validation=20,
)
DIGITS = replace(protocols.get("digits-2k"), n_generated=70, n_reference=100)


@pytest.fixture(scope="module")
def train():
    return data.load("digits", "train")


@pytest.fixture(scope="module")
def outputs():
    """What a generator with the range -1..1 gives, with values that no byte has and some out of range."""
    return 2.2 * torch.rand(70, 1, 28, 28, generator=torch.Generator().manual_seed(0)) - 1.1


def literal(samples, train):
    """The scores, from the formula, of samples in 0..1."""
    found = parzen.cell(samples, train[300:320], data.load("digits", "held-out")[:50])
    return {
        "parzen_ll": found.mean,
        "parzen_se_over_test_examples": found.standard_error,
        "parzen_sigma": found.sigma,
    }


def test_generated_images_are_scored_before_they_are_quantised(train, outputs):
    batches = [Generated.of(part, (-1.0, 1.0), len(part)) for part in torch.split(outputs, 33)]
    scores = Evaluator([SMALL, DIGITS], "digits").scores_of(batches)
    real_valued = ((outputs + 1) / 2).clamp(0, 1)
    assert scores["small"] == literal(real_valued[:60], train)
    quantised = torch.cat([batch.images for batch in batches])
    assert scores["small"] != literal(quantised[:60], train)
    assert scores["digits-2k"] == Evaluator([DIGITS], "digits").scores(quantised)["digits-2k"]
    assert list(scores) == ["small", "digits-2k"]


def test_images_from_files_are_bytes_over_255(train):
    scores = Evaluator([SMALL], "digits").scores(train[:60])["small"]
    assert scores == literal(train[:60].double() / 255, train)


def test_the_floor_has_training_images_for_samples_that_choose_no_sigma(train):
    assert Evaluator([SMALL], "digits").real_data_floor() == {"small": literal(train[:60], train)}


@pytest.mark.parametrize(
    ("change", "image_size", "message"),
    [
        ({"dataset": "mnist"}, None, "protocol 'small': is about 'mnist', not 'digits'"),
        ({}, 32, "takes images of 1x28x28, but the networks' are 1x32x32"),
        ({"first_validation": 3990}, None, "needs 4010 training and 50 test images, but 'digits' has 4000"),
        ({"n_reference": 1001}, None, "1001 test images"),
    ],
)
def test_other_data_are_refused(change, image_size, message):
    with pytest.raises(UserError, match=message):
        Evaluator([replace(SMALL, **change)], "digits", image_size=image_size)


def test_outputs_that_are_not_finite_are_refused_before_any_scoring(outputs):
    spoiled = outputs.clone()
    spoiled[69, 0, 0, 0] = np.nan
    with pytest.raises(NonFiniteImages):
        Generated.of(spoiled, (-1.0, 1.0), 60)


def test_critics_are_not_images():
    with pytest.raises(UserError, match="scores critics, not images"):
        Evaluator([replace(protocols.get("svm-cifar10"), dataset="digits")], "digits")


@pytest.mark.slow
def test_the_floor_of_mnist_is_the_known_one(mnist):
    # 241.2 at σ = .167, computed with NumPy; 243 by Theis et al. 2016, whose grid is finer.
    both = [protocols.get(name) for name in ("parzen-mnist", "parzen-mnist-fine-sigma")]
    floor = Evaluator(both, "mnist").real_data_floor()
    assert floor["parzen-mnist"]["parzen_ll"] == pytest.approx(241.2, abs=0.05)
    assert floor["parzen-mnist"]["parzen_sigma"] == pytest.approx(0.1668, abs=5e-5)
    assert floor["parzen-mnist-fine-sigma"]["parzen_ll"] == pytest.approx(243.2, abs=0.1)


# --- Folds --------------------------------------------------------------------------------------------


@pytest.fixture
def faces(tmp_path, monkeypatch):
    """A miniature of TFD: 70 unlabelled faces and 12 with an expression, parted differently in five folds."""
    scipy_io = pytest.importorskip("scipy.io")
    rng = np.random.default_rng(0)
    folds = np.zeros((82, 5), np.uint8)
    for k in range(5):
        folds[70:, k] = rng.permutation([1] * 4 + [2] * 3 + [3] * 5)
    arrays = {
        "images": rng.integers(0, 256, (82, 48, 48), dtype=np.uint8),
        "folds": folds,
        "labs_ex": np.where(folds[:, :1] > 0, 1 + np.arange(82)[:, None] % 7, -1),
    }
    (tmp_path / "mat").mkdir()
    scipy_io.savemat(tmp_path / "mat" / "TFD_48x48.mat", arrays)
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    for name in ("tfd", *(f"tfd-fold-{k}" for k in range(5))):
        fetch(name, local=tmp_path / "mat")
    return arrays


def test_over_folds_each_has_images_and_a_sigma_of_its_own(faces):
    protocol = replace(protocols.get("parzen-tfd"), n_generated=60).resolved()
    outputs = torch.rand(60, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    batch = Generated.of(outputs, (0.0, 1.0), 60)
    scores = Evaluator([protocol], "tfd").scores_of([batch])["parzen-tfd"]
    images, folds = torch.from_numpy(faces["images"]), faces["folds"]
    cells = [parzen.cell(outputs, images[folds[:, k] == 2], images[folds[:, k] == 3]) for k in range(5)]
    means = [cell.mean for cell in cells]
    assert len(set(means)) == 5
    assert scores["parzen_ll"] == pytest.approx(np.mean(means), rel=1e-12)
    assert scores["parzen_se_over_folds"] == pytest.approx(np.std(means, ddof=1) / 5**0.5, rel=1e-12)
    assert [scores[f"parzen_sigma_fold_{k}"] for k in range(5)] == [cell.sigma for cell in cells]
    assert Evaluator([protocol], "tfd").real_data_floor()["parzen-tfd"]["parzen_ll"] != scores["parzen_ll"]


def test_other_folds_are_another_protocol(faces, tmp_path, monkeypatch):
    protocol = protocols.get("parzen-tfd")
    digest = protocol.resolved().as_dict()["folds_digest"]
    known = data.info
    monkeypatch.setattr(
        data, "info", lambda n: replace(known(n), digest="1" * 64) if n == "tfd-fold-4" else known(n)
    )
    assert protocol.resolved().as_dict()["folds_digest"] != digest
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="data fetch tfd-fold-0 --from FOLDER"):
        protocol.resolved()
