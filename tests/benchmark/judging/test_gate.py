"""The gate against the reference: exact path, test and minimum effect, confirmation, waivers, error rates."""

import copy
import dataclasses
import json
import random
import statistics as stdlib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import UserError
from benchmark.judging import cell_test, gate, statistics
from benchmark.suites import gate_table
from benchmark.suites.waivers import read_waivers

TODAY = date(2026, 11, 25)
REFERENCE = [19.4, 19.8, 20.0, 20.2, 20.6]
"""Mean 20, so a difference must exceed .6; s = .447."""
ALPHA_PULL_REQUEST = 0.01
"""What `ci-gpu` has: an alarm there blocks somebody's work."""


def record(value, seed, *, cell="a", code="old", env="e", metric="fid", experiment="wgan/digits", curve=None):
    """A record whose last evaluations all have the value, diverged if that is None."""
    points = [500.0, *(curve or [value] * 3)]
    done = value is not None
    return {
        "schema_version": 2,
        "status": "done" if done else "diverged",
        "run_id": f"{cell} {code} {seed}",
        "cell_id": cell * 64,
        "env_id": env,
        "suite": "s",
        "experiment": experiment,
        "seed": seed,
        "spec": {"suite": "s", "protocols": [{"name": "p", "metrics": [metric]}], "sources": code},
        "curve": [
            {"gen_iters": 10 * i, "wall_s": random.random(), "scores": {"p": {metric: x}}}
            for i, x in enumerate(points)
            if done or i == 0
        ],
        "final": {"scores": {"p": {metric: value}}} if done else None,
        "digests": {"generator_weights": f"{value} {seed}"},
        "provenance": {"started_utc": random.random()},
        "timing": {"wall_s": random.random()},
        "peak_memory_mib": random.random(),
        "record_sha256": str(random.random()),
    }


def runs(values, code="new", first=0, **more):
    return [record(value, seed, code=code, **more) for seed, value in enumerate(values, first)]


def check(reference, current, **options):
    rules = gate_table.GateTable(
        **{key: options.pop(key) for key in ("alpha", "effects", "points") if key in options}
    )
    return gate.gate(reference, current, rules, today=TODAY, **options)


def single(current, reference=REFERENCE, *, first=0, more=None, **options):
    """The only decision about new values, of seeds from `first` on, against accepted ones."""
    more = more or {}
    (found,) = check(runs(reference, "old", **more), runs(current, first=first, **more), **options).decisions
    return found


# --- Exact path -------------------------------------------------------------------------------------------


def test_the_same_bits_are_unchanged_whatever_their_spread():
    found = single([19.4, 30.0], [19.4, 30.0, 50.0])
    assert (found.outcome, found.p) == ("unchanged", None)
    assert found.reason == "bit for bit the reference's: seeds 0, 1"


def test_the_same_run_with_other_bits_is_nondeterministic_however_small_the_difference():
    reference = runs(REFERENCE, "old")
    again = copy.deepcopy(reference)
    again[3]["digests"]["generator_weights"] = "other"
    result = check(reference, again)
    (found,) = result.decisions
    assert (found.outcome, result.failed) == ("nondeterministic", True)
    assert found.reason == "seed 3: the same run in the same environment differs in digests"


def test_nondeterminism_names_what_was_computed_otherwise():
    then, again = (
        [{**r, "provenance": {"determinism": {"cpu_capability": x, "n": 1}}} for r in runs(REFERENCE, "old")]
        for x in ("AVX512", "AVX2")
    )
    again[3]["digests"] = {}
    (found,) = check(then, again).decisions
    assert found.reason.endswith("differs in digests (cpu_capability: AVX512 then, AVX2 now)")


@pytest.mark.parametrize("change", [{"env": "other"}, {"code": "other"}])
def test_other_bits_of_other_code_or_another_environment_are_no_fault(change):
    again = [record(x + 0.01, i, **{"code": "old", **change}) for i, x in enumerate(REFERENCE)]
    (found,) = check(runs(REFERENCE, "old"), again).decisions
    assert found.outcome == "unchanged"
    assert found.p is not None


def test_nondeterminism_is_seen_in_seeds_for_confirmation_too():
    again = runs(REFERENCE, "old")
    again[4] = {**again[4], "digests": {}}
    assert check(runs(REFERENCE, "old"), again, confirm_with=(4,)).decisions[0].outcome == "nondeterministic"


@pytest.mark.parametrize("n_pairs", [0, 3])
@pytest.mark.parametrize(("worse_by", "far"), [(0.2, False), (-0.2, False), (1.5, True), (-1.5, True)])
def test_so_many_more_seeds_would_settle_it(n_pairs, worse_by, far):
    """At a minimum effect of .6, sd 1, and five accepted seeds, or the three in pairs."""

    def comparison(n):
        if n_pairs:
            return statistics.Comparison(worse_by, n**-0.5, n - 1)
        return statistics.Comparison(worse_by, (1 / 50 + 1 / n) ** 0.5, 48 + n)

    def decides(n):
        if far:
            turned = comparison(n)._replace(difference=abs(worse_by))
            return statistics.p_greater(turned) <= 0.005
        low, high = statistics.interval(*comparison(n))
        return low >= -1.2 and high <= 1.2

    (base,) = check(runs(REFERENCE, "old"), runs([20.0])).decisions
    base = dataclasses.replace(base, n_reference=50, n_current=3)
    said = cell_test.settled(cell_test.Test(base, comparison(3), 0.6, n_pairs), 0.005)
    more = int(said.split()[0])
    assert f"seed{'s' * (more > 1)} would settle the end" in said
    assert decides(3 + more)
    assert more == 1 or not decides(2 + more)


def drawn(values, code="new", first=0, **more):
    """Runs whose seeds draw alike on both sides, so that they are compared in pairs."""
    made = runs(values, code, first, **more)
    for one in made:
        one["spec"]["sources"] = {"benchmark/training/draws.py": "same", "code": code}
    return made


def test_what_is_shown_of_pairs_is_what_is_compared():
    accepted = drawn([10.0, 20.0, 30.0, 90.0, 95.0], "old")
    (found,) = check(accepted, drawn([11.0, 20.5, 31.0])).decisions
    assert (found.reference, found.current) == (20.0, pytest.approx(62.5 / 3))
    assert found.current - found.reference == pytest.approx(found.worse_by)
    assert (found.n_reference, found.n_current, found.reference_sd) == (3, 3, 10.0)


def test_pairs_that_would_settle_it_are_named_or_have_to_be_accepted():
    accepted, current = [20.0, 21.0, 22.0, 20.5, 21.5], [20.5, 22.3, 22.4]
    (found,) = check(drawn(accepted, "old"), drawn(current)).decisions
    assert found.outcome == "no-evidence"
    few = check(drawn(accepted[:3], "old"), drawn(current)).decisions[0]
    more = int(found.settled.split()[0])
    assert more == int(few.settled.split()[0])
    assert few.settled.endswith(f"settle the end, in pairs: accept {more} more first")
    assert 0 < more <= 2
    assert "of those accepted, seed" in found.settled
    assert "--seeds" in found.settled


def test_copies_are_no_further_draws():
    # Seeds 0 and 1 are copies; only seed 7 is tested
    found = check(runs(REFERENCE, "old"), [*runs(REFERENCE[:2]), record(20.1, 7)]).decisions[0]
    assert (found.n_reference, found.n_current, found.current) == (5, 1, 20.1)


# --- Test and minimum effect ----------------------------------------------------------------------------


def test_worked_example_of_a_regression():
    # s_p² = (4·.2 + 2·.09)/6 = .1633; D = 1.2, SE = .4041·√(1/5+1/3) = .2951, t = 4.066 with 6: p = .0033
    found = single([20.9, 21.2, 21.5])
    assert found.outcome == "regressed"
    assert found.worse_by == pytest.approx(1.2)
    assert found.p == pytest.approx(0.0033, abs=1e-4)
    assert found.interval == pytest.approx((1.2 - 1.943 * 0.2951, 1.2 + 1.943 * 0.2951), abs=1e-3)
    assert found.reason == "1.2 worse than 20 (minimum effect 0.6, p = 0.0033)"


