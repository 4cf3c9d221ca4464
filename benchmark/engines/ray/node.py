"""What the Ray engine does on a machine of the cluster: a child process per run, in a folder that is swept.

Nothing here knows Ray or needs a file of the driver's: runs come and go as names and bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmark.engines import parent, spawn, worker
from benchmark.engines.forks import Forks
from benchmark.engines.ray import files
from benchmark.records import environment, locks, places
from benchmark.training import numerics

GRACE_S = 60.0
"""How long a child may take to write its checkpoint when stopped."""
_PID = "pid"
_DESCRIBE = (
    "import json; from benchmark.records.environment import describe; print(json.dumps(describe('cuda')))"
)


@dataclass(frozen=True)
class Order:
    """A run for a seat.

    Attributes:
        place: of the run directory in a results folder.
        files: content of the run directory, and of that of the run it starts from, by place.
        device: on which it is computed, as its spec has it.
        share: of its GPU that the run may count on.
        launch: `provenance.launch` for its record.
        cadence: fields of `trainer.Cadence`.

    """

    place: str
    files: dict[str, dict[str, bytes]]
    device: str
    share: float
    launch: dict[str, Any]
    cadence: dict[str, float]


@dataclass(frozen=True)
class News:
    """What a run's process did since the last news.

    Attributes:
        files: that it changed.
        there: names of all files of the run directory.
        code: its exit code; None while it runs.

    """

    files: dict[str, bytes]
    there: set[str]
    code: int | None


class Seat:
    """A place for one run at a time; the driver has an actor of it."""

    def __init__(self, driver: str, variables: dict[str, str]) -> None:
        """Make a folder of its own, and sweep those of seats that are gone.

        Args:
            driver: name of the folder of all seats of a driver.
            variables: of the driver's environment, for those that this machine does not have.

        """
        for name, value in variables.items():
            os.environ.setdefault(name, value)
        sweep()
        self._held = ExitStack()
        with locks.hold(scratch(), lambda: None):
            (scratch() / driver).mkdir(exist_ok=True)
            self._folder = Path(mkdtemp(prefix="seat-", dir=scratch() / driver))
            self._held.enter_context(locks.hold(self._folder))
        self._child: spawn.Process | None = None
        self._kill_at = float("inf")
        self._forks, self._had_one = Forks(), False

    def describe(self, kind: str) -> dict[str, Any]:
        """The environment of runs here. A process of its own asks a GPU, whose memory it would keep."""
        if kind == "cpu":
            return environment.describe(kind)
        done = subprocess.run(
            parent.python("-c", _DESCRIBE),
            env={**numerics.child_environment(), **parent.announced()},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OSError(done.stderr.strip().rpartition("\n")[2])
        return dict(json.loads(done.stdout))

    def begin(self, order: Order) -> None:
        """Start the run's process."""
        self._clear()
        for place, content in order.files.items():
            files.unpack(content, self._folder / place)
        directory = self._folder / order.place
        self._watch = files.Watch(directory)
        variables = {**spawn.environment(order.launch, order.share), worker.FETCH_VARIABLE: "1"}
        self._child = spawn.process(directory, order.cadence, variables, self._ready_forks(order.device))
        (self._folder / _PID).write_text(f"{self._child.pid} {_since(self._child.pid)}")

    def _ready_forks(self, device: str) -> Forks | None:
        """As on one machine, runs on a CPU after the first are forked from one that has imported torch."""
        if not self._had_one or device != "cpu":
            self._had_one = True
            return None
        self._forks.start()
        while self._forks.is_loading:
            time.sleep(0.05)
        return self._forks

    def news(self, wait_s: float, *, stop: bool = False) -> News:
        """What is new after so many seconds, or when the process ends; once told to, it is stopped."""
        assert self._child is not None
        if stop and self._kill_at == float("inf"):
            self._child.terminate()
            self._kill_at = time.monotonic() + GRACE_S
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(wait_s)
        if time.monotonic() > self._kill_at:
            self._child.kill()
            self._child.wait()
        code = self._child.poll()
        changed, there = self._watch.changed()
        return News(changed, there, code)

    def leave(self) -> None:
        """Remove the folder; this seat takes no more runs."""
        self._clear()
        self._forks.close()
        self._held.close()
        sweep()

    def _clear(self) -> None:
        """Remove the last run."""
        if self._child and self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self._child, self._kill_at = None, float("inf")
        (self._folder / _PID).unlink(missing_ok=True)
        shutil.rmtree(self._folder / "runs", ignore_errors=True)


def scratch() -> Path:
    """Folder of all seats of this user on this machine, which other users cannot enter."""
    folder = places.temporary() / "ray"
    folder.mkdir(exist_ok=True)
    return folder


def sweep() -> None:
    """Remove what seats left that are gone, and end their runs' processes, whichever driver they had."""
    with locks.hold(scratch(), lambda: None):
        for seat in scratch().glob("*/seat-*"):
            if locks.is_held(seat):
                continue
            for lock in seat.rglob("runs/**/.lock"):
                _end(seat, lock.parent)
            shutil.rmtree(seat, ignore_errors=True)
            with suppress(OSError):  # other seats are there
                seat.parent.rmdir()


def clear(driver: str) -> None:
    """`sweep`, once the last seats of a driver that ends are gone."""
    deadline = time.monotonic() + GRACE_S / 2
    sweep()
    while (scratch() / driver).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
        sweep()


def _end(seat: Path, directory: Path) -> None:
    """Kill the process of a run whose seat is gone, unless its number is another process's by now."""
    with suppress(OSError, ValueError):
        pid, since = map(int, (seat / _PID).read_text().split())
        while locks.is_held(directory) and since and _since(pid) == since:
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def _since(pid: int) -> int:
    """When a process started, in the clock ticks of /proc; 0 where that is not known."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    except OSError:
        return 0
