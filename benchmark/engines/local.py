"""The local engine: child processes on this machine, one in each slot. No torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

from benchmark.engines import parent, worker
from benchmark.engines.base import Ended, slots
from benchmark.errors import UserError
from benchmark.records import atomic, devices, store
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmark.engines.base import Display, Slot, Wish
    from benchmark.records.devices import Choice
    from benchmark.suites.plan import PlannedRun

_POLL_S = 0.1
_GRACE_S = 60.0
"""How long a child may take to write its checkpoint when stopped."""


@dataclass
class _Child:
    run: PlannedRun
    display: Display
    slot: Slot
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    alone: bool


@contextmanager
def opened(wish: Wish) -> Iterator[Engine]:
    """The engine; `UserError` for a device that is not here."""
    if wish.address is not None:
        raise UserError("is for a cluster", where="--address", do="Leave it out, or add --engine ray")
    choice = devices.choose(wish.device)
    engine = Engine(slots(choice, wish.jobs, wish.gpus_per_run), choice, wish.launch, wish.cadence)
    try:
        yield engine
    finally:
        engine.kill()


class Engine:
    """See `base.Engine`."""

    def __init__(
        self,
        slots: Sequence[Slot],
        choice: Choice,
        launch: dict[str, Any],
        cadence: dict[str, float],
    ) -> None:
        self.choice = choice
        self._slots, self._launch, self._cadence = slots, launch, cadence
        self._children: list[_Child] = []
        self._unstarted: list[Ended] = []

    @property
    def places(self) -> int:
        """One in each slot."""
        return len(self._slots)

    def submit(self, run: PlannedRun, display: Display, *, alone: bool = False) -> bool:
        """Start a child in a free slot."""
        slot = _slot(alone, self._slots, self._children)
        if slot is None:
            return False
        display.started(run)
        environment = _environment(slot, self._launch, retried=alone)
        try:
            process, log = _start(run, environment, self._cadence)
        except OSError as error:
            failed = store.RunState("failed", reason=_unwritable(error.strerror))
            self._unstarted.append(Ended(run, failed))
        else:
            self._children.append(_Child(run, display, slot, process, log, alone=alone))
        return True

    def ended(self) -> Iterator[Ended]:
        """Those whose child has exited; tells of the progress of the others."""
        while self._unstarted:
            yield self._unstarted.pop()
        time.sleep(_POLL_S)
        for child in list(self._children):
            if child.process.poll() is None:
                child.display.progressed(child.run, store.read_progress(child.run.directory))
                continue
            self._children.remove(child)
            child.log.close()
            busy = child.process.returncode == worker.BUSY
            yield Ended(child.run, None if busy else _state(child))

    def cancel(self) -> list[Ended]:
        """Ask every child to write a checkpoint and exit; kill those that do not within the grace period."""
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + _GRACE_S
        try:
            for child in self._children:
                child.process.wait(max(0.0, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self.kill()
        stopped, self._children = self._children, []
        for child in stopped:
            child.log.close()
        return [*self._unstarted, *(Ended(child.run, store.state(child.run.directory)) for child in stopped)]

    def kill(self) -> None:
        """End every child by force."""
        for child in self._children:
            child.process.kill()
        for child in self._children:
            child.process.wait()


def _slot(alone: bool, slots: Sequence[Slot], children: Sequence[_Child]) -> Slot | None:
    """A free place for a run; none if it has to be alone on a GPU, or every free GPU has such a run."""
    taken = Counter(child.slot for child in children)
    crowded = {child.slot.gpu for child in children}
    reserved = {child.slot.gpu for child in children if child.alone}
    for slot in slots:
        if taken[slot]:
            taken[slot] -= 1
        elif slot.gpu is None:
            return slot
        elif alone:
            if slot.gpu not in crowded:
                return replace(slot, share=1.0)
        elif slot.gpu not in reserved:
            return slot
    return None


def _environment(slot: Slot, launch: dict[str, Any], *, retried: bool) -> dict[str, str]:
    """Variables of a child's process."""
    said = {**launch, "retried_after": worker.SHORT} if retried else launch
    return {
        **numerics.child_environment(slot.gpu),
        **parent.announced(),
        worker.LAUNCH_VARIABLE: json.dumps(said),
        worker.SHARE_VARIABLE: repr(slot.share),
    }


def _start(
    run: PlannedRun, environment: dict[str, str], cadence: dict[str, float]
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """The child and its log; `OSError` when its directory cannot be written."""
    run.directory.mkdir(parents=True, exist_ok=True)
    if store.read_spec(run.directory) != run.spec:
        atomic.write_json(run.directory / "spec.json", run.spec)
    log = (run.directory / "worker.log").open("ab")
    # A session of its own: Ctrl-C in the terminal reaches this process only, which then stops the children.
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark.engines.worker", str(run.directory), json.dumps(cadence)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    return process, log


def _state(child: _Child) -> store.RunState:
    """State after a child's exit; a death that the child could not report itself is written down here."""
    code = child.process.returncode
    directory = child.run.directory
    log = directory / "worker.log"
    with suppress(OSError):
        if not log.stat().st_size:
            log.unlink()
    for damage in _damage(directory):
        child.display.remarked(child.run, damage)
    if code in (0, worker.STOPPED):
        return store.state(directory)
    if code >= worker.UNWRITABLE:
        return store.RunState("failed", reason=_unwritable(os.strerror(code - worker.UNWRITABLE)))
    if not directory.exists():
        return store.RunState("failed", reason="its directory has vanished")
    if store.last_event(directory).get("event") != "failed":
        reason = (
            f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}, see worker.log"
        )
        line = json.dumps({"event": "failed", "utc": worker.now_utc(), "reason": reason})
        try:
            with (directory / "events.jsonl").open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")
        except OSError:
            return store.RunState("failed", reason=reason)
    return store.state(directory)


def _damage(directory: Path) -> list[str]:
    """Checkpoints that the last session could not use, or that were gone; and what it did instead."""
    session: list[dict[str, Any]] = []
    newest: dict[str, Any] = {}
    for event in store.events(directory):
        if event.get("event") == "started":
            newest = next((e for e in reversed(session) if e.get("event") == "checkpoint"), newest)
            session = []
        session.append(event)
    lost = {
        e["file"]: f"checkpoint {e['reason']}" for e in session if e.get("event") == "checkpoint_unusable"
    }
    start = next((e["gen_iters"] for e in session if e.get("event") == "resumed"), 0)
    if newest and newest["gen_iters"] > start and newest["file"] not in lost:
        lost[newest["file"]] = f"checkpoint {newest['file']} is missing"
    went_on = f"went on from {start}" if start else "started from the beginning"
    return [*lost.values(), went_on] if lost else []


def _unwritable(reason: str | None) -> str:
    return f"its directory cannot be written ({reason})"
