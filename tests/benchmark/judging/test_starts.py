"""The start check: rounding passes, what an update does differently does not, and the reason says where."""

import copy
import json
import math
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.judging import gate, starts
from benchmark.suites.gate_table import GateTable

ACCEPTED = json.loads((Path(__file__).parents[3] / "results" / "reference" / "quick.json").read_text("utf-8"))
LOSSES = [{"critic": 2.5 - 0.1 * k, "generator": 0.69 + 1e-3 * k} for k in range(10)]
"""R is .9 and .009."""


def record(value, seed, *, cell="a", code="old", env="e"):
    """One evaluation at 0 and one at the end."""
    points = ((0, 500.0), (10, value))
    return {
        "status": "done",
        "run_id": f"{cell} {code} {seed}",
        "cell_id": cell * 64,
        "env_id": env,
        "suite": "s",
        "experiment": "wgan/digits",
        "seed": seed,
        "spec": {"suite": "s", "protocols": [{"name": "p", "metrics": ["fid"]}], "sources": {"code": code}},
        "curve": [{"gen_iters": k, "wall_s": 0.0, "scores": {"p": {"fid": x}}} for k, x in points],
        "digests": {"generator_weights": f"{value} {seed}"},
    }


def check(reference, current, **options):
    return gate.gate(reference, current, GateTable(), today=date(2026, 11, 25), **options)


def run(seed=0, losses=LOSSES, at_start=500.0, real=1.5, device="cpu", **more):
    one = record(20.0 + 0.1 * seed, seed, **more)
    one["first_losses"] = copy.deepcopy(losses)
    one["curve"][0]["scores"]["p"]["fid"] = at_start
    one["real_data"] = {"p": {"fid": real}}
    one["spec"] |= {"device": device, "dataset": {"digest": "d"}, "numerics": {"precision": "fp32"}}
    return one


def moved(k, name, by):
    losses = copy.deepcopy(LOSSES)
    losses[k - 1][name] += by
    return losses


def text(now, then=None):
    found = starts.departure(then or run(), now)
    return found and found.what


@pytest.mark.parametrize(
    ("k", "share"), [(1, 0.003), (2, 0.006), (4, 0.024), (7, 0.192), (8, 0.3), (10, 0.3)]
)
@pytest.mark.parametrize(("name", "spread"), [("critic", 0.9), ("generator", 0.009)])
def test_a_loss_may_differ_by_its_share_of_the_accepted_change(k, share, name, spread):
    assert starts.tolerance(LOSSES, name, k) == pytest.approx(share * spread)
    for sign in (1, -1):
        assert text(run(losses=moved(k, name, sign * 0.99 * share * spread))) is None
        said = text(run(losses=moved(k, name, sign * 1.01 * share * spread)))
        assert said.startswith(f"loss '{name}' of G-iteration {k} is 1.01 tolerances off (")


def test_the_earliest_iteration_is_named():
    losses = copy.deepcopy(LOSSES)
    for row in losses[3:]:
        row["critic"] += 1.0
    assert "of G-iteration 4 is 46.3 tolerances off" in text(run(losses=losses))


def test_the_largest_change_is_from_the_first_value_on():
    assert starts.largest_change([0.5, 1.5, -0.25]) == 1.0  # max - min is 1.75
    assert starts.largest_change([0.5, None, 0.75]) == 0.25
    assert starts.largest_change([None]) == starts.largest_change([]) == 0.0


def test_the_change_is_the_accepted_one():
    """A run whose losses explode does not widen what it may do."""
    assert text(run(losses=moved(10, "critic", 50.0))) is not None


def test_scores_at_zero_and_of_real_data_come_first():
    assert text(run(at_start=500.004)) is None
    assert text(run(at_start=500.006, losses=moved(1, "critic", 9.0))).startswith("fid (p) of the untrained")
    assert text(run(real=1.500001)) is None
    assert text(run(real=1.500002, at_start=0.0)).startswith("fid (p) of real data")


