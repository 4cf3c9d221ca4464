"""Critic features against the critics' own method and closed forms; the SVM against its definition."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import nn

import baselines
from baselines.layers import SNConv2d
from benchmark import data
from benchmark.evaluation import critic_features
from benchmark.evaluation.critic_features import COSTS, Labelled, activations, drawn, features
from benchmark.training import trainer

RANGE = (-1.0, 1.0)


def pixels(n, *shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, *shape), generator=generator, dtype=torch.uint8)


def critic_of(name):
    experiment = baselines.get(name)
    black = torch.zeros((1, *experiment.image_shape), dtype=torch.uint8)
    return trainer.build(experiment, 0, black).critic


# --- Features -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "length"), [("dcgan/imagenet32", 28_672), ("dcgan/svhn32", 7168)])
def test_the_papers_features(name, length):
    critic, images = critic_of(name), pixels(4, 3, 32, 32)
    found = features(critic, images, RANGE, statistics="batch", batch=4)
    assert found.shape == (4, length)
    with torch.no_grad():
        expected = critic.features(images / 255 * 2 - 1)  # the critic's own, declared in its baseline
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("wgan/digits", [(32, 16, 16), (64, 8, 8), (128, 4, 4)]),  # without the last one, the value
        ("wgan_gp/digits", [(16, 14, 14), (32, 7, 7), (64, 4, 4)]),  # functional leaky ReLU
        ("gan/cifar10-conv", [(32, 33, 33), (32, 15, 15), (192, 9, 9)]),  # maxout before pooling
        ("sngan/cifar10-resnet", [(128, 32, 32)] + 2 * [(128, 16, 16)] + 5 * [(128, 8, 8)]),
    ],
)
def test_every_activated_convolution_counts_once(name, shapes):
    experiment = baselines.get(name)
    maps = activations(critic_of(name), torch.rand(2, *experiment.image_shape))
    assert [tuple(a.shape[1:]) for a in maps] == shapes


class Doubling(nn.Module):
    """x → relu(2x − 1) → relu of its negative shifted, by 1×1 convolutions: every number is known."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Conv2d(1, 1, 1) for _ in range(2))
        with torch.no_grad():
            for layer, (weight, bias) in ((self.first, (2, -1)), (self.second, (-1, 3))):
                layer.weight.fill_(weight)
                layer.bias.fill_(bias)

    def forward(self, x):
        h = F.relu(F.relu(self.first(F.relu(x))))  # of two in a row, the first counts
        return F.relu(self.second(h)).sum((1, 2, 3))


def test_values_are_the_largest_of_each_sixteenth():
    images = pixels(3, 1, 8, 12)
    found = features(Doubling(), images, (0.0, 1.0), statistics="none").double()
    first = np.maximum(2 * (images.numpy() / 255) - 1, 0)
    expected = []
    for maps in (first, np.maximum(3 - first, 0)):
        expected.append(maps.reshape(3, 4, 2, 4, 3).max((2, 4)).reshape(3, 16))
    np.testing.assert_allclose(found.numpy(), np.concatenate(expected, 1), atol=1e-6)


def test_maps_smaller_than_4x4_stay_as_they_are():
    images = pixels(2, 1, 3, 2)
    assert features(Doubling(), images, (0.0, 1.0), statistics="none").shape == (2, 2 * 6)


@given(st.integers(1, 9))
def test_with_frozen_statistics_the_batch_does_not_matter(batch):
    critic, images = critic_of("dcgan/digits"), pixels(7, 1, 32, 32)
    whole = features(critic, images, RANGE, statistics="running", batch=7)
    parts = features(critic, images, RANGE, statistics="running", batch=batch)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


def test_batch_statistics_are_those_of_full_batches():
    critic, images = critic_of("dcgan/digits"), pixels(6, 1, 32, 32)
    found = features(critic, images, RANGE, statistics="batch", batch=4)
    with torch.no_grad():
        first, second = (critic.features(images[i] / 255 * 2 - 1) for i in ([0, 1, 2, 3], [4, 5, 0, 1]))
    assert torch.equal(found, torch.cat((first, second[:2])))


