"""The Ray engine's side at the command, with a stand-in for Ray that does each call when it is waited for."""

import fcntl
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark.engines import base, queue, worker
from benchmark.engines.ray import cluster, driver, node
from benchmark.errors import UserError
from benchmark.records import environment, identity, store
from benchmark.records.devices import Choice
from benchmark.suites import Suite, plan

SUITE = Suite("mine", "", ("gan/digits",), (0, 1, 2), 20, 10, ("digits-2k",))
ACCEPTED = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
RECORD = json.dumps(json.loads(ACCEPTED.read_text(encoding="utf-8"))["records"][0])
FINISH = f"""cat >"$3/record.json" <<'END'\n{RECORD}\nEND\n"""


class Lost(Exception):
    """As Ray's `RayError`."""


class Call:
    def __init__(self, actor, method, arguments, options):
        self.actor, self.method, self.arguments, self.options = actor, method, arguments, options

    def do(self):
        if self.actor.dead or self.actor.ray.losing(self.method):
            self.actor.dead = True
            self.value = Lost("gone")
            return
        self.actor.ray.calls.append(self.method)
        self.actor.ray.orders += [x for x in self.arguments if isinstance(x, node.Order)]
        self.value = getattr(self.actor.seat, self.method)(*self.arguments, **self.options)


class Actor:
    """Calls go through its attributes, as in Ray."""

    def __init__(self, ray, options, seat):
        self.ray, self.options, self.seat, self.dead = ray, options, seat, False

    def __getattr__(self, method):
        def remote(*arguments, **options):
            call = Call(self, method, arguments, options)
            if method == "leave":  # nobody waits for it
                call.do()
            return call

        return SimpleNamespace(remote=remote)


class Ray:
    """Stands in for the module."""

    def __init__(self):
        self.exceptions = SimpleNamespace(RayError=Lost)
        strategies = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda *_, **__: None)
        self.util = SimpleNamespace(scheduling_strategies=strategies)
        self.machines = [{"Alive": True, "NodeID": "1", "Resources": {"CPU": 2.0, "GPU": 2.0}}]
        self.calls, self.orders, self.actors, self.losing = [], [], [], lambda method: False

    def nodes(self):
        return self.machines

    def cluster_resources(self):
        return self.machines[0]["Resources"]

    def remote(self, seat=None, **_):
        if seat is None:
            return lambda function: SimpleNamespace(options=lambda **_: SimpleNamespace(remote=function))

        def make(options, *arguments):
            self.actors.append(Actor(self, options, seat(*arguments)))
            return self.actors[-1]

        return SimpleNamespace(
            options=lambda **options: SimpleNamespace(remote=lambda *arguments: make(options, *arguments))
        )

    def wait(self, calls, num_returns, timeout):
        if num_returns == len(calls) and timeout == 0:  # the engine's second call
            for call in calls:
                call.do()
        return calls, []

    def get(self, call):
        if isinstance(call.value, Exception):
            raise call.value
        return call.value

    def kill(self, actor):
        actor.dead = True
        actor.seat.leave()


class Screen:
    def __init__(self):
        self.told, self.ends = [], {}

    def started(self, run):
        self.told.append(("started", run.seed, run.directory.name))

    def progressed(self, run, progress):
        if progress:
            self.told.append(("progressed", run.seed))

    def postponed(self, run):
        self.told.append(("postponed", run.seed))

    def remarked(self, run, remark):
        self.told.append(("remarked", run.seed, remark))

    def ended(self, run, state):
        self.ends[run.seed] = state.text()

    def remarks(self):
        return [told[2] for told in self.told if told[0] == "remarked"]


@pytest.fixture(autouse=True)
def _ctrl_c():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def ray():
    return Ray()


