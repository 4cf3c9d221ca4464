"""The scores against independent formulas, and against torch-fidelity called directly on images."""

import numpy as np
import pytest
import scipy.linalg
import torch

from benchmark import data
from benchmark.evaluation import extractors, fidelity
from benchmark.evaluation.evaluator import frame
from benchmark.evaluation.fidelity import NonFiniteScore, frechet_distance, inception_score


def gaussian(n, dim, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=generator)
    return torch.randn(n, dim, generator=generator) @ mixing + shift


@pytest.fixture(scope="module")
def lenet_rows():
    net = extractors.load("digits-lenet")
    images = {split: frame(data.load("digits", split)[:600], 32) for split in ("train", "held-out")}
    return {split: extractors.extract(net, x, torch.device("cpu")) for split, x in images.items()}


def frechet_by_sqrtm(a, b):
    a, b = a.double().numpy(), b.double().numpy()
    root = scipy.linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    mean_part = np.sum((a.mean(0) - b.mean(0)) ** 2)
    return mean_part + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * root)


def frechet_by_eigenvalues(a, b):
    """The same with a symmetric root, which singular covariances (silent features) do not disturb."""
    a, b = a.double().numpy(), b.double().numpy()
    s1, s2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(s1)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ s2 @ root).clip(0)).sum()
    return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(s1) + np.trace(s2) - 2 * cross


