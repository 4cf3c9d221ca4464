"""One change at a time: differences by seed, only of runs that are otherwise alike, and what was not run."""

import statistics

import pytest

from benchmark import suites
from benchmark.report.committed import changes

BASE, FASTER, HELD = "gan/mnist", "gan/mnist+rate-falls-faster", "gan/mnist+rate-held"
SPEC = {"dataset": {"digest": "d"}, "gen_iters": 9, "evaluate_at": [0, 9], "protocols": [], "numerics": {}}


def run(experiment, seed, nats, **spec):
    """A finished run, or one that diverged where there are no `nats`."""
    final = None if nats is None else {"gen_iters": 9, "scores": {"parzen-mnist": {"parzen_ll": nats}}}
    status = "diverged" if final is None else "done"
    spec = {**SPEC, **spec}
    return {"experiment": experiment, "seed": seed, "status": status, "final": final, "spec": spec}


def rows(records, others=()):
    table = changes.table(suites.load("parzen-variants"), records, others, "parzen_ll")
    return {row.cells[0]: row.cells[1:] for row in table.rows}


def test_a_difference_is_that_of_equal_seeds():
    base = [run(BASE, seed, nats) for seed, nats in enumerate((100.0, 110.0, 105.0))]
    found = rows([run(FASTER, 2, 109.0), run(FASTER, 0, 102.0), run(FASTER, 7, 500.0)], base)
    mean, half = 3.0, 12.7062 * statistics.stdev((2.0, 4.0)) / 2**0.5  # t of one degree of freedom
    assert found[FASTER][1] == "3"
    assert found[FASTER][3:] == ("2", f"{mean:+.2f}", f"{mean - half:+.2f} to {mean + half:+.2f}")
    assert found[BASE][1:] == ("3", "105.00 ± 5.00", "–", "–", "–")


def test_pairs_of_two_environments_are_named():
    def caption(*envs):
        own = [{**run(FASTER, seed, 102.0), "env_id": env} for seed, env in enumerate(envs)]
        base = [{**run(BASE, seed, 100.0), "env_id": "e"} for seed in range(2)]
        return changes.table(suites.load("parzen-variants"), own, base, "parzen_ll").caption

    said = f"In another environment than its {BASE}, which rounds differently too: {FASTER} seed 1."
    assert caption("e", "f").endswith(said)
    assert caption("e", "e", "f").endswith("rows.")  # the third has no pair


def test_one_pair_has_a_difference_and_no_interval():
    found = rows([run(FASTER, 0, 102.5)], [run(BASE, 0, 100.0)])
    assert found[FASTER][1:] == ("1", "102.50", "1", "+2.50", "–")


def test_no_common_seed_no_difference():
    assert rows([run(FASTER, 1, 102.5)], [run(BASE, 0, 100.0)])[FASTER][3:] == ("0", "–", "–")


@pytest.mark.parametrize("other", [{"gen_iters": 8}, {"numerics": {"profile": "portable"}}])
def test_runs_that_differ_in_more_than_the_change_are_not_compared(other):
    found = rows([run(FASTER, 0, 102.5)], [run(BASE, 0, 100.0, **other)])
    assert found[BASE][1] == "not run"
    assert found[FASTER][3:] == ("0", "–", "–")


@pytest.mark.parametrize(
    ("part", "difference"), [("note", "+2.50"), ("title", "+2.50"), ("n_generated", "–")]
)
def test_other_words_about_a_protocol_make_no_other_runs(part, difference):
    one, other = ([{"name": "parzen-mnist", part: x}] for x in (1, 2))
    found = rows([run(FASTER, 0, 102.5, protocols=one)], [run(BASE, 0, 100.0, protocols=other)])
    assert found[FASTER][4] == difference


def test_what_was_not_run_or_diverged_says_so_and_has_no_number():
    found = rows([run(FASTER, 0, 102.5), run(FASTER, 1, None), run(HELD, 0, None)])
    assert [*found] == [*suites.load("parzen-variants").experiments]
    for name in (BASE, "gan/mnist-printed"):
        assert found[name][1:] == ("not run", "–", "–", "–", "–")
    assert found[HELD][1:] == ("1 diverged", "–", "–", "–", "–")
    assert found[FASTER][1] == "1, 1 diverged"