@pytest.mark.parametrize("score", ["real", "at_start"])
def test_a_score_that_is_not_finite_on_one_side_departs(score):
    other = run(**{score: None})
    assert text(other, copy.deepcopy(other)) is None
    assert "is inf tolerances off (not finite was " in text(other)
    assert text(run(), other).endswith(" was not finite)")


@pytest.mark.parametrize("bad", [None])
def test_a_loss_that_is_not_finite_on_one_side_departs(bad):
    losses = copy.deepcopy(LOSSES)
    losses[2]["critic"] = bad
    assert "of G-iteration 3 is inf tolerances off (not finite was 2.3)" in text(run(losses=losses))
    assert text(run(losses=losses), run(losses=losses)) is None


def test_other_losses_than_the_accepted_run_reports_depart():
    assert "'penalty'" in text(run(losses=[{**row, "penalty": 0.0} for row in LOSSES]))
    assert "'generator'" in text(run(losses=[{"critic": row["critic"]} for row in LOSSES]))


def test_losses_that_do_not_change_may_still_be_rounded():
    flat = [{"critic": math.log(2)}] * 10
    assert text(run(losses=[{"critic": math.log(2) * (1 + 5e-7)}] * 10), run(losses=flat)) is None
    assert text(run(losses=[{"critic": math.log(2) * (1 + 5e-6)}] * 10), run(losses=flat)) is not None


@given(st.lists(st.floats(-1, 1), min_size=20, max_size=20), st.floats(-1, 1))
def test_what_is_within_the_curve_never_departs(shares, zero):
    losses = [
        {
            n: x + 0.999 * shares[2 * k + i] * starts.tolerance(LOSSES, n, k + 1)
            for i, (n, x) in enumerate(r.items())
        }
        for k, r in enumerate(LOSSES)
    ]
    assert text(run(losses=losses, at_start=500 * (1 + 9e-6 * zero))) is None


# --- In the gate ------------------------------------------------------------------------------------------


def decided(reference, current, **options):
    return {d.metric: d for d in check(reference, current, **options).decisions}


@pytest.fixture
def reference():
    return [run(seed) for seed in range(3)]


def test_runs_that_depart_fail_whatever_their_scores(reference):
    current = [run(seed, losses=moved(1, "critic", 0.1), code="new") for seed in range(3)]
    found = check(reference, current)
    (start,) = [d for d in found.decisions if d.outcome == "departed"]
    assert found.failed
    assert (start.name, start.starts) == ("wgan/digits start", False)
    assert start.reason.startswith(
        "3 of 3 seeds start otherwise: seed 0: loss 'critic' of G-iteration 1 is 37"
    )


def test_one_seed_is_enough(reference):
    current = [run(seed, losses=moved(1, "critic", 0.1 * (seed == 2)), code="new") for seed in range(3)]
    assert decided(reference, current)["start"].reason.startswith("1 of 3 seeds start otherwise: seed 2")


def test_undecided_runs_that_start_alike_say_so_and_what_would_settle_them(reference):
    for i, one in enumerate(reference):
        one["curve"][-1]["scores"]["p"]["fid"] += i
    current = [run(seed, code="new", env="other") for seed in (0, 1, 2)]
    found = check(reference, current)
    assert not found.failed
    (d,) = found.decisions
    assert (d.outcome, d.starts) == ("no-evidence", True)
    assert d.reason.startswith("starts as accepted (seeds 0–2); ")
    assert "would settle the end" in d.reason


def test_too_few_seeds_for_pairs_ask_for_those_that_allow_them(reference):
    for i, one in enumerate(reference):
        one["curve"][-1]["scores"]["p"]["fid"] += i + 0.5
    current = [run(seed, code="new", env="other") for seed in (0, 1)]
    for one in (*reference, *current):
        one["spec"]["sources"] = {"benchmark/training/draws.py": "same", "code": one["run_id"]}
    (d,) = check(reference, current).decisions
    assert d.reason.startswith("starts as accepted (seeds 0, 1); run seed 2 to compare in pairs: ")


