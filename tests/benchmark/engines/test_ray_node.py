"""What the Ray engine does on a machine, without Ray: files there and back, stopping, sweeping."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.engines.forks import Forked
from benchmark.engines.ray import files, node
from benchmark.records import environment, locks, places

PLACE = "runs/gan/digits/0123456789ab-01234567"
FILES = {"spec.json": b"{}", "checkpoints/000000003.safetensors": b"three", "events.jsonl": b"{}\n"}
ENDLESS = "while :; do sleep 0.02; done"


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(node, "scratch", lambda: tmp_path / "scratch")
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def seat(scratch, tmp_path, monkeypatch):
    """A seat whose runs' processes do what a script says; `$3` is the run directory."""

    def make(script="", variables=()):
        interpreter = tmp_path / "python"
        interpreter.write_text(f"#!/bin/sh\nshift\n{script}\n")
        interpreter.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(interpreter))
        made.append(node.Seat("driver-of-test", dict(variables)))
        return made[-1]

    made = []
    yield make
    for each in made:
        each.leave()


def order(device="cuda", **more):
    return node.Order(PLACE, {PLACE: FILES, **more}, device, 0.5, {"argv": ["ganbench"]}, {"wall_s": 7})


def test_a_runs_process_gets_its_files_and_environment_and_what_it_changes_comes_back(seat):
    script = """env >"$3/environment"; echo "$4" >"$3/checkpoints/000000005.safetensors"
    rm "$3/checkpoints/000000003.safetensors"; cat "$3/../before/record.json"; exit 1"""
    before = {str(Path(PLACE).with_name("before")): {"record.json": b"finished"}}
    one = seat(script)
    one.begin(order(**before))
    news = one.news(60.0)
    assert news.code == 1
    assert news.there == {"spec.json", "events.jsonl", "environment", "worker.log"} | {
        "checkpoints/000000005.safetensors"
    }
    assert news.files.keys() == {"environment", "worker.log", "checkpoints/000000005.safetensors"}
    assert news.files["worker.log"] == b"finished"
    assert json.loads(news.files["checkpoints/000000005.safetensors"]) == {"wall_s": 7}
    lines = dict(line.split("=", 1) for line in news.files["environment"].decode().splitlines())
    assert lines["OMP_NUM_THREADS"] == lines["MKL_NUM_THREADS"] == "1"
    assert (lines["GANBENCH_GPU_SHARE"], lines["GANBENCH_FETCH"]) == ("0.5", "1")
    assert json.loads(lines["GANBENCH_LAUNCH"]) == {"argv": ["ganbench"]}
    assert one.news(0.0).files == {}


def test_a_seat_takes_one_run_after_another_and_keeps_nothing(seat, scratch):
    one = seat('test ! -e "$3/left" && touch "$3/left"')
    for _ in range(2):
        one.begin(order())
        assert one.news(60.0).code == 0
    one.leave()
    assert list(scratch.glob("*/*")) == []


def test_the_process_is_asked_to_stop_and_killed_after_the_grace_period(seat, monkeypatch, wait):
    one = seat(f'trap "echo stopped; exit 75" TERM; touch "$3/ready"; {ENDLESS}')
    one.begin(order())
    wait(lambda: "ready" in one.news(0.01).there)
    news = one.news(60.0, stop=True)
    assert (news.code, news.files["worker.log"]) == (75, b"stopped\n")

    monkeypatch.setattr(node, "GRACE_S", 0.0)
    one = seat(f'trap "" TERM; touch "$3/ready"; {ENDLESS}')
    one.begin(order())
    wait(lambda: "ready" in one.news(0.01).there)
    wait(lambda: one.news(0.01, stop=True).code == -signal.SIGKILL)