@pytest.fixture
def execute(tmp_path, monkeypatch, ray):
    """Execute the first runs of the suite, one per script; a script gets the worker's arguments."""
    monkeypatch.setattr(driver, "_WAIT_S", 0.01)
    monkeypatch.setattr(node, "scratch", lambda: tmp_path / "scratch")
    (tmp_path / "scratch").mkdir()

    def execute(*scripts, choice="cpu", **wish):
        runs = plan.plan(SUITE, tmp_path / "out", "cpu", elsewhere=True)[: len(scripts)]
        interpreter = tmp_path / "python"
        cases = "".join(
            f"*{run.directory.name}*)\n{script}\n;;\n" for run, script in zip(runs, scripts, strict=True)
        )
        interpreter.write_text(f'#!/bin/sh\nshift\ncase "$3" in\n{cases}\nesac\n')
        interpreter.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(interpreter))
        engine = driver.Engine(ray, Choice(choice), base.Wish(launch={"argv": ["ganbench"]}, **wish))
        try:
            queue.execute(runs, engine, display=execute.screen)
        finally:
            engine.close()
        assert list((tmp_path / "scratch").glob("*/*")) == []
        return execute.screen

    execute.screen = Screen()
    execute.out = tmp_path / "out"
    return execute


def directory_of(out, seed):
    env_id = identity.env_id(environment.describe("cpu"), {})
    run = plan.plan(SUITE, out, "cpu", elsewhere=True)[seed]
    return store.run_directory(out, run.experiment, run.run_id, env_id)


def test_runs_end_where_their_environment_says_and_seats_are_used_again(execute, ray):
    screen = execute(FINISH, FINISH, FINISH)
    assert screen.ends == dict.fromkeys(range(3), "done")
    assert [told[2] for told in screen.told if told[0] == "started"] == [
        directory_of(execute.out, seed).name for seed in range(3)
    ]
    assert len(ray.actors) == 2
    assert [actor.options["num_gpus"] for actor in ray.actors] == [0, 0]
    assert ray.calls.count("describe") == 2
    assert [order.device for order in ray.orders] == ["cpu", "cpu", "cpu"]


def test_a_run_goes_on_from_what_came_back_and_its_record_says_after_what(execute, ray):
    """The first process leaves a checkpoint and is killed; the seat of the second is lost as it begins."""
    script = f"""if test -e "$3/checkpoints/000000007.safetensors"; then echo "$GANBENCH_LAUNCH" >"$3/launch"
    {FINISH}else mkdir "$3/checkpoints"; touch "$3/checkpoints/000000007.safetensors"; kill -9 $$; fi"""
    begins = []
    ray.losing = lambda method: method == "begin" and (begins.append(1) or len(begins) == 2)
    screen = execute(script)
    assert screen.ends == {0: "done"}
    assert screen.remarks() == [
        "killed by SIGKILL; it goes on elsewhere from 7",
        "its worker was lost (Lost); it goes on elsewhere from 7",
    ]
    directory = directory_of(execute.out, 0)
    after = ["killed by SIGKILL", "its worker was lost (Lost)"]
    assert json.loads((directory / "launch").read_text()) == {"argv": ["ganbench"], "retried_after": after}
    assert [e["reason"] for e in store.events(directory) if e["event"] == "lost"] == after
    assert (len(ray.actors), len(begins)) == (3, 3)


@pytest.mark.parametrize("method", ["describe", "begin", "news"])
def test_a_run_is_lost_so_often_and_no_more(method, execute, ray):
    ray.losing = lambda called: called == method
    screen = execute(FINISH)
    assert screen.ends == {0: f"failed: lost {driver.MOST_TRIES} times, at last: its worker was lost (Lost)"}
    assert len(ray.actors) == driver.MOST_TRIES


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("exit 3", "failed: exit code 3, see worker.log"),
        ("kill -SEGV $$", "failed: killed by SIGSEGV"),
        ("""echo '{"event": "failed", "reason": "no"}' >"$3/events.jsonl"; exit 1""", "failed: no"),
    ],
)
def test_a_runs_own_fault_is_not_tried_again(script, state, execute, ray):
    assert execute(script).ends == {0: state}
    assert ray.calls.count("begin") == 1


