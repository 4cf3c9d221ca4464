"""The plan: all runs of a suite, seed by seed, each with the state its directory tells; it writes nothing."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import protocols
from benchmark.records import bounded, identity, locks, record, store
from benchmark.suites import Suite, plan

SUITE = Suite("mine", "", ("gan/digits", "wgan/digits"), (0, 1), 20, 10, ("digits-2k",))


def planned(out, suite=SUITE):
    return plan.plan(suite, out, "cpu")


ACCEPTED = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
TEMPLATE = json.loads(ACCEPTED.read_text(encoding="utf-8"))["records"][0]
"""An accepted record, of which tests change what they are about."""


def record_of(run, **changes):
    content = {
        **TEMPLATE,
        "experiment": run.experiment,
        "baseline": run.spec["experiment"]["baseline"],
        "gen_iters": run.gen_iters,
        "final": {**TEMPLATE["final"], "gen_iters": run.gen_iters},
        "curve": [{**TEMPLATE["curve"][-1], "gen_iters": run.gen_iters}],
        "cell_id": identity.cell_id(run.spec),
        "run_id": run.run_id,
        "env_id": run.env_id,
        "seed": run.seed,
        "spec": run.spec,
        "timing": {**TEMPLATE["timing"], "wall_s": 45.0, "startup_s": 5.0},
    }
    return record.sealed(content | changes)


def leave(directory, content):
    directory.mkdir(parents=True)
    (directory / "spec.json").write_text(json.dumps(content["spec"]))
    (directory / "record.json").write_text(json.dumps(content))


def test_every_experiment_has_its_first_seed_early(tmp_path):
    assert [run.label for run in planned(tmp_path)] == [
        "gan/digits seed 0",
        "wgan/digits seed 0",
        "gan/digits seed 1",
        "wgan/digits seed 1",
    ]


def test_planning_writes_nothing(tmp_path):
    planned(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_directories_are_named_by_experiment_run_and_environment(tmp_path):
    runs = planned(tmp_path)
    assert len({run.directory for run in runs}) == len({run.run_id for run in runs}) == 4
    for run in runs:
        assert run.run_id == identity.run_id(run.spec)
        assert run.directory == tmp_path.joinpath(
            "runs", *run.experiment.split("/"), f"{run.run_id[:12]}-{run.env_id[:8]}"
        )


def test_a_spec_survives_json_and_keeps_its_ids(tmp_path):
    for run in planned(tmp_path):
        assert json.loads(json.dumps(run.spec)) == run.spec
        assert identity.run_id(json.loads(json.dumps(run.spec))) == run.run_id


def test_the_suite_does_not_identify_a_run(tmp_path):
    other = Suite("another", "title", SUITE.experiments, SUITE.seeds, 20, 10, SUITE.protocols, "note")
    assert [run.run_id for run in planned(tmp_path)] == [run.run_id for run in planned(tmp_path, other)]


def test_runs_have_the_state_of_their_directory(tmp_path):
    done, failed, started, _ = planned(tmp_path)
    leave(done.directory, record_of(done))
    for run in (failed, started):
        run.directory.mkdir(parents=True)
        (run.directory / "spec.json").write_text(json.dumps(run.spec))
    (failed.directory / "events.jsonl").write_text('{"event": "failed", "reason": "x"}\n')
    with locks.hold(started.directory):
        assert [run.state.name for run in planned(tmp_path)] == ["done", "failed", "running", "not run"]
    assert planned(tmp_path)[2].state.name == "interrupted"


def test_a_record_of_changed_code_is_stale_and_names_the_file(tmp_path):
    run = planned(tmp_path)[0]
    sources = {**run.spec["sources"], "baselines.gan": "0" * 64}
    leave(run.directory.with_name("0-0"), record_of(run, spec={**run.spec, "sources": sources}))
    state = planned(tmp_path)[0].state
    assert (state.name, state.reason) == ("stale", "baselines.gan has changed since")
    assert not state.finished
    assert [other.state.name for other in planned(tmp_path)[1:]] == ["not run"] * 3


def test_a_record_of_another_environment_is_stale(tmp_path):
    run = planned(tmp_path)[0]
    leave(run.directory.with_name(f"{run.run_id[:12]}-00000000"), record_of(run, env_id="0" * 64))
    assert planned(tmp_path)[0].state.text() == "stale: made in another environment"


@pytest.mark.parametrize("changes", [{"seed": 7}, {"cell_id": "0" * 64}])
def test_a_record_of_another_seed_or_cell_is_not_this_run(changes, tmp_path):
    run = planned(tmp_path)[0]
    leave(run.directory.with_name("0-0"), record_of(run, **changes))
    assert planned(tmp_path)[0].state.name == "not run"


@pytest.mark.parametrize("which", [1, 2])
def test_a_record_that_was_copied_from_another_run_does_not_count(which, tmp_path):
    """Of another experiment, and of another seed: the run is made again."""
    runs = planned(tmp_path)
    leave(runs[0].directory, record_of(runs[0]))
    leave(runs[which].directory, record_of(runs[0]))
    states = [run.state for run in planned(tmp_path)]
    assert [state.finished for state in states] == [k == 0 for k in range(len(runs))]
    assert "is of another run (gan/digits seed 0, " in states[which].text()


def test_a_run_that_was_set_aside_does_not_make_its_successor_stale(tmp_path):
    run = planned(tmp_path)[0]
    leave(run.directory, record_of(run))
    store.set_aside(run.directory)
    assert planned(tmp_path)[0].state.name == "not run"


@pytest.mark.parametrize("there", ["done", "of other code", "set aside", "in any environment"])
def test_files_are_read_so_often_however_many_runs_there_are(tmp_path, monkeypatch, there):
    """So many per run: a look through the whole folder for each would take hours with thousands."""
    files = 0
    read = bounded.read_json

    def counted(path, limit):
        nonlocal files
        files += path.exists()
        return read(path, limit)

    def reads(n):
        nonlocal files
        out, suite = (
            tmp_path / str(n),
            dataclasses.replace(SUITE, experiments=("gan/digits",), seeds=range(n)),
        )
        for run in planned(out, suite):
            sources = {**run.spec["sources"], "baselines.gan": "0" * 64}
            changes = {"spec": {**run.spec, "sources": sources}} if there == "of other code" else {}
            place = run.directory.with_name(f"{run.seed}-0") if changes else run.directory
            leave(place, record_of(run, run_id=run.run_id, **changes))
            if there == "set aside":
                store.set_aside(place)
        if there == "in any environment":
            monkeypatch.setattr(plan, "_env_id", lambda *_, **__: "")
        files = 0
        with monkeypatch.context() as patch:
            patch.setattr(bounded, "read_json", counted)
            runs = planned(out, suite)
        expected = {"of other code": "stale", "set aside": "not run"}.get(there, "done")
        assert {run.state.name for run in runs} == {expected}
        return files

    few = reads(4)
    assert few <= 3 * 4
    monkeypatch.undo()
    assert reads(12) == 3 * few


def test_a_run_that_was_set_aside_is_none_in_whatever_environment(tmp_path, monkeypatch):
    run = planned(tmp_path)[0]
    leave(run.directory, record_of(run))
    store.set_aside(run.directory)
    monkeypatch.setattr(plan, "_env_id", lambda *_, **__: "")
    assert planned(tmp_path)[0].state.name == "not run"


def test_data_that_cannot_be_loaded_are_refused_before_any_run(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "names", lambda: ("moons",))
    with pytest.raises(
        UserError, match=r"needs the data set 'digits'.*Choose folder:PATH for a folder of images, or moons"
    ):
        planned(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "protocol 'parzen-mnist': is about 'mnist', not 'digits'"),
        ({"dataset": "digits"}, "takes images of 1x28x28, but the networks' are 1x32x32"),
    ],
)
def test_protocols_that_the_data_do_not_fit_are_refused_before_any_run(
    changes, message, tmp_path, monkeypatch
):
    window = dataclasses.replace(protocols.get("parzen-mnist"), **changes)
    monkeypatch.setattr(protocols, "get", lambda _: window)
    suite = dataclasses.replace(SUITE, experiments=("gan/digits", "wgan/digits"), protocols=("parzen-mnist",))
    with pytest.raises(UserError, match=message):
        planned(tmp_path, suite)


def test_expected_time_scales_with_the_budget_but_not_the_start(tmp_path):
    run = planned(tmp_path)[0]
    leave(run.directory, record_of(run))
    longer = Suite("mine", "", SUITE.experiments, (5,), 200, 10, SUITE.protocols)
    assert plan.expected_seconds(planned(tmp_path, longer), tmp_path) == {
        "gan/digits": 5 + 200 * (45 - 5) / 20
    }
    assert plan.expected_seconds(planned(tmp_path, longer), tmp_path / "none") == {}


@pytest.mark.parametrize(("wall_s", "startup_s"), [(0.0, 1e12), (45.0, 46.0), (1e12, 0.0), (0.0, 0.0)])
def test_expected_time_is_a_time_whatever_a_record_says(wall_s, startup_s, tmp_path):
    run = planned(tmp_path)[0]
    timing = {**TEMPLATE["timing"], "wall_s": wall_s, "startup_s": startup_s}
    leave(run.directory, record_of(run, timing=timing))
    for budget in (0, 20, 10**15):
        longer = Suite("mine", "", SUITE.experiments, (5,), budget, 10**14, SUITE.protocols)
        (seconds,) = plan.expected_seconds(planned(tmp_path, longer), tmp_path).values()
        assert 0 <= seconds < math.inf
        if startup_s >= wall_s:
            assert seconds == wall_s


@pytest.mark.parametrize(
    "explicit",
    [{"seeds": "0-1"}, {"seeds": "0,1"}, {"budget": 20}, {"patterns": ("*",)}, {"dataset": "digits"}],
)
def test_what_is_said_explicitly_is_what_it_is_by_default(explicit, tmp_path):
    assert [run.run_id for run in planned(tmp_path, SUITE.revised(**explicit))] == [
        run.run_id for run in planned(tmp_path)
    ]