def test_significant_but_small_is_no_regression_and_large_but_uncertain_neither():
    small = single([20.49, 20.5, 20.51], [20.0, 20.01, 19.99, 20.0, 20.0])
    assert small.p < 0.001
    assert small.outcome == "unchanged"
    assert single([18.0, 21.0, 25.0]).outcome == "no-evidence"


def test_improvement_passes():
    result = check(runs(REFERENCE, "old"), runs([18.5, 18.8, 19.1]))
    assert [d.outcome for d in result.decisions] == ["improved"]
    assert not result.failed


def test_higher_is_better_for_the_inception_score():
    more = {"metric": "is"}
    reference = [5.0, 5.02, 5.04, 4.98, 4.96]
    assert single([4.7, 4.72, 4.74], reference, more=more).outcome == "regressed"
    assert single([5.3, 5.32, 5.34], reference, more=more).outcome == "improved"


def test_a_classification_error_is_better_lower_and_counts_from_a_tenth_of_it():
    more, reference = {"metric": "classification_error"}, [3.20, 3.22, 3.24]
    assert single([3.60, 3.62, 3.64], reference, more=more).outcome == "regressed"
    assert single([3.45, 3.46, 3.47], reference, more=more).outcome == "unchanged"  # less than .32
    assert single([2.80, 2.82, 2.84], reference, more=more).outcome == "improved"


@pytest.mark.parametrize("shape", [[1, 28, 28], [4, 14, 14]])
@pytest.mark.parametrize("level", [182.0, 0.0, -50.0])
def test_the_minimum_effect_of_a_log_likelihood_goes_by_pixels_and_not_by_its_level(level, shape):
    """0.005 nats for each of 784 pixels, over all channels: 3.92 nats."""

    def of(values, code, first=0):
        found = runs([level + x for x in values], code, first, metric="parzen_ll")
        for one in found:
            one["spec"]["experiment"] = {"image_shape": shape}
        return found

    def outcome(*values):
        (found,) = check(of([-0.2, 0.0, 0.2], "old"), of(values, "new", 7)).decisions
        return found.outcome

    assert outcome(-4.1, -4.0, -3.95) == "regressed"
    assert outcome(-3.9, -3.8, -3.7) == "unchanged"
    assert outcome(4.1, 4.0, 3.95) == "improved"


def test_a_run_counts_by_the_mean_of_its_last_evaluations_not_by_the_untrained_network():
    assert cell_test.run_value(record(3.0, 0, curve=[100.0, 1.0, 2.0, 6.0]), "p", "fid") == 3
    assert cell_test.run_value(record(3.0, 0, curve=[4.0, 6.0]), "p", "fid") == 5
    assert cell_test.run_value(record(3.0, 0, curve=[1.0, None, 6.0]), "p", "fid") is None
    assert cell_test.run_value(record(3.0, 0, curve=[1.0, None, 6.0]), "p", "fid", points=1) == 6
    assert cell_test.run_value(record(None, 0), "p", "fid") is None


def test_one_seed_each_is_no_evidence_and_one_against_several_is_tested():
    assert single([50.0], [20.0]).outcome == "no-evidence"
    assert single([50.0]).outcome == "regressed"
    # Both sides as they are: s = .1414 of two, SE = s·√1.5 = .1732, t = 29.9/.1732 = 172.6 with one degree
    # of freedom: p = 1/2 − atan(172.6)/π = .0018.
    found = single([50.0], [20.0, 20.2])
    assert (found.outcome, round(found.p, 4)) == ("regressed", 0.0018)