@pytest.mark.parametrize("code", [worker.STOPPED, worker.UNWRITABLE + 28])
def test_what_its_machine_did_to_a_run_is_tried_elsewhere(code, execute, ray):
    execute(f"exit {code}")
    assert ray.calls.count("begin") == driver.MOST_TRIES


def test_runs_share_gpus_but_for_one_that_was_short_of_memory(execute, ray):
    short = """echo '{"event": "failed", "reason": "out of GPU memory"}' >"$3/events.jsonl"; exit 1"""
    once = f"""echo "$GANBENCH_GPU_SHARE" >>"$3/shares"
    if test -e "$3/again"; then rm "$3/events.jsonl"; else touch "$3/again"; {short}; fi\n"""
    screen = execute(once + FINISH, FINISH, choice="cuda", gpus_per_run=0.5)
    assert screen.ends == {0: "done", 1: "done"}
    assert [actor.options["num_gpus"] for actor in ray.actors] == [0.5, 0.5, 1.0]
    directory = directory_of(execute.out, 0)
    assert (directory / "shares").read_text() == "0.5\n1.0\n"


@pytest.mark.parametrize(
    ("kind", "wish", "places"),
    [
        ("cpu", {}, 2),
        ("cuda", {}, 2),
        ("cuda", {"gpus_per_run": 0.25}, 8),
        ("cpu", {"jobs": 100}, 100),
    ],
)
def test_places_are_those_of_the_machines_that_are_there(kind, wish, places, ray):
    ray.machines.append({"Alive": False, "NodeID": "2", "Resources": {"CPU": 64.0, "GPU": 8.0}})
    assert cluster.Cluster(ray, kind, base.Wish(**wish)).places == places
    ray.machines = []
    assert cluster.Cluster(ray, kind, base.Wish(**wish)).places == wish.get("jobs", 1)


def test_ctrl_c_brings_the_checkpoint_home(execute, wait):
    script = """trap 'mkdir "$3/checkpoints"; touch "$3/checkpoints/000000005.safetensors"; exit 75' TERM
    echo '{"phase": "train", "gen_iters": 3, "budget": 20, "iters_per_s": 1}' >"$3/progress.json"
    while :; do sleep 0.02; done"""

    def interrupt():
        wait(lambda: ("progressed", 0) in execute.screen.told)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(base.Interrupted):
        execute(script)
    assert execute.screen.ends == {0: "interrupted at 5"}
    events = directory_of(execute.out, 0) / "events.jsonl"
    assert not events.exists() or "lost" not in events.read_text(encoding="utf-8")


def test_a_run_that_another_command_began_meanwhile_is_waited_for(execute, ray, wait):
    """Only a seat's answer tells in which directory the run belongs; it is taken by then."""
    directory, held = directory_of(execute.out, 0), []

    def take(method):
        if method == "describe":
            directory.mkdir(parents=True)
            held.append((directory / ".lock").open("ab"))
            fcntl.flock(held[0], fcntl.LOCK_EX)
        return False

    def finish():
        wait(execute.screen.remarks)
        (directory / "record.json").write_text(RECORD)
        held[0].close()

    ray.losing = take
    threading.Thread(target=finish, daemon=True).start()
    screen = execute("exit 1")
    assert screen.ends == {0: "done"}
    assert screen.remarks() == ["another process works on it; waiting for that"]
    assert [told[0] for told in screen.told] == ["started", "postponed", "remarked", "started"]


@pytest.mark.parametrize(
    ("asked", "gpus", "choice"),
    [
        ("auto", 1.0, Choice("cuda")),
        ("auto", 0.0, Choice("cpu", why_cpu="the Ray cluster has no GPU")),
        ("cuda", 0.0, Choice("cuda")),
        ("cpu", 1.0, Choice("cpu")),
    ],
)
def test_the_device_is_the_clusters(asked, gpus, choice, ray):
    ray.machines[0]["Resources"]["GPU"] = gpus
    assert cluster.choice(ray, asked) == choice


def test_ray_deals_out_the_gpus(ray):
    with pytest.raises(UserError, match="on a cluster, Ray chooses the GPUs"):
        cluster.choice(ray, "cuda:1")
