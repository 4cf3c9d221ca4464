"""Which images average the critic's statistics, train the SVM, choose its C and are told apart."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmark.evaluation import critic_features, critic_scores, protocols
from benchmark.evaluation.critic_features import Accuracy
from benchmark.evaluation.protocols import replace

SMALL = replace(
    protocols.get("svm-svhn-1000"),
    dataset="numbered",
    first_validation=20,
    n_validation=6,
    n_reference=7,
    labels_per_class=2,
    draws=3,
    choosing_draws=1,
)
EXPERIMENT = SimpleNamespace(name="one", classes=0, image_shape=(1, 4, 4), image_range=(-1.0, 1.0))
N = {"train": 30, "held-out": 10}
"""Image i of training has the value i and class i mod 3, of the held-out ones 100 + i and i mod 2."""


@pytest.fixture
def given(monkeypatch):
    """What critic features and SVMs are asked for, by name; an image's feature is its value."""
    found = {}

    def load(_, split):
        values = torch.arange(N[split], dtype=torch.uint8) + (100 if split == "held-out" else 0)
        return values[:, None, None, None].expand(-1, 1, 4, 4)

    def averaged(critic, images, image_range, batch):
        found["statistics"] = images[:, 0, 0, 0].tolist(), image_range, batch
        return critic

    def features(_, images, image_range, *, statistics, **__):
        found["features"] = image_range, statistics
        return images[:, 0, 0, :1].float()

    def few(train, validation, test, per_class, *, draws, choosing_draws, **_):
        found["few"] = [*map(shown, (train, validation, test)), per_class, draws, choosing_draws]
        return Accuracy(0.75, 0.015, 2e-3, draws)

    def every(labelled, n_validation, test, **_):
        found["all"] = shown(labelled), n_validation, shown(test)
        return Accuracy(0.875, 0.0, 1e-3, 1)

    monkeypatch.setattr(critic_scores.data, "load", load)
    monkeypatch.setattr(
        critic_scores.data,
        "load_labels",
        lambda _, split: torch.arange(N[split]) % (2 if split == "held-out" else 3),
    )
    monkeypatch.setattr(critic_features, "with_statistics_of", averaged)
    monkeypatch.setattr(critic_features, "features", features)
    monkeypatch.setattr(critic_features, "few_labels", few)
    monkeypatch.setattr(critic_features, "all_labels", every)
    return found


def shown(labelled):
    return labelled.features.squeeze(1).tolist(), labelled.labels.tolist()


def numbered(first, end, classes, offset=0):
    return [float(i + offset) for i in range(first, end)], [i % classes for i in range(first, end)]


def scores(protocol):
    return critic_scores.scores(nn.Identity(), EXPERIMENT, protocol, lambda _: lambda *_: None)


def test_labels_are_drawn_before_the_validation_images_and_none_is_a_test_image(given):
    found = scores(SMALL)
    assert given["statistics"] == (list(range(30)), (-1.0, 1.0), 128)  # of all training images
    assert given["features"] == ((-1.0, 1.0), "running")
    test = numbered(0, 7, 2, offset=100)
    assert given["few"] == [numbered(0, 20, 3), numbered(20, 26, 3), test, 2, 3, 1]
    assert found == {
        "classification_accuracy": 75.0,
        "classification_error": 25.0,
        "accuracy_spread_over_draws": 1.5,
        "svm_cost": 2e-3,
    }


def test_all_labels_are_those_up_to_the_end_of_the_validation_images(given):
    found = scores(replace(SMALL, labels_per_class=0, draws=None, choosing_draws=None))
    assert given["all"] == (numbered(0, 26, 3), 6, numbered(0, 7, 2, offset=100))
    assert found == {"classification_accuracy": 87.5, "classification_error": 12.5, "svm_cost": 1e-3}