def test_a_change_is_named_with_what_is_declared():
    found = rows([run(FASTER, 0, 102.5)])
    assert found[FASTER][0] == "learning_rate_decay = 1.00002 (1.000004)"
    assert found["gan/mnist-printed"][0] == "GAN on MNIST, Algorithm 1 as printed"


def scored_by(protocol, seed, nats):
    final = {"gen_iters": 9, "scores": {protocol: {"parzen_ll": nats}}}
    spec = {**SPEC, "protocols": [{"name": protocol}]}
    return {"experiment": BASE, "seed": seed, "status": "done", "final": final, "spec": spec}


def with_curve(record, *nats):
    points = [{"gen_iters": k, "scores": {"parzen-mnist": {"parzen_ll": x}}} for k, x in enumerate(nats)]
    return {**record, "curve": [*points, record["final"]]}


def test_what_is_scored_otherwise_is_compared_run_by_run():
    base = [with_curve(run(BASE, 0, 100.0), 90.0, 107.0), with_curve(run(BASE, 1, 110.0), 95.0, None)]
    later = [scored_by("fine", 1, 113.0), scored_by("fine", 0, 101.0), scored_by("coarse", 1, 108.0)]
    table = changes.of_scores(base, later, "parzen-mnist", "parzen_ll")
    found = {row.cells[0]: row.cells[1:] for row in table.rows}
    half = 12.7062 * statistics.stdev((1.0, 3.0)) / 2**0.5
    assert found == {
        "protocol coarse": ("1", "-2.00", "–"),
        "protocol fine": ("2", "+2.00", f"{2 - half:+.2f} to {2 + half:+.2f}"),
        "the best point on the curve, not the last": ("2", "+3.50", "–"),
    }
    assert "its difference cannot be negative: it has no interval" in table.caption


def test_seeds_that_were_only_scored_otherwise_are_no_pairs():
    table = changes.of_scores(
        [with_curve(run(BASE, 0, 100.0))],
        [scored_by("fine", 0, 101.0), scored_by("fine", 1, 150.0)],
        "parzen-mnist",
        "parzen_ll",
    )
    assert table.rows[0].cells[1:] == ("1", "+1.00", "–")


def test_the_best_point_of_a_score_that_should_be_low_is_its_lowest_and_of_an_unknown_one_none():
    def scored(metric):
        points = [{"gen_iters": k, "scores": {"p": {metric: x}}} for k, x in enumerate((9.0, 4.0, 6.0))]
        made = {"experiment": BASE, "seed": 0, "status": "done", "curve": points, "final": points[-1]}
        return changes.of_scores([made], [], "p", metric)

    assert scored("fid").rows[0].cells[1:] == ("1", "-2.00", "–")
    assert "cannot be positive" in scored("fid").caption
    assert scored("odd").rows == ()
    assert "best point" not in scored("odd").caption


def test_intervals_are_said_to_be_of_one_row_each():
    tables = (
        changes.table(suites.load("parzen-variants"), [run(FASTER, 0, 102.5)], (), "parzen_ll"),
        changes.of_scores([with_curve(run(BASE, 0, 100.0))], [], "parzen-mnist", "parzen_ll"),
    )
    assert all("Each 95 % interval is for its row alone" in table.caption for table in tables)


def test_runs_of_another_length_are_not_alike():
    short, long = run(BASE, 0, 100.0), run(BASE, 0, 120.0, gen_iters=36)
    assert changes.alike([short, long], run(FASTER, 1, 1.0)) == [short]


# --- Longer -------------------------------------------------------------------------------------------------


def long_run(seed, *nats):
    """A run that was scored after 0, 3, 6 … G-iterations."""
    scores = [{"gen_iters": 3 * i, "scores": {"parzen-mnist": {"parzen_ll": x}}} for i, x in enumerate(nats)]
    return {**run(BASE, seed, nats[-1]), "curve": scores, "gen_iters": scores[-1]["gen_iters"]}


def length_table(*records, begun=()):
    return changes.of_length(records, begun, 3, "parzen-mnist", "parzen_ll")