def inception_score_literal(logits, splits):
    """exp(E_x KL(p(y|x) || p(y))) per group, as the definition reads; groups of rows in the given order."""
    scores = []
    for group in np.array_split(logits.double().numpy(), splits):
        p = np.exp(group - group.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        marginal = p.mean(0)
        scores.append(np.exp(np.mean(np.sum(p * (np.log(p) - np.log(marginal)), axis=1))))
    return np.mean(scores)


def test_frechet_of_a_set_with_itself_is_zero(lenet_rows):
    features = lenet_rows["train"][0]
    assert abs(frechet_distance(features, features)) < 1e-3


def test_frechet_equals_the_formula_with_sqrtm():
    a, b = gaussian(500, 12, seed=1), gaussian(300, 12, seed=2, shift=0.7)
    assert frechet_distance(a, b) == pytest.approx(frechet_by_sqrtm(a, b), rel=1e-5)


def test_frechet_equals_the_formula_on_lenet_features(lenet_rows):
    a, b = lenet_rows["train"][0], lenet_rows["held-out"][0]
    assert frechet_distance(a, b) == pytest.approx(frechet_by_eigenvalues(a, b), rel=1e-4)


def test_frechet_of_a_shift_is_its_squared_length():
    a = gaussian(400, 5, seed=3)
    assert frechet_distance(a + torch.tensor([3.0, 0, 0, 4.0, 0]), a) == pytest.approx(25.0, rel=1e-4)


def test_inception_score_equals_the_literal_formula(lenet_rows):
    logits = lenet_rows["train"][1]
    assert inception_score(logits, splits=1) == pytest.approx(inception_score_literal(logits, 1), rel=1e-12)


def test_inception_score_averages_over_shuffled_groups(lenet_rows):
    logits = lenet_rows["train"][1]
    # torch-fidelity documents this shuffle: NumPy's legacy generator with the seed 2020.
    shuffled = logits[torch.from_numpy(np.random.RandomState(2020).permutation(len(logits)))]
    expected = inception_score_literal(shuffled, 4)
    assert inception_score(logits, splits=4) == pytest.approx(expected, rel=1e-12)


def test_inception_score_of_its_extremes():
    assert inception_score(torch.zeros(50, 10), splits=1) == pytest.approx(1.0)
    sure_and_balanced = 100.0 * torch.eye(10).repeat(5, 1)
    assert inception_score(sure_and_balanced, splits=1) == pytest.approx(10.0)


def test_equal_to_torch_fidelity_on_the_images(monkeypatch):
    """The recipe changes where features are computed, and no number: equality, not closeness."""
    torch_fidelity = fidelity.torch_fidelity
    net = extractors.load("digits-lenet")

    class Direct(torch_fidelity.FeatureExtractorBase):
        def __init__(self, name, features_list, **_):
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list():
            return "f6", "logits"

        @staticmethod
        def get_default_feature_layer_for_metric(metric):
            return {"isc": "logits", "fid": "f6"}[metric]

        def forward(self, images):
            rows = dict(zip(("f6", "logits"), net(images), strict=True))
            return tuple(rows[name] for name in self.features_list)

    monkeypatch.setitem(fidelity.FEATURE_EXTRACTORS_REGISTRY, "direct-lenet", Direct)
    train, held_out = (frame(data.load("digits", split)[:700], 32) for split in ("train", "held-out"))
    with torch.random.fork_rng(devices=[]):
        direct = torch_fidelity.calculate_metrics(
            input1=fidelity._Rows(train),
            input2=fidelity._Rows(held_out),
            feature_extractor="direct-lenet",
            isc=True,
            fid=True,
            isc_splits=2,
            batch_size=extractors.BATCH_SIZE,
            cuda=False,
            save_cpu_ram=True,
            cache=False,
            verbose=False,
        )
    features, logits = extractors.extract(net, train, torch.device("cpu"))
    reference = extractors.extract(net, held_out, torch.device("cpu"))[0]
    assert frechet_distance(features, reference) == direct["frechet_inception_distance"]
    assert inception_score(logits, splits=2) == direct["inception_score_mean"]


def test_global_generators_are_untouched():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    np.random.seed(3)  # noqa: NPY002
    frechet_distance(gaussian(20, 4, 0), gaussian(20, 4, 1))
    inception_score(gaussian(20, 4, 0), splits=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.random() == np.random.RandomState(3).random()  # noqa: NPY002


def test_the_isolation_is_needed(monkeypatch):
    """Should torch-fidelity stop drawing from the global generator, the test above would prove nothing."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: torch.no_grad())
    frechet_distance(gaussian(20, 4, 0), gaussian(20, 4, 1))
    assert not torch.equal(torch.get_rng_state(), before)


def test_nothing_is_printed_and_nothing_written(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    frechet_distance(gaussian(20, 4, 0), gaussian(20, 4, 1))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_features_are_refused(bad):
    rows = gaussian(20, 4, 0)
    rows[3, 2] = bad
    for score in (
        lambda: frechet_distance(rows, gaussian(20, 4, 1)),
        lambda: frechet_distance(gaussian(20, 4, 1), rows),
        lambda: inception_score(rows, splits=1),
    ):
        with pytest.raises(NonFiniteScore, match="1 of 80"):
            score()


def test_non_finite_score_is_refused(monkeypatch):
    monkeypatch.setattr(
        fidelity.torch_fidelity, "calculate_metrics", lambda **_: {"inception_score_mean": float("nan")}
    )
    with pytest.raises(NonFiniteScore, match="inception_score_mean is nan"):
        inception_score(gaussian(20, 4, 0), splits=1)


def test_impossible_requests_are_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(
        fidelity.torch_fidelity, "calculate_metrics", lambda **_: pytest.fail("work was done")
    )
    rows = gaussian(20, 4, 0)
    with pytest.raises(ValueError, match="at least 21 rows"):
        inception_score(rows, splits=21)
    with pytest.raises(ValueError, match="at least one split"):
        inception_score(rows, splits=0)
    with pytest.raises(ValueError, match="at least 2 rows"):
        frechet_distance(rows[:1], rows)
    with pytest.raises(ValueError, match="cannot compare"):
        frechet_distance(rows, rows[:, :3])


def test_unknown_options_are_type_errors():
    with pytest.raises(TypeError, match="isc_spilts"):
        inception_score(gaussian(20, 4, 0), splits=1, isc_spilts=3)