def test_without_any_spread_every_difference_counts():
    (tied,) = check(runs([20.0] * 5, "old"), runs([20.0] * 3, first=7)).decisions
    assert (tied.outcome, tied.p) == ("unchanged", 1)
    assert single([20.5, 20.5, 20.5], [20.0] * 5).outcome == "unchanged"  # less than the minimum effect
    assert single([19.5, 19.5, 19.5], [20.0] * 5).outcome == "unchanged"
    assert single([20.7, 20.7, 20.7], [20.0] * 5).outcome == "regressed"
    assert single([19.3, 19.3, 19.3], [20.0] * 5).outcome == "improved"


@pytest.mark.parametrize(
    ("reference", "current", "outcome"),
    [
        (REFERENCE, [20.1, 20.2, None], "regressed"),  # one of three, in the reference none
        (REFERENCE, [20.1, 19.9, 20.0, 20.2, None], "unchanged"),  # one of five
        ([*REFERENCE[:3], None, None], [20.1, 20.2, None], "no-evidence"),
        ([*REFERENCE[:3], None, None], [20.1, 20.2, 19.9], "no-evidence"),
        (REFERENCE, [None], "regressed"),
        ([20.0, 20.2, None], [None, None, None], "regressed"),  # more than the reference's third
        ([20.0, 20.2, None], [20.1, None, None], "regressed"),
        ([20.0, 20.2, None], [20.1, 19.9, None], "no-evidence"),
    ],
)
def test_diverged_seeds(reference, current, outcome):
    found = single(current, reference)
    assert found.outcome == outcome
    assert "without a result" in found.reason


def test_metrics_without_a_minimum_effect_are_not_gated():
    found = single([900.0, 901.0], more={"metric": "kid"})
    assert (found.outcome, found.metric) == ("no-evidence", "")
    assert single([900.0, 901.0], more={"metric": "kid"}, effects={"kid": 0.1}).outcome == "regressed"


# --- Several cells ------------------------------------------------------------------------------------------


def test_a_cell_that_was_not_run_is_missing_and_a_new_one_has_no_reference():
    result = check(runs(REFERENCE, "old"), runs(REFERENCE, cell="b"))
    missing, new = result.decisions
    assert (missing.outcome, new.outcome) == ("missing", "no-evidence")
    assert "other settings, data, budget or protocols" in missing.reason
    assert result.failures == (missing,)
    (alone,) = check(runs(REFERENCE, "old"), []).decisions
    assert (alone.outcome, alone.reason) == ("missing", "no current record")
    assert check([], []).decisions == ()


def test_holm_makes_one_doubtful_result_among_many_pass():
    doubtful = [20.5, 20.7, 20.9]  # p = .023
    assert single(doubtful).outcome == "regressed"
    others = "bcdefghij"
    reference = [r for cell in "a" + others for r in runs(REFERENCE, "old", cell=cell)]
    current = [*runs(doubtful), *(r for cell in others for r in runs([19.9, 20.1, 20.3], cell=cell))]
    found = check(reference, current).decisions
    assert {d.outcome for d in found} <= {"unchanged", "no-evidence"}
    assert max(found, key=lambda d: d.worse_by).p == pytest.approx(10 * single(doubtful).p)


def test_strict_demands_evidence():
    reference, current = runs(REFERENCE, "old"), runs([18.0, 21.0, 25.0])
    assert not check(reference, current).failed
    assert check(reference, current, strict=True).failed


def test_two_records_of_a_seed_are_refused():
    with pytest.raises(ValueError, match="one seed"):
        check(runs(REFERENCE, "old") * 2, [])


def test_decisions_are_json_and_do_not_depend_on_the_order():
    reference = [*runs(REFERENCE, "old"), *runs(REFERENCE, "old", cell="b", experiment="gan/digits")]
    current = [*runs([20.9, 21.2, 21.5]), *runs([20.0, 20.1, 20.2], cell="b", experiment="gan/digits")]
    found = check(reference, current)
    assert [d.name for d in found.decisions] == ["gan/digits p fid", "wgan/digits p fid"]
    assert check(reference[::-1], current[::-1]) == found
    assert json.loads(json.dumps(found.as_dict()))["failed"] is True