def length_rows(*records, begun=()):
    return [row.cells for row in length_table(*records, begun=begun).rows]


def test_every_seed_is_compared_with_itself_at_multiples_of_the_budget():
    found = length_rows(long_run(1, 0.0, 100.0, 108.0, 109.0), long_run(0, 0.0, 110.0, 112.0, 120.0))
    half = 12.7062 * statistics.stdev((8.0, 2.0)) / 2**0.5
    assert found[0] == ("6", "2", "+5.00", f"{5 - half:+.2f} to {5 + half:+.2f}")
    assert [row[:3] for row in found] == [("6", "2", "+5.00"), ("9", "2", "+9.50")]


def test_of_one_long_run_no_interval():
    assert length_rows(long_run(0, 0.0, 100.0, 108.5)) == [("6", "1", "+8.50", "–")]


def test_a_run_that_is_not_finished_counts_as_far_as_it_came():
    whole = long_run(0, 0.0, 110.0, 112.0, 120.0)
    stopped = {key: long_run(1, 0.0, 100.0, 108.0)[key] for key in ("spec", "seed", "curve")}
    found = length_rows(whole, begun=[stopped])
    assert found[0] == length_rows(whole, long_run(1, 0.0, 100.0, 108.0, 109.0))[0]
    assert found[1] == ("9", "1", "+10.00", "–")
    assert length_table(whole, begun=[stopped]).caption.endswith("as far as it was scored: seed 1.")
    assert "Not finished" not in length_table(whole).caption


# --- On the way ---------------------------------------------------------------------------------------------

DOUBLE = "gan/mnist-float64"


def shorter_run(seed, *nats, **spec):
    """A run of another experiment, in an environment of its own; its budget is the last point's."""
    budget = {"gen_iters": 3 * (len(nats) - 1), "evaluate_at": [3 * i for i in range(len(nats))]}
    one = {**long_run(seed, *nats), "experiment": DOUBLE, "env_id": "new"}
    return {**one, "spec": {**SPEC, **budget, **spec}}


def on_the_way(records, others):
    return changes.of_runs_on_the_way(records, others, BASE, "parzen-mnist", "parzen_ll")


def test_runs_of_a_longer_budget_are_compared_wherever_both_were_scored():
    base = [{**long_run(seed, -9.0, 100.0 + seed, 120.0, 160.0), "env_id": "old"} for seed in (0, 1, 2)]
    found = on_the_way([shorter_run(0, -8.0, 101.0, 123.0), shorter_run(1, -8.0, 104.0, 121.0)], base)
    half = 12.7062 * statistics.stdev((3.0, 1.0)) / 2**0.5
    assert [row.cells[:3] for row in found.rows] == [("3", "2", "+2.00"), ("6", "2", "+2.00")]
    assert found.rows[1].cells[3] == f"{2 - half:+.2f} to {2 + half:+.2f}"
    assert found.rows[1].cells[4] == "+3.00 (seed 0), +1.00 (seed 1)"
    assert found.caption.endswith("They ran in different environments, which round differently too.")


def test_the_same_seed_of_two_suites_is_one_pair_and_one_environment_is_not_two():
    base = [
        {**long_run(0, -9.0, 100.0, 120.0, *rest), "env_id": "new"} for rest in ((160.0,), (160.0, 161.0))
    ]
    found = on_the_way([shorter_run(0, -8.0, 101.0, 123.0)], base)
    assert [row.cells for row in found.rows] == [
        ("3", "1", "+1.00", "–", "+1.00 (seed 0)"),
        ("6", "1", "+3.00", "–", "+3.00 (seed 0)"),
    ]
    assert "environments" not in found.caption


@pytest.mark.parametrize("part", ["dataset", "numerics", "protocols"])
def test_runs_of_other_data_numerics_or_protocols_are_no_pairs_on_the_way(part):
    other = {part: [{"name": "parzen-mnist", "n_generated": 1}]}
    base = {**long_run(0, -9.0, 100.0, 120.0), "env_id": "old"}
    found = on_the_way([shorter_run(0, -8.0, 101.0, 123.0, **other)], [base])
    assert [row.cells[1:] for row in found.rows] == [("0", "–", "–", "–")] * 2
