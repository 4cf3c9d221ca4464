"""Which run is next, and what follows from its end: the same for every engine. No torch.

A run that comes short of GPU memory is tried once more, alone on its GPU, after all others. Several
`ganbench run` may work on one results folder: a run that another one has begun is waited for.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from benchmark.engines import worker
from benchmark.engines.base import Interrupted
from benchmark.engines.interrupts import terminable
from benchmark.records import locks, store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmark.engines.base import Display, Engine
    from benchmark.suites.plan import PlannedRun


def execute(runs: Sequence[PlannedRun], engine: Engine, *, display: Display, fail_fast: bool = False) -> None:
    """Run everything, in the order given; what came of each is in its directory.

    Args:
        runs: runs without a record.
        engine: where.
        display: told of every change.
        fail_fast: after the first failure start no more, and stop those that run.

    Raises:
        Interrupted: on Ctrl-C or SIGTERM, after the runs have stopped.

    """
    queue = _Queue(runs, display)
    engine.expect(len(runs))
    with terminable() as interrupts:
        try:
            while queue.waiting or queue.running:
                with interrupts.held():  # neither a run nor what came back of one is lost between two steps
                    for run in queue.ready(engine.places):
                        queue.took(run, taken=engine.submit(run, display, alone=run.label in queue.alone))
                    states = [queue.ended(end.run, end.state) for end in engine.ended()]
                if fail_fast and any(state and state.name == "failed" for state in states):
                    _cancel(engine, queue)
                    return
        except KeyboardInterrupt:
            _cancel(engine, queue)
            raise Interrupted(terminated=interrupts.terminated) from None


def _cancel(engine: Engine, queue: _Queue) -> None:
    for end in engine.cancel():
        queue.stopped(end.run, end.state or store.state(end.run.directory))


class _Queue:
    """What waits, what runs, and where runs ended that began in an environment nobody knew before."""

    def __init__(self, runs: Sequence[PlannedRun], display: Display) -> None:
        self.waiting = deque(runs)
        self.running: dict[str, PlannedRun] = {}
        self.alone: set[str] = set()
        """Labels of runs that have to be alone on a GPU."""
        self._display = display
        self._told: set[str] = set()
        self._moved: dict[Path, Path] = {}

    def ready(self, places: int) -> Iterator[PlannedRun]:
        """Runs from the queue that can start now, while there are free places.

        Those that another command works on, or whose first stage is not finished, stay in it; those that
        another command finished, or whose first stage will not finish, leave it.
        """
        for _ in range(len(self.waiting)):
            if len(self.running) >= places:
                return
            run = self.waiting.popleft()
            if locks.is_held(run.directory):
                self.waiting.append(run)
                if run.label not in self._told:
                    self._display.remarked(run, "another process works on it; waiting for that")
                    self._told.add(run.label)
            elif (state := store.state(run.directory, of_its_name=True)).finished:
                self._over(run, state)
            elif run.after is not None and (first := self._first_stage(run.after)).name != "done":
                if first.name == "running" or self._is_to_come(run.after):
                    self.waiting.append(run)
                else:
                    reason = f"the run it starts from is not done: {first.text()}"
                    self._over(run, store.RunState("failed", reason=reason))
            else:
                yield run

    def took(self, run: PlannedRun, *, taken: bool) -> None:
        """The engine has the run, or had no place for it."""
        if taken:
            self.running[run.label] = run
        else:
            self.waiting.append(run)

    def ended(self, run: PlannedRun, state: store.RunState | None) -> store.RunState | None:
        """Its state, unless it has to wait for another try."""
        if state is None:
            self._again(run)
            return None
        if state.name == "failed" and state.reason.startswith(worker.SHORT) and run.label not in self.alone:
            self.alone.add(run.label)
            self._display.remarked(run, f"{worker.SHORT}; it is tried again, alone on its GPU")
            self._again(run)
            return None
        self.stopped(run, state)
        return state

    def stopped(self, run: PlannedRun, state: store.RunState) -> None:
        """The run is over."""
        self._moved[self.running.pop(run.label).directory] = run.directory
        self._display.ended(run, state)

    def _again(self, run: PlannedRun) -> None:
        self._moved[self.running.pop(run.label).directory] = run.directory
        self.waiting.append(run)
        self._display.postponed(run)

    def _over(self, run: PlannedRun, state: store.RunState) -> None:
        self._display.started(run)
        self._display.ended(run, state)

    def _first_stage(self, directory: Path) -> store.RunState:
        return store.state(self._moved.get(directory, directory))

    def _is_to_come(self, directory: Path) -> bool:
        places = (directory, self._moved.get(directory))
        return any(run.directory in places for run in (*self.waiting, *self.running.values()))
