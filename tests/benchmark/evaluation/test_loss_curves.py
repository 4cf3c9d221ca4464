"""Figures 3 and 4 of WGAN: worked examples, closed forms of the JS bound, ranks against SciPy."""

import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from baselines.critic_losses import CriticLoss
from baselines.losses import standard_critic_loss
from benchmark.evaluation import loss_curves
from benchmark.evaluation.loss_curves import Agreement, Line

WASSERSTEIN, CROSS_ENTROPY = CriticLoss("wasserstein"), CriticLoss("cross-entropy")


def columns(losses):
    """As in `losses.safetensors`: the first value is of G-iteration 1."""
    return {"critic": np.array(losses, np.float32), "generator": np.full(len(losses), 9, np.float32)}


def scored(fids):
    """A record's curve: G-iteration → FID."""
    return [{"gen_iters": k, "losses": None, "scores": {"p": {"fid": x, "is": 1.0}}} for k, x in fids.items()]


def equal(line, gen_iters, values):
    return line.gen_iters.tolist() == list(gen_iters) and line.values.tolist() == list(values)


numbers = st.floats(-1e6, 1e6)


def test_worked_example_of_figure_3():
    estimate = loss_curves.line(columns([-1.5, -1.0, -0.5, -0.25]), WASSERSTEIN)
    assert equal(estimate, (1, 2, 3, 4), (1.5, 1.0, 0.5, 0.25))
    quality = loss_curves.score(scored({0: 90.0, 1: 50.0, 3: 60.0, 4: 20.0}), "p")
    assert equal(quality, (0, 1, 3, 4), (90.0, 50.0, 60.0, 20.0))
    # Of G-iterations 1, 3, 4: ranks 3, 2, 1 against 2, 3, 1: ρ = 1 − 6·(1 + 1 + 0)/(3·8) = .5
    assert loss_curves.agreement(estimate, quality) == Agreement(pytest.approx(0.5), 3)


def test_worked_example_of_figure_4():
    bound = loss_curves.line(columns([2 * math.log(2), 0.0]), CROSS_ENTROPY)
    assert bound.values == pytest.approx((0.0, math.log(2)), abs=1e-7)
    halved = loss_curves.line(columns([math.log(2), 0.0]), CriticLoss("cross-entropy", 0.5))
    assert halved.values == pytest.approx(bound.values, abs=1e-7)


def test_what_is_drawn_of_which_loss():
    hinge = CriticLoss("hinge")
    drawn = [loss_curves.quantity(kind) for kind in (WASSERSTEIN, CROSS_ENTROPY, hinge, None)]
    assert drawn == ["Wasserstein estimate", "JS lower bound", "critic loss", "critic loss"]
    for kind in (hinge, None):
        assert equal(loss_curves.line(columns([1.5, 0.5]), kind), (1, 2), (1.5, 0.5))


def critic_loss_of(p, q, scale=1.0):
    """The loss of the best critic for two distributions over the same few points, D = p/(p + q)."""
    logits = (p / q).log().double()
    real = torch.nn.functional.softplus(-logits) @ p
    fake = torch.nn.functional.softplus(logits) @ q
    return scale * (real + fake).item()


@given(st.lists(st.floats(0.1, 1), min_size=2, max_size=5), st.sampled_from([1.0, 0.5]), st.randoms())
def test_the_best_critic_reaches_the_divergence_and_no_other_exceeds_it(weights, scale, random):
    p = torch.tensor(weights, dtype=torch.float64)
    q = torch.tensor(random.sample(weights, len(weights)), dtype=torch.float64)
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    divergence = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()).item() / 2
    (value,) = loss_curves.js_lower_bound(np.array([critic_loss_of(p, q, scale)]), scale)
    assert value == pytest.approx(divergence, abs=1e-12)
    worse = scale * (math.log(2) * 2 + 0.1)  # than that of D = 1/2
    (value,) = loss_curves.js_lower_bound(np.array([worse]), scale)
    assert value < divergence + 1e-12


def test_the_loss_is_the_one_that_baselines_report():
    logits = torch.linspace(-3, 3, 7)
    d = torch.sigmoid(logits)
    loss = standard_critic_loss(logits, -logits).item()
    (value,) = loss_curves.js_lower_bound(np.array([loss]))
    assert value == pytest.approx((d.log().mean() + d.log().mean()).item() / 2 + math.log(2), abs=1e-6)


def test_what_is_not_finite_or_not_scored_is_left_out():
    line = loss_curves.line(columns([1.0, math.nan, 3.0]), None)
    assert equal(line, (1, 3), (1.0, 3.0))
    curve = [*scored({1: 5.0, 2: 4.0}), {"gen_iters": 3, "losses": None, "scores": {}}]
    assert equal(loss_curves.score(curve, "p"), (1, 2), (5.0, 4.0))
    assert loss_curves.agreement(line, loss_curves.score(curve, "p")).n == 1


@given(st.integers(1, 300), st.integers(2, 50))
def test_thinned_keeps_ends_and_order(n, most):
    thin = loss_curves.thinned(Line(np.arange(1, n + 1), np.arange(n) * 2.0), most)
    assert len(thin.values) <= max(most, 0)
    assert (thin.gen_iters[0], thin.gen_iters[-1]) == (1, n)
    assert (np.diff(thin.gen_iters) > 0).all()
    assert np.array_equal(thin.values, (thin.gen_iters - 1) * 2.0)


@given(st.lists(numbers, max_size=40), st.integers(0, 8))
def test_median_filter_read_literally(values, reach):
    expected = []
    for i in range(len(values)):
        near = [x for j, x in enumerate(values) if abs(i - j) <= reach]
        expected.append(statistics.median(near))
    found = loss_curves.median_filtered(np.array(values), 2 * reach + 1)
    assert found.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_the_paper_filter_removes_outliers_and_keeps_straight_lines():
    line = 0.01 * np.arange(400)
    outliers = line + 100 * (np.arange(400) % 7 == 0)
    assert np.array_equal(loss_curves.median_filtered(line)[50:-50], line[50:-50])
    assert np.abs(loss_curves.median_filtered(outliers)[50:-50] - line[50:-50]).max() < 0.2


pairs = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=12)


@given(pairs)
def test_rank_correlation_is_scipys(values):
    a, b = ([float(x) for x in side] for side in zip(*values, strict=True))
    found = loss_curves.rank_correlation(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20, unique=True))
def test_only_the_order_counts(values):
    a = [float(x) for x in values]
    b = [math.exp(x / 10) for x in a]
    assert loss_curves.rank_correlation(a, b) == pytest.approx(1)
    assert loss_curves.rank_correlation(a, [-x for x in b]) == pytest.approx(-1)


def test_nothing_to_correlate():
    assert loss_curves.agreement(
        Line(np.array([]), np.array([])), Line(np.array([1]), np.array([2.0]))
    ) == Agreement(None, 0)
    assert loss_curves.rank_correlation([1.0], [2.0]) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: loss_curves.median_filtered(np.ones(1), 2), "odd"),
        (lambda: loss_curves.median_filtered(np.ones(1), -1), "odd"),
        (lambda: loss_curves.js_lower_bound(np.ones(1), 0.0), "positive"),
        (lambda: loss_curves.rank_correlation([1.0], []), "paired"),
        (lambda: loss_curves.rank_correlation([1.0, math.nan], [1.0, 2.0]), "rank"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
