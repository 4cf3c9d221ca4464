"""Randomness without state: what an iteration draws depends on (seed, purpose, k) and on nothing else."""

import dataclasses
import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import baselines
from baselines.spec import SUITE
from benchmark.training import draws, exact_draws
from benchmark.training.draws import SeededDraws

GAN = baselines.get("gan/digits")
PURPOSES = ("init", "data", "latent", "label", "penalty", "dropout", "dequantise", "evaluate")

INIT_KEY = "2e82bbb949e1e224dec3a6d3a30ac15826885efd6b338b3d23cd6de99c221ed0"
INIT_SEED = 2217347398490866707
PENALTY = [0.49605482816696167, 0.4801520109176636, 0.4023200273513794]
LATENT = [-0.3812527358531952, -0.28164100646972656, -0.8493483662605286]
BATCH = [29, 14, 10, 13, 26, 8]
MASK = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0]


def numbered(n):
    """Images whose only pixel spells their position, so that a batch tells which images it holds."""
    return torch.stack([torch.arange(n) // 256, torch.arange(n) % 256], 1).to(torch.uint8).reshape(n, 2, 1, 1)


def positions(batch):
    return [int(high) * 256 + int(low) for high, low in batch.reshape(len(batch), 2)]


def experiment_with(batch=4, epoch_end="drop", batches_per_iteration=1, **values):
    """`gan/digits` that takes a fixed number of real minibatches at each G-iteration."""
    changes = {"batch": batch, "epoch_end": epoch_end, **values}
    settings = GAN.settings.revised(**{name: (value, "test", SUITE) for name, value in changes.items()})
    return dataclasses.replace(
        GAN, settings=settings, real_batches=lambda _, k: batches_per_iteration * k, image_shape=(2, 1, 1)
    )


def everything(at_k):
    """All that one iteration can ask for, by name."""
    return {
        "latent": at_k.latent(3),
        "penalty": at_k.uniform("penalty", 4),
        "dequantise": at_k.uniform("dequantise", 2, 2),
        "normal": at_k.normal("points", 3),
        "keep": at_k.keep(0.5, 40),
        "images": at_k.images(),
    }


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_an_iteration_draws_the_same_whatever_was_asked_before():
    experiment, images = experiment_with(), numbered(30)
    in_order = SeededDraws(experiment, 7, images)
    forwards = [everything(in_order.at(k)) for k in range(6)]
    backwards = SeededDraws(experiment, 7, images)
    for k in (5, 0, 3, 3, 1, 4, 2):
        assert equal(everything(backwards.at(k)), forwards[k])
    for k in range(6):
        assert equal(everything(SeededDraws(experiment, 7, images).at(k)), forwards[k])


def test_a_purpose_does_not_depend_on_the_other_purposes_asked():
    experiment, images = experiment_with(), numbered(30)
    whole = everything(SeededDraws(experiment, 7, images).at(2))
    alone = SeededDraws(experiment, 7, images).at(2)
    assert torch.equal(alone.images(), whole["images"])
    assert torch.equal(alone.keep(0.5, 40), whole["keep"])
    assert torch.equal(alone.uniform("dequantise", 2, 2), whole["dequantise"])
    assert torch.equal(alone.latent(3), whole["latent"])


def test_within_an_iteration_a_purpose_goes_on_instead_of_repeating():
    d = SeededDraws(experiment_with(), 7, numbered(30))
    halves = torch.cat([d.at(1).latent(2), d.latent(2)])
    assert torch.equal(halves, d.at(1).latent(4))
    first, second = d.keep(0.5, 64), d.keep(0.5, 64)
    assert not torch.equal(first, second)
    assert torch.equal(d.at(1).keep(0.5, 64), first)


@given(st.integers(0, 2**64 - 1), st.sampled_from(PURPOSES), st.integers(0, 10**9))
def test_streams_of_other_seeds_purposes_and_iterations_differ(seed, purpose, k):
    own = draws.key(seed, purpose, k)
    others = {draws.key(seed ^ 1, purpose, k), draws.key(seed ^ 2**32, purpose, k)}
    others |= {draws.key(seed, p, k) for p in PURPOSES if p != purpose} | {draws.key(seed, purpose, k + 1)}
    assert len(others | {own}) == len(PURPOSES) + 3
    assert draws.stream(seed, purpose, k).random_raw() == draws.stream(seed, purpose, k).random_raw()


@pytest.mark.parametrize(("seed", "k"), [(0, 0), (7, 0), (7, 3)])
def test_everything_is_drawn_from_the_stream_of_its_seed_purpose_and_iteration(seed, k):
    experiment = dataclasses.replace(experiment_with(), classes=5)
    own = SeededDraws(experiment, seed, numbered(30))
    latent = experiment.settings.latent

    def of(purpose):
        return draws.stream(seed, purpose, k)

    for found, expected in (
        (own.at(k).latent(3), draws.latents(experiment.settings.prior, of("latent"), 3, latent)),
        (own.at(k).labels(9), draws.random_classes(of("label"), 9, 5)),
        (own.at(k).uniform("penalty", 4), draws.uniform(of("penalty"), 4)),
        (own.at(k).uniform("dequantise", 2, 2), draws.uniform(of("dequantise"), 2, 2)),
        (own.at(k).uniform("points", 4), draws.uniform(of("points"), 4)),
        (own.at(k).normal("points", 3), draws.normal(of("points"), 3)),
        (own.at(k).keep(0.5, 40), torch.from_numpy(exact_draws.trials(of("dropout"), 40, 0.5)).float()),
    ):
        assert torch.equal(found, expected)
    assert own.at(k).seed() == draws.torch_seed(seed, "global", k)
    order = exact_draws.permutation(draws.stream(seed, "data", 0), 30)
    assert positions(own.at(k).images()) == order[4 * k : 4 * k + 4].tolist()


def test_streams_are_not_correlated():
    rows = [
        draws.normal(draws.stream(seed, purpose, k), 4000).numpy()
        for seed in (0, 1, 2**32)
        for purpose in PURPOSES
        for k in (0, 1)
    ]
    correlation = np.corrcoef(rows)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 5 / math.sqrt(4000)


@pytest.mark.parametrize(
    ("prior", "bound", "variance", "fourth"),
    [("normal", math.inf, 1.0, 3.0), ("uniform", 1.0, 1 / 3, 1 / 5), ("uniform-sqrt3", 3**0.5, 1.0, 9 / 5)],
)
def test_priors_have_the_range_and_moments_of_their_name(prior, bound, variance, fourth):
    z = draws.latents(prior, draws.stream(0, "latent", 0), 4000, 50)
    assert z.dtype == torch.float32
    z = z.double()
    assert z.abs().max() <= bound * (1 + 1e-7)
    if bound < math.inf:
        assert z.max() > 0.999 * bound
        assert z.min() < -0.999 * bound
    n = z.numel()
    assert z.mean().abs() < 5 * math.sqrt(variance / n)
    assert abs((z**2).mean() - variance) < 5 * math.sqrt((fourth - variance**2) / n)
    assert (z**4).mean().item() == pytest.approx(fourth, rel=0.03)


def test_uniform_draws_lie_in_the_half_open_unit_interval():
    u = SeededDraws(experiment_with(), 0, numbered(30)).uniform("penalty", 100_000)
    assert 0 <= u.min() < 1e-3
    assert 1 - 1e-3 < u.max() < 1
    assert u.mean().item() == pytest.approx(0.5, abs=0.005)


def test_masks_keep_with_the_probability_asked_for():
    mask = SeededDraws(experiment_with(), 0, numbered(30)).keep(0.8, 100_000)
    assert set(mask.tolist()) == {0.0, 1.0}
    assert mask.mean().item() == pytest.approx(0.8, abs=0.007)


def test_masks_of_a_network_follow_each_other_in_one_stream():
    d = SeededDraws(experiment_with(), 7, numbered(30)).at(3)
    masks = torch.cat([d.keep(0.8, 10, 4).flatten(), d.keep(0.8, 20)])
    raw = draws.stream(7, "dropout", 3).random_raw(30)
    halves = [half for word in raw.tolist() for half in (word & 0xFFFFFFFF, word >> 32)]
    assert masks.tolist() == [float(half < round(0.8 * 2**32)) for half in halves]


def test_first_values_never_change():
    """A change here changes every run: new golden values need a reason."""
    assert draws.key(0, "init", 0).hex() == INIT_KEY
    assert draws.torch_seed(0, "init", 0) == INIT_SEED
    assert draws.uniform(draws.stream(3, "penalty", 2), 3).tolist() == PENALTY
    latent = draws.latents("normal", draws.stream(0, "latent", 0), 1, 3)
    assert latent.tolist() == [LATENT]
    d = SeededDraws(experiment_with(batch=6), 0, numbered(30))
    assert positions(d.images()) == BATCH
    assert d.keep(0.5, 12).tolist() == MASK


def test_global_generators_are_untouched():
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global generator is what must stay as it is
    before_torch, before_numpy = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    everything(SeededDraws(experiment_with(), 7, numbered(30)).at(5))
    assert torch.equal(torch.get_rng_state(), before_torch)
    after_numpy = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(after_numpy[1], before_numpy[1])
    assert after_numpy[2:] == before_numpy[2:]


def test_global_generators_are_not_used():
    torch.manual_seed(1)
    first = everything(SeededDraws(experiment_with(), 7, numbered(30)).at(5))
    torch.manual_seed(2)
    assert equal(everything(SeededDraws(experiment_with(), 7, numbered(30)).at(5)), first)


sizes = st.tuples(st.integers(1, 40), st.integers(1, 40)).map(lambda pair: (max(pair), min(pair)))


@given(sizes, st.sampled_from(["drop", "keep", "wrap"]), st.integers(0, 2**64 - 1))
def test_an_epoch_shows_every_image_at_most_once(size, end, seed):
    n, batch = size
    d = SeededDraws(experiment_with(batch, end), seed, numbered(n))
    shown, epochs = [], []
    while d.epoch < 3:
        epochs.append(d.epoch)
        shown.append(positions(d.images()))
    flat = [position for b in shown for position in b]
    if end == "wrap":
        assert {len(b) for b in shown} == {batch}
        assert all(sorted(flat[e * n : (e + 1) * n]) == list(range(n)) for e in range(3))
        return
    for epoch in range(3):
        own = [p for b, e in zip(shown, epochs, strict=True) if e == epoch for p in b]
        if end == "keep":
            assert sorted(own) == list(range(n))
        else:
            assert len(own) == n // batch * batch
            assert max(Counter(own).values()) == 1
    lengths = Counter(map(len, shown))
    expected = {batch: 3 * (n // batch)}
    if end == "keep" and n % batch:
        expected[n % batch] = 3
    assert lengths == Counter(expected)


@given(
    sizes,
    st.sampled_from(["drop", "keep", "wrap"]),
    st.integers(1, 5),
    st.integers(0, 12),
    st.integers(0, 99),
)
def test_any_iteration_has_the_batches_of_the_uninterrupted_run(size, end, per_iteration, k, seed):
    n, batch = size
    experiment = experiment_with(batch, end, per_iteration)
    through = SeededDraws(experiment, seed, numbered(n))
    for earlier in range(k):
        through.at(earlier)
        for _ in range(per_iteration):
            through.images()
    resumed = SeededDraws(experiment, seed, numbered(n))
    assert resumed.at(k).epoch == through.at(k).epoch
    for _ in range(per_iteration):
        assert torch.equal(resumed.images(), through.images())


def test_epochs_and_seeds_have_other_orders():
    orders = []
    for seed in (0, 1):
        d = SeededDraws(experiment_with(30), seed, numbered(30))
        orders += [tuple(positions(d.images())) for _ in range(3)]
    assert len(set(orders)) == 6


def test_skipped_minibatches_are_passed_over_and_not_counted():
    through = SeededDraws(experiment_with(4), 0, numbered(30))
    first, second = through.images(), through.images()
    skipping = SeededDraws(experiment_with(4), 0, numbered(30))
    skipping.skip_images()
    assert torch.equal(skipping.images(), second)
    assert not torch.equal(first, second)
    assert (through.images_seen, skipping.images_seen) == (8, 4)


def test_labels_are_those_of_the_images():
    images = numbered(30)
    conditional = dataclasses.replace(experiment_with(4), classes=10)
    d = SeededDraws(conditional, 0, images, torch.arange(30) * 7)
    expected = SeededDraws(conditional, 0, images).images()
    batch, labels = d.labelled_images()
    assert torch.equal(batch, expected)
    assert labels.tolist() == [7 * position for position in positions(batch)]
    assert d.images_seen == 4
    with pytest.raises(ValueError, match="asks for labels"):
        SeededDraws(conditional, 0, images).labelled_images()


def test_random_classes_are_uniform():
    d = SeededDraws(dataclasses.replace(experiment_with(4), classes=4), 0, numbered(30))
    counts = torch.bincount(d.labels(8000))
    assert counts.tolist() == pytest.approx([2000] * 4, abs=200)


def test_images_seen_counts_short_batches_as_they_are():
    d = SeededDraws(experiment_with(4, "keep"), 0, numbered(10))
    for _ in range(3):
        d.images()
    assert d.images_seen == 10
    assert d.at(0).images_seen == 10


def test_a_batch_larger_than_the_set_is_refused():
    with pytest.raises(ValueError, match="a batch of 4 from 3 images"):
        SeededDraws(experiment_with(4), 0, numbered(3))


@pytest.mark.parametrize("name", baselines.names())
def test_an_experiment_consumes_the_minibatches_it_declares(name):
    """`real_batches` fixes the data position, so it must grow by whole, non-negative steps from 0."""
    experiment = baselines.get(name)
    counts = [experiment.real_batches(experiment.settings, k) for k in range(60)]
    assert counts[0] == 0
    assert all(type(later) is int and later >= earlier for earlier, later in itertools.pairwise(counts))
