"""The local engine with children that do as a script says: order, slots, environment, failures, stopping."""

import fcntl
import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from benchmark.engines import base, local, outcome, queue, worker
from benchmark.records import locks, record, store
from benchmark.records.devices import Choice
from benchmark.suites import Suite, plan

SUITE = Suite("mine", "", ("gan/digits",), (0, 1, 2, 3), 20, 10, ("digits-2k",))
ACCEPTED = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
RECORD = json.dumps(json.loads(ACCEPTED.read_text(encoding="utf-8"))["records"][0])
FINISH = f"""cat >"$3/record.json" <<'END'\n{RECORD}\nEND\n"""
BUSY_UNTIL_STOPPED = """echo '{"gen_iters": 3}' >"$3/progress.json"; while :; do sleep 0.02; done"""
"""What the engine has seen of it (`Screen.progressed`) was written by a child that has its traps."""


@pytest.fixture(autouse=True)
def _ctrl_c():
    """Python's own handler, also where the tests run in the background of a shell, which ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Screen:
    """Remembers what it was told, in order."""

    def __init__(self):
        self.told, self.running, self.most = [], set(), 0

    def started(self, run):
        self.told.append(("started", run.seed))
        self.running.add(run.seed)
        self.most = max(self.most, len(self.running))

    def progressed(self, run, progress):
        if progress:
            self.told.append(("progressed", run.seed))
            (run.directory / "seen").touch()

    def postponed(self, run):
        self.running.discard(run.seed)
        self.told.append(("postponed", run.seed))

    def remarked(self, run, remark):
        self.told.append(("remarked", run.seed, remark))

    def ended(self, run, state):
        self.running.discard(run.seed)
        self.told.append(("ended", run.seed, state.text()))

    @property
    def ends(self):
        return dict(told[1:] for told in self.told if told[0] == "ended")


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Execute the first runs of the suite, one per script; a script gets the worker's arguments."""
    monkeypatch.setattr(local, "_POLL_S", 0.01)

    def execute(*scripts, jobs=1, slots=None, out=tmp_path / "out ü", fail_fast=False):
        runs = plan.plan(SUITE, out, "cpu")[: len(scripts)]
        interpreter = tmp_path / "python"
        cases = "".join(
            f"*{run.directory.name})\n{script}\n;;\n" for run, script in zip(runs, scripts, strict=True)
        )
        interpreter.write_text(f'#!/bin/sh\nshift\ncase "$3" in\n{cases}\nesac\n')
        interpreter.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(interpreter))
        execute.screen, execute.directories = Screen(), [run.directory for run in runs]
        engine = local.Engine(slots or [base.Slot()] * jobs, Choice("cpu"), {"argv": ["ganbench"]}, {})
        queue.execute(runs, engine, display=execute.screen, fail_fast=fail_fast)
        return execute.screen, execute.directories

    execute.screen = Screen()
    return execute


@pytest.fixture
def when(wait):
    """Act in another thread as soon as a condition holds."""

    def act(condition, action):
        wait(condition)
        action()

    return lambda *arguments: threading.Thread(target=act, args=arguments, daemon=True).start()


def test_runs_go_in_order_with_as_many_at_a_time_as_asked(execute):
    screen, _ = execute(*[f"sleep 0.1\n{FINISH}"] * 4, jobs=2)
    assert screen.most == 2
    assert [told[1] for told in screen.told if told[0] == "started"] == [0, 1, 2, 3]
    assert screen.ends == dict.fromkeys(range(4), "done")


