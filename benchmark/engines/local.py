"""The local engine: child processes on this machine, one in each slot. No torch.

A run that comes short of GPU memory is tried once more, alone on its GPU, after all others. Several
`ganbench run` may work on one results folder: a run that another one has begun is waited for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any

from benchmark.engines import parent, worker
from benchmark.engines.base import Interrupted, terminable
from benchmark.records import atomic, locks, store
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmark.engines.base import Display, Slot
    from benchmark.suites.plan import PlannedRun

_POLL_S = 0.1
_GRACE_S = 60.0
"""How long a child may take to write its checkpoint when stopped."""


@dataclass
class _Child:
    run: PlannedRun
    slot: Slot
    process: subprocess.Popen[bytes]
    log: IO[bytes]


def execute(
    runs: Sequence[PlannedRun],
    *,
    slots: Sequence[Slot],
    launch: dict[str, Any],
    display: Display,
    cadence: dict[str, float] | None = None,
    fail_fast: bool = False,
) -> None:
    """Run everything, in the order given; what came of each is in its directory.

    Args:
        runs: runs without a record.
        slots: where; as many children at a time.
        launch: `provenance.launch` of this command, passed on to the records.
        display: told of every change.
        cadence: fields of `trainer.Cadence` other than its own.
        fail_fast: after the first failure start no more, and stop those that run.

    Raises:
        Interrupted: on Ctrl-C or SIGTERM, after the children have stopped.

    """
    waiting, children, told, alone = deque(runs), list[_Child](), set[str](), set[str]()
    with terminable() as interrupts:
        try:
            while waiting or children:
                for run in _free(waiting, children, len(slots), display, told):
                    slot = _slot(run, slots, children, alone)
                    if slot is None:
                        waiting.append(run)
                        continue
                    display.started(run)
                    environment = _environment(slot, launch, retried=run.label in alone)
                    with interrupts.held():  # a child that is not in the list would never be stopped
                        if child := _start(run, slot, environment, cadence or {}, display):
                            children.append(child)
                time.sleep(_POLL_S)
                for child in list(children):
                    if child.process.poll() is None:
                        display.progressed(child.run, store.read_progress(child.run.directory))
                        continue
                    children.remove(child)
                    if child.process.returncode == worker.BUSY:
                        child.log.close()
                        waiting.append(child.run)
                        display.postponed(child.run)
                        continue
                    state = _ended(child, display)
                    if _is_short_of_memory(state) and child.slot.gpu and child.run.label not in alone:
                        alone.add(child.run.label)
                        waiting.append(child.run)
                        display.remarked(child.run, f"{worker.SHORT}; it is tried again, alone on its GPU")
                        display.postponed(child.run)
                        continue
                    display.ended(child.run, state)
                    if fail_fast and state.name == "failed":
                        waiting.clear()
                        _stop(children, display)
                        break
        except KeyboardInterrupt:
            _stop(children, display)
            raise Interrupted(terminated=interrupts.terminated) from None
        finally:
            for child in children:
                child.process.kill()


def _slot(run: PlannedRun, slots: Sequence[Slot], children: Sequence[_Child], alone: set[str]) -> Slot | None:
    """A free place for the run; none if it has to be alone on a GPU, or every free GPU has such a run."""
    taken = Counter(child.slot for child in children)
    crowded = {child.slot.gpu for child in children}
    reserved = {child.slot.gpu for child in children if child.run.label in alone}
    for slot in slots:
        if taken[slot]:
            taken[slot] -= 1
        elif slot.gpu is None:
            return slot
        elif run.label in alone:
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


def _is_short_of_memory(state: store.RunState) -> bool:
    return state.name == "failed" and (state.reason or "").startswith(worker.SHORT)


def _free(
    waiting: deque[PlannedRun], children: list[_Child], jobs: int, display: Display, told: set[str]
) -> list[PlannedRun]:
    """Take runs that can start now from the queue, as many as there are free slots.

    Those that another command works on, or whose first stage is not finished, stay in it; those that another
    command finished, or whose first stage will not finish, leave it.
    """
    to_come = {run.directory for run in waiting} | {child.run.directory for child in children}
    found: list[PlannedRun] = []
    for _ in range(len(waiting)):
        if len(found) + len(children) >= jobs:
            break
        run = waiting.popleft()
        if locks.is_held(run.directory):
            waiting.append(run)
            if run.label not in told:
                display.remarked(run, "another process works on it; waiting for that")
                told.add(run.label)
        elif (state := store.state(run.directory)).finished:
            display.started(run)
            display.ended(run, state)
        elif run.after is not None and (first := store.state(run.after)).name != "done":
            if run.after in to_come or first.name == "running":
                waiting.append(run)
            else:
                display.started(run)
                reason = f"the run it starts from is not done: {first.text()}"
                display.ended(run, store.RunState("failed", reason=reason))
        else:
            found.append(run)
    return found


def _start(
    run: PlannedRun, slot: Slot, environment: dict[str, str], cadence: dict[str, float], display: Display
) -> _Child | None:
    """Start the child; None, and the run has ended, when its directory cannot be written."""
    try:
        run.directory.mkdir(parents=True, exist_ok=True)
        if store.read_spec(run.directory) != run.spec:
            atomic.write_json(run.directory / "spec.json", run.spec)
        log = (run.directory / "worker.log").open("ab")
    except OSError as error:
        display.ended(run, store.RunState("failed", reason=_unwritable(error.strerror)))
        return None
    # A session of its own: Ctrl-C in the terminal reaches this process only, which then stops the children.
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark.engines.worker", str(run.directory), json.dumps(cadence)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    return _Child(run, slot, process, log)


def _ended(child: _Child, display: Display) -> store.RunState:
    """State after a child's exit; a death that the child could not report itself is written down here."""
    child.log.close()
    code = child.process.returncode
    directory = child.run.directory
    log = directory / "worker.log"
    with suppress(OSError):
        if not log.stat().st_size:
            log.unlink()
    for damage in _damage(directory):
        display.remarked(child.run, damage)
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
