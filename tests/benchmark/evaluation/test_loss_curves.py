"""Figures 3 and 4 of WGAN: worked examples, closed forms of the JS bound, ranks against SciPy."""

import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from baselines.losses import standard_critic_loss
from benchmark.evaluation import loss_curves
from benchmark.evaluation.loss_curves import Agreement, Line


def point(gen_iters, loss, fid):
    losses = None if loss is None else {"critic": loss, "generator": 9.0}
    return {"gen_iters": gen_iters, "losses": losses, "scores": {"p": {"fid": fid, "is": 1.0}}}


CURVE = [point(0, None, 90.0), point(10, -1.5, 50.0), point(20, -0.5, 60.0), point(30, -0.25, 20.0)]
"""As in a record: no loss at 0, where nothing is trained."""

numbers = st.floats(-1e6, 1e6)


def test_worked_example_of_figure_3():
    estimate = loss_curves.wasserstein_estimate(CURVE)
    assert estimate == Line((10, 20, 30), (1.5, 0.5, 0.25))
    assert loss_curves.score(CURVE, "p") == Line((0, 10, 20, 30), (90.0, 50.0, 60.0, 20.0))
    # Ranks 3, 2, 1 against 2, 3, 1: ρ = 1 − 6·(1 + 1 + 0)/(3·8) = .5
    assert loss_curves.agreement(estimate, loss_curves.score(CURVE, "p")) == Agreement(pytest.approx(0.5), 3)


def test_worked_example_of_figure_4():
    bound = loss_curves.js_lower_bound([point(5, 2 * math.log(2), 1.0), point(6, 0.0, 1.0)])
    assert bound.gen_iters == (5, 6)
    assert bound.values == pytest.approx((0.0, math.log(2)), abs=1e-15)


def critic_loss_of(p, q, scale=1.0):
    """The loss of the best critic for two distributions over the same few points, D = p/(p + q)."""
    logits = (p / q).log().double()
    real = torch.nn.functional.softplus(-logits) @ p
    fake = torch.nn.functional.softplus(logits) @ q
    return scale * (real + fake).item()


@given(st.lists(st.floats(0.1, 1), min_size=2, max_size=5), st.sampled_from([1.0, 0.5]), st.randoms())
@settings(deadline=None)
def test_the_best_critic_reaches_the_divergence_and_no_other_exceeds_it(weights, scale, random):
    p = torch.tensor(weights, dtype=torch.float64)
    q = torch.tensor(random.sample(weights, len(weights)), dtype=torch.float64)
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    divergence = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()).item() / 2
    (value,) = loss_curves.js_lower_bound([point(1, critic_loss_of(p, q, scale), 1.0)], scale).values
    assert value == pytest.approx(divergence, abs=1e-12)
    worse = scale * (math.log(2) * 2 + 0.1)  # than that of D = 1/2
    (value,) = loss_curves.js_lower_bound([point(1, worse, 1.0)], scale).values
    assert value < divergence + 1e-12


def test_the_loss_is_the_one_that_baselines_report():
    logits = torch.linspace(-3, 3, 7)
    d = torch.sigmoid(logits)
    loss = standard_critic_loss(logits, -logits).item()
    (value,) = loss_curves.js_lower_bound([point(1, loss, 1.0)]).values
    assert value == pytest.approx((d.log().mean() + d.log().mean()).item() / 2 + math.log(2), abs=1e-6)


def test_points_without_a_finite_loss_or_score_are_left_out():
    curve = [point(10, 1.0, 5.0), point(20, None, 4.0), {**point(30, 3.0, 3.0), "scores": {}}]
    curve.append({**point(40, 1.0, 2.0), "losses": {"critic": None, "generator": 1.0}})
    assert loss_curves.critic_loss(curve) == Line((10, 30), (1.0, 3.0))
    assert loss_curves.score(curve, "p") == Line((10, 20, 40), (5.0, 4.0, 2.0))
    assert loss_curves.agreement(*(loss_curves.critic_loss(curve), loss_curves.score(curve, "p"))).n == 1


@given(st.lists(numbers, max_size=40), st.integers(0, 8))
@settings(deadline=None)
def test_median_filter_read_literally(values, reach):
    expected = []
    for i in range(len(values)):
        near = [x for j, x in enumerate(values) if abs(i - j) <= reach]
        expected.append(statistics.median(near))
    assert loss_curves.median_filtered(values, 2 * reach + 1) == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_the_paper_filter_removes_outliers_and_keeps_straight_lines():
    line = [0.01 * i for i in range(400)]
    outliers = [x + 100 * (i % 7 == 0) for i, x in enumerate(line)]
    filtered = loss_curves.median_filtered(outliers)
    assert loss_curves.median_filtered(line)[50:-50] == line[50:-50]
    assert max(abs(a - b) for a, b in zip(filtered[50:-50], line[50:-50], strict=True)) < 0.2


pairs = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=12)


@given(pairs)
@settings(deadline=None)
def test_rank_correlation_is_scipys(values):
    a, b = ([float(x) for x in side] for side in zip(*values, strict=True))
    found = loss_curves.rank_correlation(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=20, unique=True))
@settings(deadline=None)
def test_only_the_order_counts(values):
    a = [float(x) for x in values]
    b = [math.exp(x / 10) for x in a]
    assert loss_curves.rank_correlation(a, b) == pytest.approx(1)
    assert loss_curves.rank_correlation(a, [-x for x in b]) == pytest.approx(-1)


def test_nothing_to_correlate():
    assert loss_curves.agreement(Line((), ()), Line((1,), (2.0,))) == Agreement(None, 0)
    assert loss_curves.rank_correlation([1.0], [2.0]) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: loss_curves.median_filtered([1.0], 2), "odd"),
        (lambda: loss_curves.median_filtered([1.0], -1), "odd"),
        (lambda: loss_curves.js_lower_bound(CURVE, 0.0), "positive"),
        (lambda: loss_curves.rank_correlation([1.0], []), "paired"),
        (lambda: loss_curves.rank_correlation([1.0, math.nan], [1.0, 2.0]), "rank"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
