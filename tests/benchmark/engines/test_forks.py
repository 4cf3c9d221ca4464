"""Runs that are forked from a server: the same bits and the same fate as with a process of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.engines import base, forks, local, queue, worker
from benchmark.records import record, store
from benchmark.records.devices import Choice
from benchmark.suites import Suite, plan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="a subreaper is Linux's"),
]
SUITE = Suite("forked", "", ("dcgan/digits",), (0, 1, 2), 6, 3, ("digits-2k",))
ENDLESS = Suite("forked", "", ("gan/digits",), (0, 1, 2), 10**6, 10**6, ())


class Quiet:
    """A display that keeps the ends, and acts on progress as it is told."""

    def __init__(self, act=lambda run: None):
        self.ends, self.act = {}, act

    def started(self, run):
        pass

    def progressed(self, run, progress):
        if progress.get("phase") == "train" and progress["gen_iters"]:
            self.act(run)

    def postponed(self, run):
        pass

    def remarked(self, run, remark):
        pass

    def ended(self, run, state):
        self.ends[run.seed] = state.text()


@pytest.fixture
def engine():
    made = local.Engine([base.Slot()], Choice("cpu"), {}, {})
    yield made
    made.kill()


def bits(folder, seed):
    (found,) = [r for r in store.records_below(folder)[0] if r.record["seed"] == seed]
    return json.dumps(record.comparable_part(found.record), sort_keys=True)


def test_forked_runs_have_the_bits_of_runs_with_a_process_of_their_own(tmp_path, engine):
    plain = local.Engine([base.Slot()], Choice("cpu"), {}, {})
    plain._forks.given_up = True
    for name, one in (("forked", engine), ("plain", plain)):
        shown = Quiet()
        queue.execute(plan.plan(SUITE, tmp_path / name, "cpu"), one, display=shown)
        assert shown.ends == dict.fromkeys(SUITE.seeds, "done")
    assert engine._forks._ready
    for seed in SUITE.seeds:
        assert bits(tmp_path / "forked", seed) == bits(tmp_path / "plain", seed)
    own = store.records_below(tmp_path / "forked")[0][0].record["provenance"]
    assert own["determinism"]["num_threads"] == 1
    assert not list(tmp_path.rglob("worker.log"))


def test_a_child_is_the_engines_and_its_server_may_die(tmp_path, engine):
    killed = []

    def act(run):
        (child,) = engine._children
        assert isinstance(child.process, forks.Forked)
        status = Path("/proc", str(child.process.pid), "status").read_text()
        assert f"PPid:\t{os.getpid()}\n" in status
        assert os.getsid(child.process.pid) == child.process.pid
        if not killed:
            killed.append(engine._forks._server.pid)
            os.kill(killed[0], signal.SIGKILL)
        child.process.kill()

    shown = Quiet(act)
    with pytest.raises(AssertionError):  # the next run has a process of its own
        queue.execute(plan.plan(ENDLESS, tmp_path, "cpu"), engine, display=shown)
    assert shown.ends == {0: "failed: killed by SIGKILL"}
    (child,) = engine._children
    assert isinstance(child.process, subprocess.Popen)
    assert engine._forks.given_up


def test_ctrl_c_leaves_a_checkpoint_and_no_process(tmp_path, engine):
    pids = []

    def act(run):
        if not pids:
            pids.extend(child.process.pid for child in engine._children)
            pids.append(engine._forks._server.pid)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    shown = Quiet(act)
    try:
        with pytest.raises(base.Interrupted):
            queue.execute(plan.plan(ENDLESS, tmp_path, "cpu"), engine, display=shown)
    finally:
        signal.signal(signal.SIGINT, before)
    (directory,) = {r.directory for r in plan.plan(ENDLESS, tmp_path, "cpu") if r.directory.exists()}
    assert store.state(directory).name == "interrupted"
    assert store.checkpointed(directory) > 0
    engine.kill()
    assert not any(Path("/proc", str(pid)).exists() for pid in pids)


COMMAND = """
import sys
from pathlib import Path
from benchmark.engines import base, local, queue
from benchmark.records.devices import Choice
from benchmark.suites import Suite, plan
from test_forks import ENDLESS, Quiet
def act(run):
    (child,) = engine._children
    print(child.process.pid, engine._forks._server.pid, flush=True)
engine = local.Engine([base.Slot()], Choice("cpu"), {}, {})
queue.execute(plan.plan(ENDLESS, Path(sys.argv[1]), "cpu"), engine, display=Quiet(act))
"""


def test_a_command_that_is_killed_takes_child_and_server_with_it(tmp_path, wait, begin):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, "-c", COMMAND, str(tmp_path)]
    process = begin(command, stdout=subprocess.PIPE, text=True, env=environment)
    child, server = map(int, process.stdout.readline().split())
    process.kill()
    process.wait()
    wait(lambda: not any(Path("/proc", str(pid)).exists() for pid in (child, server)))
    (run,) = [r for r in plan.plan(ENDLESS, tmp_path, "cpu") if r.directory.exists()]
    assert store.state(run.directory).name == "interrupted"
    assert store.checkpointed(run.directory) > 0


def test_a_server_that_does_not_come_up_is_given_up(tmp_path, engine, monkeypatch):
    monkeypatch.setattr(forks, "parent", type("Nobody", (), {"announced": lambda: {"GANBENCH_PARENT": "1"}}))
    shown = Quiet()
    queue.execute(plan.plan(SUITE, tmp_path, "cpu")[:2], engine, display=shown)
    assert shown.ends == {0: "done", 1: "done"}
    assert engine._forks.given_up


def test_a_single_run_has_a_process_of_its_own(tmp_path, engine):
    kinds = []
    shown = Quiet(lambda run: kinds.extend(type(child.process) for child in engine._children))
    queue.execute(plan.plan(SUITE, tmp_path, "cpu")[:1], engine, display=shown)
    assert shown.ends == {0: "done"}
    assert engine._forks._server is None
    assert set(kinds) <= {subprocess.Popen}


def test_a_log_that_cannot_be_opened_is_an_exit_code(tmp_path, engine, wait):
    engine._forks.start()
    wait(lambda: not engine._forks.is_loading)
    child = engine._forks.child(tmp_path / "nothing", {}, dict(os.environ))
    assert child.wait() == worker.UNWRITABLE + 2
    with pytest.raises(subprocess.TimeoutExpired):
        engine._forks.child(tmp_path, {}, dict(os.environ)).wait(0)
