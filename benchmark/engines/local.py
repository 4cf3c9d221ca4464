"""The local engine: child processes on this machine, a fixed number at a time. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol

from benchmark import atomic, store, worker
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmark.plan import PlannedRun

_POLL_S = 0.1
_GRACE_S = 60.0
"""How long a child may take to write its checkpoint when stopped."""


class Display(Protocol):
    """Shows what the engine does; see `benchmark.cli.progress`."""

    def started(self, run: PlannedRun) -> None:
        """The child process of the run was started."""

    def progressed(self, run: PlannedRun, progress: dict[str, Any]) -> None:
        """Called at every poll with the content of `progress.json`, empty before there is one."""

    def ended(self, run: PlannedRun, state: store.RunState) -> None:
        """The child process is over; `state` is what its directory tells."""


@dataclass
class _Child:
    run: PlannedRun
    process: subprocess.Popen[bytes]
    log: IO[bytes]


class Interrupted(Exception):
    """The user stopped the suite; every child has written its checkpoint or was killed."""


def default_jobs(device: str) -> int:
    """Runs at a time: one per core on the CPU (each uses one thread), one on a GPU."""
    if device != "cpu":
        return 1
    # macOS has no affinity to ask for.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def execute(
    runs: Sequence[PlannedRun],
    *,
    jobs: int,
    launch: dict[str, Any],
    display: Display,
    fail_fast: bool = False,
) -> None:
    """Run everything, `jobs` at a time, in the order given; what came of each is in its directory.

    Args:
        runs: runs without a record.
        jobs: children at a time.
        launch: `provenance.launch` of this command, passed on to the records.
        display: told of every change.
        fail_fast: after the first failure start no more, and stop those that run.

    Raises:
        Interrupted: on Ctrl-C or SIGTERM, after the children have stopped.

    """
    waiting, children = deque(runs), list[_Child]()
    environment = {
        **numerics.child_environment(),
        worker.LAUNCH_VARIABLE: json.dumps(launch),
    }
    previous = signal.signal(signal.SIGTERM, _raise_interrupt)
    try:
        while waiting or children:
            while waiting and len(children) < jobs:
                children.append(_start(waiting.popleft(), environment))
                display.started(children[-1].run)
            time.sleep(_POLL_S)
            for child in list(children):
                if child.process.poll() is None:
                    display.progressed(child.run, _progress(child.run.directory))
                    continue
                children.remove(child)
                state = _ended(child)
                display.ended(child.run, state)
                if fail_fast and state.name == "failed":
                    waiting.clear()
                    _stop(children, display)
                    break
    except KeyboardInterrupt:
        _stop(children, display)
        raise Interrupted from None
    finally:
        signal.signal(signal.SIGTERM, previous)
        for child in children:
            child.process.kill()


def _start(run: PlannedRun, environment: dict[str, str]) -> _Child:
    run.directory.mkdir(parents=True, exist_ok=True)
    if store.read_spec(run.directory) != run.spec:
        atomic.write_json(run.directory / "spec.json", run.spec)
    log = (run.directory / "worker.log").open("ab")
    # A session of its own: Ctrl-C in the terminal reaches this process only, which then stops the children.
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark.worker", str(run.directory)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    return _Child(run, process, log)


def _ended(child: _Child) -> store.RunState:
    """State after a child's exit; a death that the child could not report itself is written down here."""
    child.log.close()
    code = child.process.returncode
    directory = child.run.directory
    log = directory / "worker.log"
    if log.exists() and not log.stat().st_size:
        log.unlink()
    if code in (0, worker.STOPPED):
        return store.state(directory)
    if code == worker.BUSY:
        return store.RunState("running", reason="another process is working on it")
    if store.last_event(directory).get("event") != "failed":
        reason = (
            f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}, see worker.log"
        )
        line = json.dumps({"event": "failed", "utc": worker.now_utc(), "reason": reason})
        with (directory / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    return store.state(directory)


def _stop(children: list[_Child], display: Display) -> None:
    """Ask every child to write a checkpoint and exit; kill those that do not within the grace period."""
    for child in children:
        child.process.terminate()
    deadline = time.monotonic() + _GRACE_S
    try:
        for child in children:
            child.process.wait(max(0.0, deadline - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        for child in children:
            child.process.kill()
            child.process.wait()
    for child in children:
        child.log.close()
        display.ended(child.run, store.state(child.run.directory))
    children.clear()


def _progress(directory: Path) -> dict[str, Any]:
    try:
        progress = json.loads((directory / "progress.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return progress if isinstance(progress, dict) else {}


def _raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt
