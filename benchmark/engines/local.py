"""The local engine: child processes on this machine, one in each slot. No torch.

Where there are several runs, those on a CPU are forked from a process that has imported torch (`forks`),
where the system can: that saves each of them more than two seconds. A single run, one on a GPU, and one where
forking fails, has a fresh process.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmark.engines import outcome, spawn, worker
from benchmark.engines.base import Ended, slots
from benchmark.engines.forks import Forks
from benchmark.errors import UserError
from benchmark.records import atomic, devices, store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    process: spawn.Process
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
        self._forks = Forks()

    @property
    def places(self) -> int:
        """One in each slot, none while the process loads that is to fork."""
        return 0 if self._forks.is_loading else len(self._slots)

    def expect(self, runs: int) -> None:
        """Start the process that is to fork several on a CPU."""
        if runs > 1 and any(slot.gpu is None for slot in self._slots):
            self._forks.start()

    def submit(self, run: PlannedRun, display: Display, *, alone: bool = False) -> bool:
        """Start a child in a free slot."""
        slot = _slot(alone, self._slots, self._children)
        if slot is None:
            return False
        forks = self._forks if slot.gpu is None else None
        if forks and forks.is_loading:
            return False
        display.started(run)
        launch = {**self._launch, **({"retried_after": [worker.SHORT]} if alone else {})}
        environment = spawn.environment(launch, slot.share, slot.gpu)
        try:
            process = _start(run, environment, self._cadence, forks)
        except OSError as error:
            self._unstarted.append(Ended(run, outcome.unwritable(error.strerror)))
        else:
            self._children.append(_Child(run, display, slot, process, alone=alone))
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
            code = child.process.returncode
            state = None if code == worker.BUSY else outcome.state(child.run.directory, code)
            for damage in outcome.damages(child.run.directory) if state else []:
                child.display.remarked(child.run, damage)
            yield Ended(child.run, state)

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
        return [*self._unstarted, *(Ended(child.run, store.state(child.run.directory)) for child in stopped)]

    def kill(self) -> None:
        """End every child by force."""
        for child in self._children:
            child.process.kill()
        for child in self._children:
            child.process.wait()
        self._forks.close()


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


def _start(
    run: PlannedRun, environment: dict[str, str], cadence: dict[str, float], forks: Forks | None
) -> spawn.Process:
    """The child; `OSError` when its directory cannot be written."""
    run.directory.mkdir(parents=True, exist_ok=True)
    if store.read_spec(run.directory) != run.spec:
        atomic.write_json(run.directory / "spec.json", run.spec)
    return spawn.process(run.directory, cadence, environment, forks)