def test_a_child_finds_its_spec_and_environment(execute, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    script = f'test -f "$3/spec.json" && env >"$3/environment" && echo said && echo "$@" >&2\n{FINISH}'
    _, (directory,) = execute(script)
    lines = dict(line.split("=", 1) for line in (directory / "environment").read_text().splitlines())
    assert lines["OMP_NUM_THREADS"] == lines["MKL_NUM_THREADS"] == lines["OPENBLAS_NUM_THREADS"] == "1"
    assert json.loads(lines[worker.LAUNCH_VARIABLE]) == {"argv": ["ganbench"]}
    assert json.loads((directory / "spec.json").read_text())["seed"] == 0
    assert (directory / "worker.log").read_text() == f"said\n-m benchmark.engines.worker {directory} {{}}\n"


def test_progress_is_passed_on_and_half_of_it_ignored(execute):
    script = f"""printf '{{"gen_' >"$3/progress.json"; sleep 0.1
    echo '{{"gen_iters": 3}}' >"$3/progress.json"; until test -e "$3/seen"; do sleep 0.02; done\n{FINISH}"""
    screen, _ = execute(script)
    assert ("progressed", 0) in screen.told


ON_A_GPU = """f="$3/gpu"; echo "$CUDA_VISIBLE_DEVICES $GANBENCH_GPU_SHARE" >>"$f"
touch "$3/../$CUDA_VISIBLE_DEVICES.$4.$$"; ls "$3/.." | grep -c "^$CUDA_VISIBLE_DEVICES\\." >"$3/beside"
sleep 0.3; rm -f "$3/../$CUDA_VISIBLE_DEVICES."*".$$"
"""
"""A child that writes down its GPU and share, and how many were on it when it began."""


def test_each_run_sees_its_own_gpu_and_all_of_them_work(execute):
    slots = [base.Slot(gpu) for gpu in ("3", "5")]
    screen, directories = execute(*[ON_A_GPU + FINISH] * 4, slots=slots)
    assert screen.most == 2
    assert sorted((d / "gpu").read_text() for d in directories) == 2 * ["3 1.0\n"] + 2 * ["5 1.0\n"]
    assert {(d / "beside").read_text() for d in directories} == {"1\n"}


def test_runs_that_share_a_gpu_are_told_so(execute):
    slots = [base.Slot(gpu, 0.5) for gpu in ("0", "1", "0", "1")]
    screen, directories = execute(*[ON_A_GPU + FINISH] * 4, slots=slots)
    assert screen.most == 4
    assert sorted((d / "gpu").read_text() for d in directories) == 2 * ["0 0.5\n"] + 2 * ["1 0.5\n"]


def test_no_run_joins_one_that_has_its_gpu_alone():
    slots = [base.Slot(gpu, 0.5) for gpu in ("0", "1")] * 2
    lonely, other = (local._Child(None, None, base.Slot("0"), None, alone=alone) for alone in (True, False))
    assert local._slot(False, slots, [lonely]).gpu == "1"
    assert local._slot(False, slots[::2], [lonely]) is None
    assert local._slot(False, slots[::2], [other]).gpu == "0"


def test_a_run_short_of_gpu_memory_is_tried_once_more_alone(execute):
    short = """echo '{"event": "failed", "reason": "out of GPU memory"}' >"$3/events.jsonl"; exit 1"""
    once = f"""if test -e "$3/again"; then echo "$GANBENCH_LAUNCH" >"$3/launch"; rm "$3/events.jsonl"
    else touch "$3/again"; {short}; fi\n"""
    slots = [base.Slot("0", 0.5)] * 2
    screen, directories = execute(
        ON_A_GPU + once + FINISH, ON_A_GPU + FINISH, ON_A_GPU + FINISH, ON_A_GPU + short, slots=slots
    )
    assert (directories[0] / "gpu").read_text() == "0 0.5\n0 1.0\n"
    assert (directories[0] / "beside").read_text() == "1\n"
    assert json.loads((directories[0] / "launch").read_text())["retried_after"] == ["out of GPU memory"]
    assert screen.ends == {0: "done", 1: "done", 2: "done", 3: "failed: out of GPU memory"}
    assert [told[1] for told in screen.told if told[0] == "remarked"] == [0, 3]


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("kill -9 $$", "failed: killed by SIGKILL"),
        ("kill -SEGV $$", "failed: killed by SIGSEGV"),
        ("exit 3", "failed: exit code 3, see worker.log"),
        (f"exit {worker.STOPPED}", "interrupted at 0"),
        (
            """echo '{"event": "failed", "reason": "no"}' >"$3/events.jsonl"; exit 1""",
            "failed: no",
        ),
        ("""printf '{"event": "cut' >"$3/events.jsonl"; kill -9 $$""", "failed: killed by SIGKILL"),
    ],
)
def test_what_came_of_a_child_is_told_and_written_down(script, state, execute):
    screen, directories = execute(script, FINISH)
    assert screen.ends == {0: state, 1: "done"}
    if state.startswith("failed"):
        assert store.state(directories[0]).text() == state


def test_the_first_failure_stops_everything_when_asked(execute):
    screen, directories = execute(
        "sleep 0.1; exit 1", "exec sleep 50", "exec sleep 50", FINISH, jobs=3, fail_fast=True
    )
    assert screen.ends == {
        0: "failed: exit code 1, see worker.log",
        1: "interrupted at 0",
        2: "interrupted at 0",
    }
    assert not directories[3].exists()