def test_the_environment_of_the_machine_wins_over_the_drivers(seat, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA_DIR", "/of/the/machine")
    monkeypatch.delenv("GANBENCH_OFFLINE", raising=False)
    one = seat(
        'env >"$3/environment"', {"GANBENCH_DATA_DIR": "/of/the/driver", "GANBENCH_OFFLINE": "1"}.items()
    )
    one.begin(order())
    lines = one.news(60.0).files["environment"].decode().splitlines()
    assert {"GANBENCH_DATA_DIR=/of/the/machine", "GANBENCH_OFFLINE=1"} <= set(lines)
    monkeypatch.delenv("GANBENCH_OFFLINE")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_runs_on_a_cpu_after_the_first_are_forked(scratch, device):
    """Each is a whole worker, which says what is wrong with its directory."""
    one = node.Seat("driver-of-test", {})
    for n in range(3):
        one.begin(order(device))
        assert isinstance(one._child, Forked) is (device == "cpu" and n > 0)
        pid, since = map(int, (one._folder / "pid").read_text().split())
        assert (pid, since) == (one._child.pid, node._since(pid))
        assert since > 0
        news = one.news(900.0)
        assert news.code == 1
        assert b"spec.json" in news.files["worker.log"]
    one.leave()


@pytest.mark.slow
def test_the_process_that_forks_is_ended_with_its_seat(scratch):
    one = node.Seat("driver-of-test", {})
    for _ in range(2):
        one.begin(order("cpu"))
        one.news(900.0)
    server = one._forks._server
    one.leave()
    assert server.poll() is not None
    assert not list(scratch.glob("driver-of-test/seat-*"))


LOST_SEAT = """
import os, sys, time
from pathlib import Path
from benchmark.engines.ray import node
node.scratch = lambda: Path(sys.argv[1])
seat = node.Seat("driver-lost", {{}})
sys.executable = sys.argv[2]
seat.begin(node.Order({place!r}, {{{place!r}: {{"spec.json": b""}}}}, "cuda", 1.0, {{}}, {{}}))
while not seat.news(0.05).there >= {{"ready"}}:
    pass
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_seat_left_is_swept_and_its_process_ended(scratch, tmp_path, seat):
    """The run's process ignores that its seat is gone, and holds the lock of its run directory."""
    interpreter = tmp_path / "deaf"
    holds = (
        "import fcntl, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "lock = open(sys.argv[3] + '/.lock', 'a'); fcntl.flock(lock, 2); "
        "open(sys.argv[3] + '/ready', 'w'); time.sleep(9000)"
    )
    interpreter.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "{holds}" "$@"\n')
    interpreter.chmod(0o700)
    command = [sys.executable, "-c", LOST_SEAT.format(place=PLACE), str(scratch), str(interpreter)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (directory,) = scratch.glob(f"driver-lost/seat-*/{PLACE}")
    assert locks.is_held(directory)
    pid, _ = map(int, (directory.parents[3] / "pid").read_text().split())
    other = seat()
    assert not (scratch / "driver-lost").exists()
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()
    assert len(list(scratch.glob("driver-of-test/seat-*"))) == 1  # the living are left alone
    other.leave()


def test_a_number_that_is_another_process_now_is_not_killed(scratch, begin):
    bystander = begin(["sleep", "9000"])
    directory = scratch / "driver-x" / "seat-y" / PLACE
    directory.mkdir(parents=True)
    (directory.parents[3] / "pid").write_text(f"{bystander.pid} {node._since(bystander.pid) - 1}")
    with locks.hold(directory):
        node.sweep()
    assert bystander.poll() is None


def test_clearing_waits_for_the_drivers_last_seats(scratch, seat):
    node.clear("driver-of-test")
    one = seat()
    one.leave()
    node.clear("driver-of-test")
    assert not (scratch / "driver-of-test").exists()


def test_scratch_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert node.scratch() == tmp_path / f"ganbench-{os.getuid()}" / "ray"
    assert places.temporary().stat().st_mode & 0o777 == 0o700


def test_the_environment_is_described_without_torch_on_a_cpu(seat):
    assert seat("exit 1").describe("cpu") == environment.describe("cpu")


def test_a_machine_whose_gpu_cannot_be_asked_says_why(seat):
    one = seat("echo Traceback >&2; echo 'UserError: torch finds no CUDA device' >&2; exit 1")
    with pytest.raises(OSError, match=r"^UserError: torch finds no CUDA device$"):
        one.describe("cuda")


def test_files_go_there_and_back(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    files.unpack(FILES, here)
    (here / ".lock").touch()
    assert files.packed(here) == FILES
    files.unpack(files.packed(here), there)
    watch = files.Watch(there)
    assert watch.changed() == ({}, set(FILES))
    (there / "checkpoints" / "000000003.safetensors").unlink()
    (there / "checkpoints" / "000000004.safetensors").write_bytes(b"four")
    (there / "events.jsonl").write_bytes(b"{}\n{}\n")
    (there / "progress.json").write_bytes(b"{}")
    (there / "record.json").write_bytes(b"{}")
    changed, names = watch.changed()
    assert next(iter(changed)) == "events.jsonl"
    files.unpack(changed, here, names)
    assert files.packed(here) == files.packed(there)
    (there / "progress.json").unlink()
    changed, names = watch.changed()
    files.unpack(changed, here, names)
    assert files.packed(here) == files.packed(there)