@pytest.mark.parametrize("name", ["dcgan/digits", "sngan/digits"])  # batch norm, spectral norm
def test_the_critic_stays_as_it_is(name):
    critic, images = critic_of(name), pixels(8, 1, 32, 32)
    before = copy.deepcopy(critic.state_dict())
    features(critic, images, RANGE, statistics="batch", batch=4)
    critic_features.with_statistics_of(critic, images, RANGE, 4)
    assert all(torch.equal(tensor, before[key]) for key, tensor in critic.state_dict().items())
    assert critic.training
    assert not any(module._forward_pre_hooks for module in critic.modules())


class Normed(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(2, momentum=0.3)

    def forward(self, x):
        return self.norm(x)


def test_averaged_statistics_are_the_mean_over_batches():
    images = pixels(11, 2, 3, 3)
    trained = Normed()
    trained(torch.rand(5, 2, 3, 3))  # what it remembers of its training does not count
    norm = critic_features.with_statistics_of(trained, images, (0.0, 1.0), 5).norm
    batches = (images[:10].double() / 255).reshape(2, 5, 2, 9).permute(0, 2, 1, 3).flatten(2)
    torch.testing.assert_close(norm.running_mean.double(), batches.mean(2).mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(norm.running_var.double(), batches.var(2).mean(0), rtol=1e-6, atol=0)
    assert (norm.training, norm.momentum) == (False, 0.3)


def test_averaging_leaves_spectral_norms_alone():
    critic = nn.Sequential(SNConv2d(1, 3, 3), nn.BatchNorm2d(3))
    averaged = critic_features.with_statistics_of(critic, pixels(8, 1, 4, 4), RANGE, 4)
    assert torch.equal(averaged[0].u, critic[0].u)
    assert not torch.equal(averaged[1].running_mean, critic[1].running_mean)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: features(Doubling(), pixels(0, 1, 4, 4), RANGE, statistics="none"), "do not fill"),
        (lambda: features(Doubling(), pixels(3, 1, 4, 4), RANGE, statistics="batch", batch=4), "do not fill"),
        (lambda: features(critic_of("gan/digits"), pixels(3, 1, 28, 28), RANGE, statistics="none"), "convol"),
        (lambda: critic_features.with_statistics_of(Doubling(), pixels(3, 1, 4, 4), RANGE, 4), "do not fill"),
        (lambda: drawn(torch.tensor([0, 0, 1]), 2, 0), "class 1 has 1"),
        (
            lambda: critic_features.few_labels(*3 * [Labelled(torch.eye(2), torch.arange(2))], draws=0),
            "a draw",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- The SVM ------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 99), st.data())
def test_draws_are_balanced_and_functions_of_their_number(labels, draw, data):
    labels = torch.tensor(labels)
    fewest = torch.unique(labels, return_counts=True)[1].min().item()
    per_class = data.draw(st.integers(1, fewest))
    chosen = drawn(labels, per_class, draw)
    assert len(set(chosen.tolist())) == len(chosen)
    assert torch.bincount(labels[chosen]).unique().tolist() in ([per_class], [0, per_class])
    assert len(chosen) == per_class * len(labels.unique())
    assert torch.equal(chosen, drawn(labels, per_class, draw))


def test_draws_differ_and_reach_every_image():
    labels = torch.arange(40) % 4
    draws = [tuple(sorted(drawn(labels, 5, i).tolist())) for i in range(100)]
    assert len(set(draws)) == 100
    assert {i for draw in draws for i in draw} == set(range(40))


def noisy(n, seed, classes=3, dimensions=4):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    return Labelled(F.one_hot(labels, dimensions) + torch.randn(n, dimensions, generator=generator), labels)


