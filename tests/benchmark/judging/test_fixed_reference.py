"""What α means for one reference: its probability of a false alarm, simulated over references.

The gate's rule is written once more here for whole arrays, and held to `gate` on some of the draws.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmark.suites import gate_table

_SPEC = importlib.util.spec_from_file_location("gate_records", Path(__file__).with_name("test_gate.py"))
gate_records = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(gate_records)

N_NEW, N_TESTS = 3, 10
"""Three new seeds; five cells with two metrics, taken as independent."""
N_REFERENCES, N_TRIALS = 400, 400
SOURCES = ({"draws": "same", "code": "old"}, {"draws": "same", "code": "new"})


def false_alarms(n_reference, cv, correlation):
    """Of every drawn reference, the share of unchanged new runs that it fails, [N_REFERENCES]."""
    rng = np.random.default_rng([n_reference, round(100 * cv), round(100 * correlation)])
    shares = np.empty(N_REFERENCES)
    for i, reference in enumerate(1 + cv * rng.standard_normal((N_REFERENCES, N_TESTS, n_reference))):
        new = drawn(reference, cv, correlation, N_TRIALS, rng)
        shares[i] = fails(reference, new, bool(correlation)).mean()
    return shares


def drawn(reference, cv, correlation, trials, rng):
    """New values, [trials, tests, N_NEW], of mean 1; correlated with those of the reference's seeds."""
    noise = cv * rng.standard_normal((trials, len(reference), N_NEW))
    return 1 + correlation * (reference[:, :N_NEW] - 1) + np.sqrt(1 - correlation**2) * noise


def fails(reference, new, in_pairs, alpha=gate_table.ALPHA):
    """Whether any test fails; [trials]."""
    return failures(reference, new, in_pairs, alpha).any(-1)


def failures(reference, new, in_pairs, alpha=gate_table.ALPHA):
    """Tests that are significant after Holm, and worse by more than the minimum effect; [trials, tests]."""
    n, n_new = reference.shape[-1], new.shape[-1]
    if in_pairs:
        pairs = new - reference[..., :n_new]
        worse, df = pairs.mean(-1), n_new - 1
        error = pairs.std(-1, ddof=1) / np.sqrt(n_new)
    else:
        worse, df = new.mean(-1) - reference.mean(-1), n + n_new - 2
        squares = (n - 1) * reference.var(-1, ddof=1) + (n_new - 1) * new.var(-1, ddof=1)
        error = np.sqrt(squares / df * (1 / n + 1 / n_new))
    p = stats.t.sf(worse / error, df)
    order = p.argsort(-1)
    adjusted = np.maximum.accumulate(np.take_along_axis(p, order, -1) * np.arange(p.shape[-1], 0, -1), -1)
    significant = np.take_along_axis(adjusted <= alpha, order.argsort(-1), -1)
    return significant & (worse > gate_table.EFFECTS["fid"] * reference.mean(-1))


@pytest.mark.parametrize("correlation", [0.0, 0.88])
def test_the_simulated_rule_is_the_gates(correlation):
    rng, failed = np.random.default_rng(0), []
    for i in range(150):
        reference = 1 + 0.1 * rng.standard_normal((2, 5))
        new = drawn(reference, 0.1, correlation, 1, rng) + 0.2 * (i % 2)
        old_code, new_code = SOURCES if correlation else ("old", "new")
        sides = [
            [r for cell, xs in zip("ab", values, strict=True) for r in gate_records.runs(xs, code, cell=cell)]
            for values, code in ((reference.tolist(), old_code), (new[0].tolist(), new_code))
        ]
        failed.append(gate_records.check(*sides, alpha=gate_table.ALPHA).failed)
        assert failed[-1] == fails(reference, new, bool(correlation))[0]
    assert 10 < sum(failed) < 140