# --- Two stages ---------------------------------------------------------------------------------------------


def test_a_regression_asks_for_its_confirmation_and_fails_until_then():
    result = check(runs(REFERENCE, "old"), runs([20.9, 21.2, 21.5]), confirm_with=(3, 4))
    (found,) = result.decisions
    assert (found.outcome, found.run_seeds, result.failed) == ("regressed", (3, 4), True)
    assert "to be confirmed by seeds 3, 4" in found.reason


def test_a_confirmed_regression_fails_and_an_unconfirmed_one_passes():
    confirmed = single([20.9, 21.2, 21.5, 21.0, 21.3], confirm_with=(3, 4))
    assert (confirmed.outcome, confirmed.run_seeds, confirmed.n_current) == ("regressed", (), 5)
    assert "confirmed by more seeds" in confirmed.reason
    passed = single([20.9, 21.2, 21.5, 19.5, 19.3], confirm_with=(3, 4))
    assert passed.outcome == "no-evidence"
    assert "worse at first" in passed.reason


@pytest.mark.parametrize(
    ("more", "outcome", "said"),
    [
        ((10.0, 10.0), "no-evidence", "do not confirm it: 10 better than the reference's mean"),
        ((20.5, 20.5), "no-evidence", "do not confirm it: 0.5 worse than the reference's mean"),
        ((20.7, 20.7), "regressed", "confirm it: 0.7 worse than the reference's mean"),
        ((22.0, 22.2), "regressed", "confirm it: 2.1 worse than the reference's mean"),
    ],
)
def test_seeds_that_nobody_accepted_confirm_by_their_values_and_leave_the_pairs(more, outcome, said):
    accepted, worse = drawn(REFERENCE, "old"), [x + 2 for x in REFERENCE]
    (found,) = check(accepted, drawn([*worse, *more]), confirm_with=(5, 6)).decisions
    assert (found.outcome, found.n_current) == (outcome, 5)
    assert "in 5 pairs of seeds" in found.reason
    assert found.reason.endswith(f"seeds that nobody accepted {said}")


def test_pairs_that_are_worse_are_not_unsaid_by_the_spread_over_seeds():
    """As they are, 5 and 7 runs of such a spread say nothing of 15 %."""
    values, now = [300.0, 340.0, 380.0, 420.0, 460.0], [339.0, 398.0, 437.0, 479.0, 534.0, 345.0, 529.0]
    (found,) = check(drawn(values, "old"), drawn(now), confirm_with=(5, 6)).decisions
    assert found.outcome == "regressed"
    as_they_are = statistics.pooled(values, now)
    assert statistics.p_greater(as_they_are) > 0.05


def test_seeds_that_nobody_accepted_and_that_diverge_confirm_it():
    accepted, worse = drawn(REFERENCE, "old"), [x + 2 for x in REFERENCE]
    (found,) = check(accepted, drawn([*worse, None, None]), confirm_with=(5, 6)).decisions
    assert found.outcome == "regressed"


@pytest.mark.parametrize("good", [10.0, 20.0, 22.5])
def test_one_seed_that_diverges_is_not_unsaid_by_another_that_nobody_accepted(good):
    accepted, worse = drawn(REFERENCE, "old"), [x + 2 for x in REFERENCE]
    (found,) = check(accepted, drawn([*worse, good, None]), confirm_with=(5, 6)).decisions
    assert found.outcome == "regressed"
    assert found.reason.endswith(
        "seeds that nobody accepted confirm it: more than a quarter of them have no result"
    )


def test_an_accepted_seed_confirms_as_a_pair_whatever_one_that_nobody_accepted_does():
    accepted, worse = drawn(REFERENCE, "old"), [x + 2 for x in REFERENCE]
    (found,) = check(accepted, drawn([*worse, 10.0]), confirm_with=(4, 5)).decisions
    assert (found.outcome, found.n_current) == ("regressed", 5)
    assert found.reason.endswith("confirmed by more seeds")


