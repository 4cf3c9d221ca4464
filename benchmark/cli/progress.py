"""Progress of a suite: bars with ETA on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import heapq
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from benchmark import escape
from benchmark.cli.text import console, note
from benchmark.cli.verbosity import Quiet, Verbose
from benchmark.records.quantities import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmark.engines.base import Display
    from benchmark.records.store import RunState
    from benchmark.suites.plan import PlannedRun

_LINE_EVERY_S = 30.0


@contextmanager
def display(
    runs: Sequence[PlannedRun], jobs: int, *, quiet: bool = False, verbose: bool = False
) -> Iterator[Display]:
    """Bars when stderr is a terminal, else lines; the right one for these runs."""
    told: Callable[[Display], Display] = Verbose if verbose else lambda inner: inner
    err = console(err=True)
    if quiet:
        yield Quiet()
        return
    if not err.is_terminal:
        yield told(Lines(runs, jobs))
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[says]}", style="dim", markup=False),
    )
    with Progress(*columns, console=err) as progress:
        yield told(Bars(runs, jobs, progress))


class Estimate:
    """Seconds that remain, from the pace of what is running and the duration of what has ended."""

    def __init__(self, runs: Sequence[PlannedRun], jobs: int) -> None:
        self._waiting, self._jobs = {run.label: run.experiment for run in runs}, jobs
        self._started: dict[str, float] = {}
        self._durations: dict[str, list[float]] = {}
        self._left: dict[str, float] = {}

    def postponed(self, run: PlannedRun) -> None:
        """The run is back in the queue."""
        self._waiting[run.label] = run.experiment
        self._started.pop(run.label)
        self._left.pop(run.label, None)

    def started(self, run: PlannedRun) -> None:
        """The run left the queue."""
        self._waiting.pop(run.label)
        self._started[run.label] = time.monotonic()

    def progressed(self, run: PlannedRun, progress: dict[str, Any]) -> float | None:
        """Seconds that remain of this run; None when nothing is known yet."""
        rate = progress.get("iters_per_s") or 0.0
        if rate > 0:
            self._left[run.label] = (run.gen_iters - progress["gen_iters"]) / rate
        return self._left.get(run.label)

    def ended(self, run: PlannedRun) -> float:
        """The run is over; its seconds in this session."""
        self._left.pop(run.label, None)
        seconds = time.monotonic() - self._started.pop(run.label)
        self._durations.setdefault(run.experiment, []).append(seconds)
        return seconds

    def remaining(self) -> float | None:
        """Seconds until everything is done, if each waiting run takes the first slot that becomes free.

        None while a waiting or running experiment has no known pace.
        """
        known = {
            **{
                run_label.rsplit(" seed ", 1)[0]: time.monotonic() - begin + self._left[run_label]
                for run_label, begin in self._started.items()
                if run_label in self._left
            },
            **{experiment: sum(d) / len(d) for experiment, d in self._durations.items()},
        }
        if any(e not in known for e in self._waiting.values()) or set(self._started) - set(self._left):
            return None
        ends = sorted(self._left.values()) + [0.0] * (self._jobs - len(self._left))
        heapq.heapify(ends)
        for experiment in self._waiting.values():
            heapq.heapreplace(ends, ends[0] + known[experiment])
        return max(ends)


class Bars:
    """One bar per running run, one for the suite."""

    def __init__(self, runs: Sequence[PlannedRun], jobs: int, progress: Progress) -> None:
        self._estimate = Estimate(runs, jobs)
        self._progress = progress
        self._all = progress.add_task("all runs", total=len(runs), says="")
        self._tasks: dict[str, TaskID] = {}

    def started(self, run: PlannedRun) -> None:
        """Add the run's bar."""
        self._estimate.started(run)
        self._tasks[run.label] = self._progress.add_task(
            escape.terminal(run.label), total=run.gen_iters, says="starting"
        )

    def progressed(self, run: PlannedRun, progress: dict[str, Any]) -> None:
        """Move the run's bar."""
        left = self._estimate.progressed(run, progress)
        if progress:
            self._progress.update(
                self._tasks[run.label], completed=progress["gen_iters"], says=_says(progress, left)
            )
        self._show_total()

    def ended(self, run: PlannedRun, state: RunState) -> None:
        """Replace the run's bar by a line."""
        seconds = self._estimate.ended(run)
        self._progress.remove_task(self._tasks.pop(run.label))
        self._print(f"{run.label}: {state.text()}, {duration(seconds)}")
        if state.finished:
            self._progress.advance(self._all)
        self._show_total()

    def postponed(self, run: PlannedRun) -> None:
        """Take the run's bar away."""
        self._estimate.postponed(run)
        self._progress.remove_task(self._tasks.pop(run.label))

    def remarked(self, run: PlannedRun, remark: str) -> None:
        """Print it above the bars."""
        self._print(f"{run.label}: {remark}")

    def _print(self, text: str) -> None:
        self._progress.console.print(escape.terminal(text), markup=False)

    def _show_total(self) -> None:
        remaining = self._estimate.remaining()
        self._progress.update(self._all, says=f"{duration(remaining)} left" if remaining is not None else "")


class Lines:
    """A line when a run ends, and every half minute what is running."""

    def __init__(self, runs: Sequence[PlannedRun], jobs: int) -> None:
        self._estimate = Estimate(runs, jobs)
        self._n, self._over = len(runs), 0
        self._next = time.monotonic() + _LINE_EVERY_S
        self._running: dict[str, str] = {}

    def started(self, run: PlannedRun) -> None:
        """Note that the run goes on."""
        self._estimate.started(run)
        self._running[run.label] = "starting"

    def progressed(self, run: PlannedRun, progress: dict[str, Any]) -> None:
        """Note where the run is; print once in a while."""
        left = self._estimate.progressed(run, progress)
        if progress:
            self._running[run.label] = f"{progress['gen_iters']}/{run.gen_iters}, {_says(progress, left)}"
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_EVERY_S
            note("; ".join(f"{label} {says}" for label, says in self._running.items()) + self._total())

    def ended(self, run: PlannedRun, state: RunState) -> None:
        """Print what came of the run."""
        self._running.pop(run.label, None)
        self._over += 1
        seconds = self._estimate.ended(run)
        note(f"[{self._over}/{self._n}] {run.label}: {state.text()}, {duration(seconds)}{self._total()}")

    def postponed(self, run: PlannedRun) -> None:
        """Note that the run waits again."""
        self._estimate.postponed(run)
        self._running.pop(run.label, None)

    def remarked(self, run: PlannedRun, remark: str) -> None:
        """Print it."""
        note(f"{run.label}: {remark}")

    def _total(self) -> str:
        remaining = self._estimate.remaining()
        return f"; all: {duration(remaining)} left" if remaining else ""


def _says(progress: dict[str, Any], left: float | None) -> str:
    if progress.get("phase") != "train":
        return str(progress.get("phase"))
    return f"{progress['iters_per_s']:.1f} G-its/s" + (f", {duration(left)} left" if left is not None else "")
