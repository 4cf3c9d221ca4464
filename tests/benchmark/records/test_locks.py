"""The lock of a folder: one holder, who loses it by dying; looking at it disturbs nobody."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

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


# --- File systems mounted for it: root only, skipped where mounting is refused ---------------------------


def called(*command):
    """Skips where the machine cannot do it."""
    if not shutil.which(command[0]):
        pytest.skip(f"there is no {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


def image(tmp_path, make, mib):
    """A file with a new file system."""
    file = tmp_path / "image"
    with file.open("wb") as content:
        content.truncate(mib << 20)
    called(*make, file)
    return file


@pytest.fixture(params=["ext4", "xfs", "btrfs", "tmpfs", "overlay", "nfs"])
def places(request, tmp_path):
    """Two ways to one folder of a mounted file system, as two machines have."""
    kind, here, there = request.param, tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    if kind == "nfs":
        export = tmp_path / "export"
        export.mkdir()
        if "nfs" not in Path("/proc/filesystems").read_text(encoding="ascii"):
            pytest.skip("the kernel has no NFS client")
        called("exportfs", "-o", "rw,no_root_squash,insecure", f"127.0.0.1:{export}")
        commands = [["mount", "-t", "nfs", f"127.0.0.1:{export}", at] for at in (here, there)]
    elif kind == "overlay":
        parts = {name: tmp_path / name for name in ("upper", "work", "lower")}
        base = tmp_path / "base"
        base.mkdir()
        called("mount", "-t", "tmpfs", "tmpfs", base)  # an upper layer may not be an overlay itself
        parts = {name: base / name for name in parts}
        for part in parts.values():
            part.mkdir()
        options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
        commands = [
            ["mount", "-t", "overlay", "overlay", "-o", options, here],
            ["mount", "--bind", here, there],
        ]
    elif kind == "tmpfs":
        commands = [["mount", "-t", "tmpfs", "tmpfs", here], ["mount", "--bind", here, there]]
    else:
        make, mib = {
            "ext4": (["mkfs.ext4", "-q"], 32),
            "xfs": (["mkfs.xfs", "-q"], 320),
            "btrfs": (["mkfs.btrfs", "-q"], 128),
        }[kind]
        file = image(tmp_path, make, mib)
        commands = [["mount", "-o", "loop", file, here], ["mount", "--bind", here, there]]
    try:
        for command in commands:
            called(*command)
        yield here, there
    finally:
        for at in (there, here, tmp_path / "base"):
            subprocess.run(["umount", "-l", at], capture_output=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may mount")
def test_one_process_holds_it_by_whatever_way(places):
    here, there = (place / "run" for place in places)
    here.mkdir()
    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(there)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        assert locks.is_held(here)
        with pytest.raises(Timeout), locks.hold(here):
            pass
        process.kill()
        process.wait()
    assert not locks.is_held(here)
    with locks.hold(here):
        assert locks.is_held(there)


def test_a_file_system_without_locks_is_an_error_and_no_silent_permission(tmp_path, monkeypatch):
    """NFS without its lock service answers ENOLCK; there must be no marker file in its place."""

    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(OSError, match="No locks available"), locks.hold(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir() if p.name != ".lock"] == []