def test_accepted_runs_that_lie_about_confirm_nothing():
    accepted, worse = drawn(REFERENCE, "old"), drawn([x + 2 for x in REFERENCE[:3]], env="other")
    (found,) = check(accepted, [*worse, *accepted[3:]], confirm_with=(3, 4)).decisions
    assert (found.outcome, found.run_seeds) == ("regressed", (3, 4))
    assert "to be confirmed by seeds 3, 4" in found.reason


def test_seeds_for_confirmation_are_not_looked_at_before_they_are_needed():
    found = single([20.0, 20.1, 19.9, 90.0, 91.0], confirm_with=(3, 4))
    assert (found.outcome, found.n_current) == ("unchanged", 3)


def test_divergence_can_be_confirmed_too():
    assert single([20.1, 20.2, None, 20.0, 19.9], confirm_with=(3, 4)).outcome == "unchanged"
    assert single([20.1, 20.2, None, None, 19.9], confirm_with=(3, 4)).outcome == "regressed"


# --- Waivers ------------------------------------------------------------------------------------------------

WAIVER = {"cell": "wgan/*", "reason": "known, see 12", "expires": "2026-12-01"}


def waived(waiver, current=(20.9, 21.2, 21.5), **options):
    return check(runs(REFERENCE, "old"), runs(list(current)), waivers=[waiver], **options)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"cell": "aaaaaaaa"},
        {"metric": "fid"},
        {"expires": TODAY},
        {"expires": datetime(2026, 12, 1, tzinfo=UTC)},
    ],
)
def test_a_waiver_lets_a_failure_pass_and_shows_it(change):
    result = waived({**WAIVER, **change})
    (found,) = result.decisions
    assert (found.outcome, result.failed, result.unused) == ("regressed", False, ())
    assert "known, see 12" in found.waiver


@pytest.mark.parametrize("change", [{"cell": "gan/*"}, {"metric": "is"}, {"cell": "aaaa"}])
def test_a_waiver_of_something_else_lets_nothing_pass(change):
    result = waived({**WAIVER, **change})
    assert result.failed
    assert len(result.unused) == 1


def test_an_expired_waiver_fails_even_where_nothing_else_does():
    expired = {**WAIVER, "expires": "2026-11-24"}
    assert waived(expired).failures
    fine = waived(expired, current=[20.0, 20.1, 19.9])
    assert not fine.failures
    assert fine.failed
    assert "until 2026-11-24" in fine.expired[0]


def test_a_waiver_is_for_one_strictness():
    assert not waived(WAIVER, [18.0, 21.0, 25.0], strict=True).failed
    assert waived(WAIVER, [18.0, 21.0, 25.0]).unused


@pytest.mark.parametrize(
    ("waiver", "message"),
    [
        ({**WAIVER, "expired": "2026-12-01"}, "unknown key 'expired'. Did you mean 'expires'"),
        ({"cell": "a", "expires": "2026-12-01"}, "'reason' is missing"),
        ({**WAIVER, "reason": " "}, "'reason' is missing"),
        ({**WAIVER, "expires": "tomorrow"}, "'expires' is no date"),
        ({**WAIVER, "expires": 7}, "'expires' is no date"),
        ({**WAIVER, "cell": 7}, "'cell' must be a text"),
        ({**WAIVER, "metric": "fdi"}, "unknown metric 'fdi'. Did you mean 'fid'"),
        ({**WAIVER, "metric": "strat"}, "unknown metric 'strat'. Did you mean 'start'"),
        ({**WAIVER, "metric": "inception_score"}, "'inception_score'. Choose one of: is, fid"),
    ],
)
def test_malformed_waivers_are_refused(waiver, message):
    with pytest.raises(UserError, match="waiver 1") as caught:
        read_waivers([waiver])
    assert message in str(caught.value)


# --- Laws ----------------------------------------------------------------------------------------------

scores = st.lists(st.floats(18, 24), min_size=2, max_size=5)


