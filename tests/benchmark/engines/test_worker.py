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
from benchmark.engines import worker
from benchmark.errors import UserError
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


def work(directory):
    return subprocess.run(
        [sys.executable, "-m", "benchmark.engines.worker", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_directory_without_spec_is_refused(tmp_path):
    done = work(tmp_path)
    assert done.returncode == 1
    assert "no readable spec.json" in done.stderr


def test_a_directory_in_use_is_left_alone(planned):
    with locks.hold(planned.directory):
        assert work(planned.directory).returncode == worker.BUSY
    assert not (planned.directory / "events.jsonl").exists()


def test_code_that_changed_after_planning_fails_the_run(planned):
    spec = {**planned.spec, "sources": {**planned.spec["sources"], "baselines.gan": "0" * 64}}
    (planned.directory / "spec.json").write_text(json.dumps(spec))
    assert work(planned.directory).returncode == 1
    assert store.state(planned.directory).reason.startswith("the code changed after this run was planned")


def test_a_run_stops_with_a_checkpoint_when_its_parent_is_gone(planned, wait):
    module = "'-m', 'benchmark.engines.worker'"
    code = f"import subprocess, sys; subprocess.run([sys.executable, {module}, sys.argv[1]])"
    parent = subprocess.Popen([sys.executable, "-c", code, str(planned.directory)])
    wait(lambda: store.state(planned.directory).gen_iters > 2)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait(lambda: not locks.is_held(planned.directory))
    state = store.state(planned.directory)
    assert state.name == "interrupted"
    assert state.gen_iters > 2
    assert store.last_event(planned.directory)["event"] == "interrupted"


# --- Training data ------------------------------------------------------------------------------------


def digits():
    return {"name": "digits", "digest": data.info("digits").digest}


@pytest.mark.parametrize("n", [0, 7])
def test_an_experiment_gets_the_images_it_is_trained_on(n):
    everything = data.load("digits", "train")
    experiment = dataclasses.replace(sngan.DIGITS, train_images=n, classes=10)
    images, labels = worker.training_data(digits(), experiment)
    assert images.shape[1:] == experiment.image_shape
    assert torch.equal(images[:, :, 2:-2, 2:-2], everything[: n or None])
    assert torch.equal(labels, data.load_labels("digits", "train")[: n or None])


def test_images_of_the_right_size_are_not_copied(monkeypatch):
    known = data.load("digits", "train")
    monkeypatch.setattr(data, "load", lambda name, split: known)
    images, labels = worker.training_data(digits(), gan.DIGITS)
    assert images.data_ptr() == known.data_ptr()
    assert labels is None


def test_data_that_are_not_those_of_the_plan_are_refused():
    with pytest.raises(UserError, match="the data changed after this run was planned"):
        worker.training_data({"name": "digits", "digest": "0" * 64}, gan.DIGITS)