@pytest.mark.parametrize("cost", [COSTS[0], COSTS[-1], 1.0])
def test_the_svm_is_the_minimum_of_the_squared_hinge(cost):
    train, test = noisy(60, 0), noisy(300, 1)
    x = np.c_[train.features.numpy(), np.ones(60)]  # liblinear's bias is a weight like any other
    scores = []
    for one in range(3):
        y = np.where(train.labels.numpy() == one, 1.0, -1.0)

        def loss(w, y=y):
            slack = np.maximum(0, 1 - y * (x @ w))
            return w @ w / 2 + cost * slack @ slack, w - 2 * cost * x.T @ (y * slack)

        w = minimize(loss, np.zeros(5), jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-10}).x
        scores.append(np.c_[test.features.numpy(), np.ones(300)] @ w)
    expected = (np.argmax(scores, 0) == test.labels.numpy()).mean()
    assert critic_features.svm_accuracy(train, test, cost) == pytest.approx(expected, abs=1 / 300)


def test_separable_features_are_told_apart_and_shuffled_ones_are_not():
    labels = torch.arange(400) % 10
    clear = Labelled(F.one_hot(labels, 10) * 10.0, labels)
    found = critic_features.few_labels(clear, clear, clear, 5, draws=4, choosing_draws=2)
    assert found == (1.0, 0.0, COSTS[0], 4)  # the first of equals
    mixed = Labelled(torch.rand(400, 10, generator=torch.Generator().manual_seed(0)), labels)
    found = critic_features.few_labels(mixed, mixed, noisy(400, 3, 10, 10), 5, draws=4, choosing_draws=2)
    assert found.mean < 0.25


def test_the_cost_is_chosen_by_validation_images_alone():
    train, test = noisy(300, 0, 3, 30), noisy(300, 2, 3, 30)
    validation = noisy(300, 1, 3, 30)
    chosen = critic_features.few_labels(train, validation, test, 10, draws=3).cost
    spoiled = Labelled(-test.features, test.labels)
    assert critic_features.few_labels(train, validation, spoiled, 10, draws=3).cost == chosen
    together = Labelled(*map(torch.cat, zip(train, validation, strict=True)))
    best = critic_features.all_labels(together, 300, test)
    assert best.draws == 1
    assert best.mean == critic_features.svm_accuracy(together, test, best.cost)
    assert critic_features.all_labels(together, 300, spoiled).cost == best.cost
    assert all(
        critic_features.svm_accuracy(train, validation, best.cost)
        >= critic_features.svm_accuracy(train, validation, cost)
        for cost in COSTS
    )


def test_mean_and_spread_are_those_of_the_draws():
    """1.96 times the population's deviation, as NumPy's `std` in svhn_semisup_analysis.py."""
    train, test = noisy(300, 0, 3, 30), noisy(300, 2, 3, 30)
    found = critic_features.few_labels(train, noisy(300, 1, 3, 30), test, 10, draws=3)
    draws = [drawn(train.labels, 10, i) for i in range(3)]
    each = [
        critic_features.svm_accuracy(Labelled(*(x[some] for x in train)), test, found.cost) for some in draws
    ]
    assert found.mean == pytest.approx(sum(each) / 3)
    assert found.spread == pytest.approx(1.96 * float(np.std(each, ddof=0)))
    assert len(set(each)) > 1


def test_digits_from_an_untrained_critic():
    """The whole protocol of Table 2 on real images: random features tell digits apart far above chance."""
    labels, images = data.load_labels("digits", "train"), data.load("digits", "train")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:900]
    x = features(critic_of("dcgan/digits"), F.pad(images[order], (2, 2, 2, 2)), RANGE, statistics="running")
    parts = [Labelled(x[i : i + 300], labels[order][i : i + 300]) for i in (0, 300, 600)]
    found = critic_features.few_labels(*parts, per_class=10, draws=3, choosing_draws=1)
    assert 0.5 < found.mean < 1
    assert found.spread > 0
    assert found == critic_features.few_labels(*parts, per_class=10, draws=3, choosing_draws=1)