@pytest.mark.parametrize(
    ("n_reference", "cv", "correlation", "average", "of_one_in_twenty"),
    [
        (3, 0.1, 0.0, 0.048, 0.16),
        (5, 0.02, 0.0, 0.034, 0.13),
        (5, 0.1, 0.0, 0.048, 0.17),
        (5, 0.3, 0.0, 0.043, 0.15),
        (10, 0.1, 0.0, 0.048, 0.14),
        (5, 0.1, 0.88, 0.037, 0.06),
    ],
)
def test_alpha_is_met_on_average_and_not_by_every_reference(
    n_reference, cv, correlation, average, of_one_in_twenty
):
    """The figures of docs/gate.md."""
    shares = false_alarms(n_reference, cv, correlation)
    assert shares.mean() == pytest.approx(average, abs=0.005)
    assert np.quantile(shares, 0.95) == pytest.approx(of_one_in_twenty, abs=0.02)


@pytest.mark.parametrize(
    ("n_new", "correlation", "in_pairs", "at_5", "at_1"),
    [
        (3, 0.0, False, 0.88, 0.59),
        (3, 0.0, True, 0.22, 0.05),
        (3, 0.88, True, 0.83, 0.30),
        (5, 0.0, True, 0.83, 0.41),
        (5, 0.88, True, 1.00, 1.00),
    ],
)
def test_power_where_one_of_ten_is_worse(n_new, correlation, in_pairs, at_5, at_1):
    """The figures of docs/gate.md: FID 10 % worse in one cell, sd over seeds 2.5 %, five accepted seeds."""
    rng, cv, trials = np.random.default_rng(n_new), 0.025, 4000
    reference = 1 + cv * rng.standard_normal((trials, N_TESTS, 5))
    noise = cv * rng.standard_normal((trials, N_TESTS, n_new))
    new = 1 + correlation * (reference[..., :n_new] - 1) + np.sqrt(1 - correlation**2) * noise
    new[:, 0] *= 1.1
    for alpha, power in ((gate_table.ALPHA, at_5), (gate_records.ALPHA_PULL_REQUEST, at_1)):
        assert fails(reference, new, in_pairs, alpha).mean() == pytest.approx(power, abs=0.03)


@pytest.mark.parametrize(
    ("cv", "worse", "at_first", "confirmed"),
    [
        (0.025, 0.10, 1.00, 1.00),
        (0.05, 0.10, 0.98, 0.92),
        (0.1, 0.00, 0.043, 0.021),
        (0.1, 0.10, 0.53, 0.41),
        (0.1, 0.15, 0.85, 0.76),
        (0.1, 0.20, 0.97, 0.93),
    ],
)
def test_power_of_five_pairs_that_two_further_seeds_confirm(cv, worse, at_first, confirmed):
    """The figures of docs/gate.md: one of ten worse, correlation .88, two seeds that nobody accepted."""
    rng, trials = np.random.default_rng(5), 10_000
    reference = 1 + cv * rng.standard_normal((trials, N_TESTS, 5))
    new = 1 + 0.88 * (reference - 1) + np.sqrt(1 - 0.88**2) * cv * rng.standard_normal(reference.shape)
    further = 1 + cv * rng.standard_normal((trials, N_TESTS, 2))
    for one in (new, further):
        one[:, 0] *= 1 + worse
    bad = failures(reference, new, in_pairs=True)
    too = further.mean(-1) - reference.mean(-1) > gate_table.EFFECTS["fid"] * reference.mean(-1)
    tolerance = 0.006 if not worse else 0.02
    assert bad.any(-1).mean() == pytest.approx(at_first, abs=tolerance)
    assert (bad & too).any(-1).mean() == pytest.approx(confirmed, abs=tolerance)


def test_the_simulated_confirmation_is_the_gates():
    rng, seen = np.random.default_rng(1), []
    for i in range(80):
        reference = 1 + 0.1 * rng.standard_normal((1, 5))
        new = reference * (1.12 + 0.04 * rng.standard_normal((1, 5)))
        further = (1 + 0.12 * (i % 2)) * (1 + 0.1 * rng.standard_normal((1, 2)))
        sides = [
            gate_records.runs(xs.tolist(), code)
            for xs, code in zip((reference[0], np.append(new, further)), SOURCES, strict=True)
        ]
        too = further.mean() - reference.mean() > gate_table.EFFECTS["fid"] * reference.mean()
        expected = failures(reference[None], new[None], in_pairs=True)[0, 0] & too
        seen.append(gate_records.check(*sides, alpha=gate_table.ALPHA, confirm_with=(5, 6)).failed)
        assert seen[-1] == expected
    assert 10 < sum(seen) < 70