@given(scores, scores, st.floats(0, 5))
def test_getting_worse_never_ends_a_regression(reference, current, further):
    # The same amount for each, so that the spread stays; other seeds, so that none is a copy
    if single(current, reference, first=9).outcome == "regressed":
        assert single([x + further for x in current], reference, first=9).outcome == "regressed"


@given(scores, scores)
def test_regression_and_improvement_mirror_each_other(reference, current):
    # 40 − x has the mirrored differences; the minimum effect is 1 on both sides
    effect = {"fid": 1 / stdlib.fmean(reference)}
    there = single(current, reference, first=9, effects=effect)
    mirrored = [40 - x for x in reference]
    effect = {"fid": 1 / stdlib.fmean(mirrored)}
    back = single([40 - x for x in current], mirrored, first=9, effects=effect)
    turned = {"regressed": "improved", "improved": "regressed"}
    at_an_edge = [*map(abs, there.interval), abs(there.worse_by), there.p, 1 - there.p]
    if min(abs(x - edge) for x in at_an_edge for edge in (1, 2, gate_table.ALPHA)) > 1e-9:
        assert back.outcome == turned.get(there.outcome, there.outcome)


@given(st.lists(scores, min_size=1, max_size=4), st.floats(0.001, 0.05))
def test_a_smaller_alpha_never_adds_a_regression(cells, alpha):
    reference = [r for i in range(len(cells)) for r in runs(REFERENCE, "old", cell="abcd"[i])]
    current = [r for i, values in enumerate(cells) for r in runs(values, cell="abcd"[i])]
    strict, lax = check(reference, current, alpha=alpha / 10), check(reference, current, alpha=alpha)
    for one, other in zip(strict.decisions, lax.decisions, strict=True):
        assert one.outcome != "regressed" or other.outcome == "regressed"


# --- Error rates ---------------------------------------------------------------------------------------


def failing(n_reference, gap, *, trials, alpha=ALPHA_PULL_REQUEST, confirm=False, cells=1):
    """How often the gate fails for new runs that are worse by `gap`, at FID 20 with σ = .5."""
    draw = random.Random(f"{n_reference} {gap} {cells}")
    failed = 0
    for _ in range(trials):
        reference, current = [], []
        for i in range(cells):
            cell = "abcdefghij"[i]
            reference += runs([draw.gauss(20, 0.5) for _ in range(n_reference)], "old", cell=cell)
            current += runs([draw.gauss(20 + gap, 0.5) for _ in range(5 if confirm else 3)], cell=cell)
        failed += check(reference, current, alpha=alpha, confirm_with=(3, 4) if confirm else ()).failed
    return failed / trials


def test_false_alarms_are_rarer_than_promised():
    assert failing(5, 0.0, trials=1500) <= 0.015
    assert failing(5, 0.0, trials=1500, alpha=gate_table.ALPHA) <= 0.055
    assert failing(5, 0.0, trials=1500, confirm=True) <= 0.007


def test_false_alarms_of_ten_cells_together():
    assert failing(5, 0.0, trials=200, alpha=gate_table.ALPHA, cells=10) <= 0.09


@pytest.mark.parametrize(
    ("n", "gap", "power"), [(5, 1.0, 0.42), (5, 2.0, 0.97), (10, 1.0, 0.63), (3, 2.0, 0.80)]
)
def test_power_of_the_design(n, gap, power):
    assert failing(n, gap, trials=800) == pytest.approx(power, abs=0.05)


def test_confirmation_costs_little_power():
    assert failing(5, 2.0, trials=400, confirm=True) >= 0.92


def test_the_bound_of_the_design_is_the_tests():
    # The least mean that is not rejected is m_r ∓ t_{.95,ν}·s·√(1/n_r + 1/n_s)
    comparison = statistics.pooled(REFERENCE, [x + 20.0 for x in (-0.3, 0.0, 0.3)])
    bound = statistics.t_quantile(0.95, comparison.df) * comparison.standard_error
    assert statistics.p_greater(comparison._replace(difference=bound)) == pytest.approx(0.05)
