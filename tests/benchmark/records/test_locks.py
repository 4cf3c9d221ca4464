"""The lock of a folder: one holder, who loses it by dying; looking at it disturbs nobody."""

import fcntl
import os
import subprocess
import sys
import textwrap
import threading

import pytest
from filelock import Timeout

from benchmark.records import locks

HOLD = """
    import sys
    from pathlib import Path
    from benchmark.records import locks
    with locks.hold(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path`."""
    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_one_process_holds_it_until_it_is_killed(tmp_path, holder):
    assert locks.is_held(tmp_path)
    with pytest.raises(Timeout), locks.hold(tmp_path):
        pass
    holder.kill()
    holder.wait()
    assert not locks.is_held(tmp_path)
    with locks.hold(tmp_path):
        assert locks.is_held(tmp_path)
    assert not locks.is_held(tmp_path)


def test_who_wants_to_wait_says_so_and_waits(tmp_path, holder):
    told = []

    def waiting():
        told.append("waiting")
        holder.stdin.close()  # lets the other end

    with locks.hold(tmp_path, waiting):
        assert told == ["waiting"]
        assert holder.wait() == 0


def test_those_who_look_turn_nobody_away_and_do_not_see_each_other(tmp_path):
    """`ganbench status` holds the lock for an instant, in which a run may want to start."""
    (tmp_path / ".lock").touch()
    with (tmp_path / ".lock").open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not locks.is_held(tmp_path)
        threading.Timer(0.1, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        with locks.hold(tmp_path):
            assert locks.is_held(tmp_path)


def test_many_looks_at_once_let_every_start_through(tmp_path):
    """Nobody is ever told that the folder is in use while others only look."""
    stop = threading.Event()

    def look():
        while not stop.is_set():
            locks.is_held(tmp_path)

    lookers = [threading.Thread(target=look) for _ in range(4)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(50):
            with locks.hold(tmp_path):
                pass
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_looking_creates_nothing_and_needs_no_right_to_write(tmp_path):
    assert not locks.is_held(tmp_path)
    assert not locks.is_held(tmp_path / "missing")
    assert not list(tmp_path.iterdir())
    with locks.hold(tmp_path):
        (tmp_path / ".lock").chmod(0o400)
        tmp_path.chmod(0o500)
        assert locks.is_held(tmp_path)
    tmp_path.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_cannot_be_held(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError), locks.hold(tmp_path):
        pass
    tmp_path.chmod(0o700)
