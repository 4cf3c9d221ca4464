"""The worker on its own: exit codes, and that it stops when nobody waits for it any more."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from baselines import gan, sngan
from benchmark import data
from benchmark.engines import inputs, outcome, parent, stopping, worker
from benchmark.errors import Stopped, UserError
from benchmark.records import locks, store
from benchmark.suites import Suite, plan

SUITE = Suite("mine", "", ("gan/digits",), (0,), 5000, 5000, ("digits-2k",))


@pytest.fixture
def planned(tmp_path):
    """A directory that is ready for the worker."""
    (run,) = plan.plan(SUITE, tmp_path, "cpu")
    run.directory.mkdir(parents=True)
    (run.directory / "spec.json").write_text(json.dumps(run.spec))
    return run


def work(directory, **environment):
    return subprocess.run(
        [sys.executable, "-m", "benchmark.engines.worker", str(directory)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_directory_without_spec_is_refused(tmp_path):
    done = work(tmp_path)
    assert done.returncode == 1
    assert "no readable spec.json" in done.stderr


def test_nothing_is_appended_through_a_link(tmp_path):
    """In somebody else's results it may lead to any file of one's own."""
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    (tmp_path / "events.jsonl").symlink_to(theirs)
    for begin in (lambda: worker.Log(tmp_path, 1), lambda: outcome.note(tmp_path, "failed", "x")):
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            begin()
    assert theirs.read_text() == "theirs"


@pytest.mark.parametrize(("code", "said"), [(-signal.SIGKILL, "SIGKILL"), (-35, "signal 35")])
def test_a_signal_is_said_by_its_name_if_it_has_one(code, said):
    assert outcome.killed(code) == f"killed by {said}"


def test_a_directory_in_use_is_left_alone(planned):
    with locks.hold(planned.directory):
        assert work(planned.directory).returncode == worker.BUSY
    assert not (planned.directory / "events.jsonl").exists()


def test_code_that_changed_after_planning_fails_the_run(planned):
    spec = {**planned.spec, "sources": {**planned.spec["sources"], "baselines.gan": "0" * 64}}
    (planned.directory / "spec.json").write_text(json.dumps(spec))
    assert work(planned.directory).returncode == 1
    assert store.state(planned.directory).reason.startswith("the code changed after this run was planned")


PARENT = """
import os, subprocess, sys
from benchmark.engines import parent
command = [sys.executable, "-m", "benchmark.engines.worker", sys.argv[1]]
subprocess.run(command, env={**os.environ, **parent.announced()})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_generated": 1000}, "the protocols or their weights changed"),
        pytest.param({"note": "Worded otherwise."}, "", marks=pytest.mark.slow),
    ],
)
def test_a_protocol_may_be_worded_otherwise_than_when_the_run_was_planned(tmp_path, changes, reason):
    (run,) = plan.plan(dataclasses.replace(SUITE, gen_iters=0), tmp_path, "cpu")
    run.directory.mkdir(parents=True)
    spec = {**run.spec, "protocols": [{**run.spec["protocols"][0], **changes}]}
    (run.directory / "spec.json").write_text(json.dumps(spec))
    assert work(run.directory).returncode == int(bool(reason))
    assert store.state(run.directory).reason.startswith(reason)


def test_a_run_stops_with_a_checkpoint_when_its_parent_is_gone(planned, wait, begin):
    started_by = begin([sys.executable, "-c", PARENT, str(planned.directory)])
    wait(lambda: store.state(planned.directory).gen_iters > 2, started_by)
    os.kill(started_by.pid, signal.SIGKILL)
    started_by.wait()
    wait(lambda: not locks.is_held(planned.directory))
    state = store.state(planned.directory)
    assert state.name == "interrupted"
    assert state.gen_iters > 2
    assert store.last_event(planned.directory)["event"] == "interrupted"


def test_a_run_whose_parent_died_while_it_started_does_not_begin(planned):
    done = work(planned.directory, **{parent.VARIABLE: str(os.getppid())})  # not the one that starts it
    assert done.returncode == worker.STOPPED
    assert not (planned.directory / "events.jsonl").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_the_death_of_the_parent_is_a_signal(tmp_path, wait, begin):
    follows = f"parent.follow(); open({str(tmp_path / 'on')!r}, 'w')"
    child = f"import time; from benchmark.engines import parent; {follows}; time.sleep(3000)"
    code = PARENT.replace('[sys.executable, "-m", "benchmark.engines.worker", sys.argv[1]]', "sys.argv[1:]")
    command = [sys.executable, "-c", code, sys.executable, "-c", child]
    started_by = begin(command, stdout=subprocess.PIPE)  # the child holds the pipe, too
    wait((tmp_path / "on").exists, started_by)
    started_by.kill()
    assert started_by.communicate()[0] == b""


@pytest.fixture
def stop():
    """A worker's `Stop` in this process, and the handlers as they were afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield stopping.Stop(None)
    for number, handler in before.items():
        signal.signal(number, handler)


class Evaluator:
    """Does something before the first batch, or reads them all."""

    n_generated = 2

    def __init__(self, act=lambda: None):
        self._act = act

    def scores_of(self, batches):
        self._act()
        return {"seen": {"batches": len(list(batches))}}


def interrupt():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_ends_an_evaluation_at_once(stop):
    stop.at_once = False
    with pytest.raises(Stopped):
        stopping.Stoppable(Evaluator(interrupt), stop).scores_of(iter("ab"))
    assert stop.asked()


def test_a_signal_during_training_waits_for_the_end_of_the_iteration(stop):
    stop.at_once = False
    interrupt()
    assert stop.asked()
    with pytest.raises(Stopped):
        stopping.Stoppable(Evaluator(), stop).scores_of(iter("ab"))


def test_an_evaluation_notices_that_the_parent_is_gone(stop):
    stop.at_once = False
    assert stopping.Stoppable(Evaluator(), stop).scores_of(iter("ab")) == {"seen": {"batches": 2}}
    assert not stop.at_once
    stop._parent = os.getpid()  # any process but the one that started this one
    with pytest.raises(Stopped):
        stopping.Stoppable(Evaluator(), stop).scores_of(iter("ab"))


# --- Training data ------------------------------------------------------------------------------------


def digits():
    return {"name": "digits", "digest": data.info("digits").digest}


@pytest.mark.parametrize("n", [0, 7])
def test_an_experiment_gets_the_images_it_is_trained_on(n):
    everything = data.load("digits", "train")
    experiment = dataclasses.replace(sngan.DIGITS, train_images=n, classes=10)
    images, labels = inputs.training_data(digits(), experiment)
    assert images.shape[1:] == experiment.image_shape
    assert torch.equal(images[:, :, 2:-2, 2:-2], everything[: n or None])
    assert torch.equal(labels, data.load_labels("digits", "train")[: n or None])


def test_images_of_the_right_size_are_not_copied(monkeypatch):
    known = data.load("digits", "train")
    monkeypatch.setattr(data, "load", lambda name, split: known)
    images, labels = inputs.training_data(digits(), gan.DIGITS)
    assert images.data_ptr() == known.data_ptr()
    assert labels is None


def test_data_that_are_not_those_of_the_plan_are_refused():
    with pytest.raises(UserError, match="the data changed after this run was planned"):
        inputs.training_data({"name": "digits", "digest": "0" * 64}, gan.DIGITS)