def test_a_changed_setting_departs_and_is_missing(reference):
    current = [run(seed, losses=moved(1, "critic", 0.1), cell="b") for seed in range(3)]
    found = decided(reference, current)
    assert found["start"].outcome == "departed"
    assert "missing" in {d.outcome for d in check(reference, current).decisions}


def test_equal_bits_ask_for_no_start(reference):
    assert [d.outcome for d in check(reference, copy.deepcopy(reference)).decisions] == ["unchanged"]


def test_contradicting_bits_are_told_once(reference):
    current = [run(seed, losses=moved(1, "critic", 0.1)) for seed in range(3)]
    assert [d.outcome for d in check(reference, current).decisions] == ["nondeterministic"]


def test_other_data_or_numerics_are_not_compared(reference):
    for key, value in (("dataset", {"digest": "other"}), ("numerics", {"precision": "exact"})):
        current = [run(seed, losses=moved(1, "critic", 0.1), code="new") for seed in range(3)]
        for one in current:
            one["spec"][key] = value
        assert "start" not in decided(reference, current)


def test_on_another_kind_of_device_it_warns(reference):
    current = [run(seed, losses=moved(1, "critic", 0.1), code="new", device="cuda") for seed in range(3)]
    found = check(reference, current)
    (start,) = [d for d in found.decisions if d.metric == "start"]
    assert (start.outcome, start.warns, found.failed) == ("departed", True, False)
    assert "another kind of device" in start.reason


def test_a_run_on_another_kind_of_device_excuses_no_departure_on_the_same(reference):
    current = [run(seed, losses=moved(1, "critic", 0.1), code="new") for seed in range(2)]
    found = check(reference, [*current, run(2, code="new", device="cuda")])
    (start,) = [d for d in found.decisions if d.metric == "start"]
    assert (start.outcome, start.warns, found.failed) == ("departed", False, True)
    assert "another kind of device" not in start.reason


def test_a_departure_can_be_waived(reference):
    current = [run(seed, losses=moved(1, "critic", 0.1), code="new") for seed in range(3)]
    waiver = {"cell": "wgan/*", "metric": "start", "reason": "new draws", "expires": "2027-01-01"}
    found = check(reference, current, waivers=[waiver])
    assert not found.failed
    assert decided(reference, current, waivers=[waiver])["start"].waiver


def test_too_few_losses_are_no_start():
    reference = [run(seed, losses=LOSSES[:4]) for seed in range(3)]
    current = [run(seed, losses=LOSSES[:4], code="new", env="other") for seed in range(3)]
    assert all(not start.whole for start in starts.starts(reference, current).values())
    assert {d.starts for d in check(reference, current).decisions} == {None}


def test_accepted_records_of_the_repository_start_as_themselves_and_not_as_each_other():
    records = ACCEPTED["records"]
    assert all(len(r["first_losses"]) == 10 for r in records)
    for r in records:
        assert starts.departure(r, r) is None
    by_experiment = {}
    for r in records:
        by_experiment.setdefault(r["experiment"], []).append(r)
    for own in by_experiment.values():
        assert starts.departure(own[0], {**own[1], "seed": own[0]["seed"]}) is not None


def test_pairs_see_what_two_samples_do_not():
    """Seeds differ by 10 %, and all get 4 % worse: one difference four times."""
    levels = (18.0, 20.0, 22.0, 24.0)
    then = [record(x, i) for i, x in enumerate(levels)]
    now = [record(x * 1.04 + 0.01 * i, i, code="new") for i, x in enumerate(levels)]
    (unpaired,) = check(then, now).decisions
    for one in (*then, *now):
        one["spec"]["sources"] = {"benchmark/training/draws.py": "same", "code": one["run_id"]}
    (paired,) = check(then, now).decisions
    assert unpaired.outcome == "no-evidence"
    assert paired.outcome == "regressed"
    assert "worse in 4 pairs of seeds (minimum effect" in paired.reason
    for one in now:
        one["spec"]["sources"]["benchmark/training/draws.py"] = "changed"
    assert check(then, now).decisions[0].outcome == "no-evidence"
    assert GateTable().points == 3