def test_a_failure_stops_nothing_otherwise(execute):
    screen, _ = execute("exit 1", FINISH, FINISH)
    assert [state.split(":")[0] for state in screen.ends.values()] == ["failed", "done", "done"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_children_and_starts_no_more(number, execute, when, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    polite = 'trap "touch \\"$3/stopped\\"; exit 75" TERM; ' + BUSY_UNTIL_STOPPED
    when(lambda: len(list(tmp_path.rglob("seen"))) == 2, lambda: os.kill(os.getpid(), number))
    with pytest.raises(base.Interrupted) as stopped:
        execute(polite, polite, FINISH, jobs=2)
    assert stopped.value.terminated == (number == signal.SIGTERM)
    assert execute.screen.ends == {0: "interrupted at 0", 1: "interrupted at 0"}
    assert all((directory / "stopped").exists() for directory in execute.directories[:2])
    assert not execute.directories[2].exists()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_child_is_started_stops_that_one_too(number, execute, monkeypatch):
    start, started = local._start, []

    def start_and_be_interrupted(*arguments):
        started.append(start(*arguments))
        os.kill(os.getpid(), number)
        return started[-1]

    monkeypatch.setattr(local, "_start", start_and_be_interrupted)
    with pytest.raises(base.Interrupted):
        execute("exec sleep 3000", FINISH)
    assert execute.screen.ends == {0: "interrupted at 0"}
    assert [process.returncode for process in started] == [-signal.SIGTERM]


def test_a_child_that_does_not_stop_is_killed_after_the_grace_period(execute, when, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_GRACE_S", 0.2)
    when(lambda: list(tmp_path.rglob("seen")), lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(base.Interrupted):
        execute('trap "" TERM; ' + BUSY_UNTIL_STOPPED)
    assert not locks.is_held(execute.directories[0])


def test_default_is_one_run_per_core_and_one_on_a_gpu():
    assert base.default_jobs("cpu") == len(os.sched_getaffinity(0))
    assert base.default_jobs("cuda") == 1


@pytest.fixture
def other_command(tmp_path):
    """Take the lock of a run directory, as the worker of another command would; released by `.close()`."""
    held = []

    def take(directory):
        directory.mkdir(parents=True)
        (directory / "spec.json").write_text("{}")
        held.append((directory / ".lock").open("ab"))
        fcntl.flock(held[-1], fcntl.LOCK_EX)
        return held[-1]

    yield take
    for file in held:
        file.close()


def test_a_run_of_another_command_is_waited_for_and_the_others_go_on(execute, other_command, when, tmp_path):
    (theirs, _) = plan.plan(SUITE, tmp_path / "out", "cpu")[:2]
    lock = other_command(theirs.directory)

    def finish():
        made = json.loads(RECORD)
        end = {"gen_iters": theirs.gen_iters}
        ids = {
            "run_id": theirs.run_id,
            "env_id": theirs.env_id,
            "spec": theirs.spec,
            "seed": theirs.seed,
            **end,
        }
        final, curve = {**made["final"], **end}, [{**made["curve"][-1], **end}]
        made |= {**ids, "experiment": "gan/digits", "baseline": "gan", "final": final, "curve": curve}
        (theirs.directory / "record.json").write_text(json.dumps(record.sealed(made)))
        lock.close()

    when(lambda: ("ended", 1, "done") in execute.screen.told, finish)
    screen, _ = execute("exit 1", FINISH, out=tmp_path / "out")
    assert screen.ends == {0: "done", 1: "done"}
    assert screen.told.index(("ended", 1, "done")) < screen.told.index(("started", 0))
    assert ("remarked", 0, "another process works on it; waiting for that") in screen.told
    assert len([told for told in screen.told if told[0] == "remarked"]) == 1


def test_a_run_that_another_command_gave_up_is_taken_over(execute, other_command, when, tmp_path):
    (theirs,) = plan.plan(SUITE, tmp_path / "out", "cpu")[:1]
    lock = other_command(theirs.directory)
    when(lambda: any(told[0] == "remarked" for told in execute.screen.told), lock.close)
    screen, _ = execute(FINISH, out=tmp_path / "out")
    assert screen.ends == {0: "done"}


def test_a_child_that_came_second_is_tried_again(execute):
    script = f"""test -f "$3/came" || {{ touch "$3/came"; exit {worker.BUSY}; }}\n{FINISH}"""
    screen, _ = execute(script)
    assert ("postponed", 0) in screen.told
    assert screen.ends == {0: "done"}


def test_what_became_of_damaged_checkpoints_is_told(execute):
    script = f"""printf '%s\\n' '{{"event": "checkpoint_unusable", "file": "3", "reason": "of yesterday"}}' \\
    '{{"event": "started"}}' '{{"event": "checkpoint_unusable", "file": "7", "reason": "7 is no file"}}' \\
    '{{"event": "resumed", "gen_iters": 4}}' >"$3/events.jsonl"\n{FINISH}"""
    screen, _ = execute(script)
    assert [told[2] for told in screen.told if told[0] == "remarked"] == [
        "checkpoint 7 is no file",
        "went on from 4",
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['{"event": "checkpoint_unusable"}'], []),
        (
            ['{"event": "checkpoint_unusable", "file": "7"}'],
            ["checkpoint 7 could not be used", "started from the beginning"],
        ),
        (['{"event": "checkpoint_unusable", "file": ["7"], "reason": 1}'], []),
        (['{"event": "checkpoint"}', '{"event": "started"}', '{"event": "resumed"}'], []),
        (['{"event": "checkpoint", "gen_iters": 9}', '{"event": "started"}'], []),
        (['{"event": "checkpoint", "file": "9"}', '{"event": "started"}'], []),
        (
            [
                '{"event": "checkpoint", "file": "9", "gen_iters": 9}',
                '{"event": "started"}',
                '{"event": "resumed"}',
            ],
            ["checkpoint 9 is missing", "started from the beginning"],
        ),
        (['{"event": "checkpoint", "file": "9", "gen_iters": "9"}', '{"event": "started"}', "[]", "x"], []),
    ],
)
def test_events_that_lack_something_tell_what_they_have(lines, says, tmp_path):
    (tmp_path / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert outcome.damages(tmp_path) == says
