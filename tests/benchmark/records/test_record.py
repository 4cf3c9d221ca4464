"""The record of a run: what it says of a finished and of a diverged one, and what of it can be compared."""

import copy

import pytest

from benchmark.records import identity, record
from benchmark.suites import Suite
from benchmark.suites.spec import spec_without_seed


def spec():
    suite = Suite("mine", "", ("gan/digits",), (0,), 20, 10, ("digits-2k",))
    return {**spec_without_seed(suite, "gan/digits", "cpu"), "seed": 0}


def state(**changes):
    scores = {"digits-2k": {"is": 2.5, "fid": 100.0}}
    point = {"critic_updates": 0, "images_seen": 0, "wall_s": 1.0, "scores": scores, "losses": None}
    content = {
        "gen_iters": 20,
        "images_seen": 2000,
        "diverged_at": None,
        "curve": [{"gen_iters": 0, **point}, {"gen_iters": 20, **point}],
        "samples": {"samples/000000000.png": "0", "samples/000000020.png": "2"},
        "seconds": {
            "wall_s": 3.21987,
            "startup_s": 1.0,
            "train_s": 1.0,
            "evaluate_s": 0.5,
            "checkpoint_s": 0,
            "cpu_s": 2.0,
        },
        "sessions": 2,
        "checkpoints": 3,
        "checkpoint_bytes": 1000,
    }
    return content | changes


def build(state=state(), spec=spec(), provenance=None):  # noqa: B008 - never changed
    return record.build(
        spec,
        env_id="e" * 64,
        state=state,
        real_data={"digits-2k": {"is": 9.9, "fid": 1.0}},
        weights={"generator_weights": "g", "critic_weights": "c"},
        losses="l",
        first_losses=[{"critic": 1.25}],
        peak_memory_mib=123.456,
        provenance=provenance or {},
    )


def test_a_finished_run_has_its_last_scores_as_the_result():
    r = build()
    assert (r["status"], r["diverged_at"]) == ("done", None)
    assert r["final"] == {"gen_iters": 20, "scores": {"digits-2k": {"is": 2.5, "fid": 100.0}}}
    assert r["digests"] == {
        "generator_weights": "g",
        "critic_weights": "c",
        "losses": "l",
        "samples": {"samples/000000000.png": "0", "samples/000000020.png": "2"},
    }
    assert r["timing"]["wall_s"] == 3.22
    assert (r["run_id"], r["cell_id"]) == (identity.run_id(spec()), identity.cell_id(spec()))


@pytest.mark.parametrize("at", [0, 7])
def test_a_diverged_run_has_no_result_and_no_weights(at):
    r = build(state(diverged_at=at, curve=state()["curve"][: min(at, 1)]))
    assert (r["status"], r["diverged_at"], r["final"]) == ("diverged", at, None)
    assert (r["digests"]["generator_weights"], r["digests"]["critic_weights"]) == (None, None)
    assert r["digests"]["losses"] == "l"
    assert r["gen_iters"] == 20


def test_time_machine_and_suite_are_not_compared():
    other = copy.deepcopy(state())
    other["seconds"]["wall_s"], other["sessions"], other["curve"][1]["wall_s"] = 99.0, 5, 77.0
    again = build(other, {**spec(), "suite": "another"}, {"os": "another"})
    assert again != build()
    assert record.comparable_part(again) == record.comparable_part(build())


@pytest.mark.parametrize("key", ["scores", "losses", "images_seen", "critic_updates"])
def test_every_value_of_the_curve_is_compared(key):
    other = copy.deepcopy(state())
    other["curve"][0][key] = "another"
    assert record.comparable_part(build(other)) != record.comparable_part(build())


def test_comparing_leaves_the_record_as_it_was():
    r = build()
    before = copy.deepcopy(r)
    record.comparable_part(r)
    assert r == before
