"""What an engine is, and what every one shares: whom it tells, how it is interrupted, its places for runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.errors import UserError
from benchmark.records import devices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark.records.devices import Choice
    from benchmark.records.store import RunState
    from benchmark.suites.plan import PlannedRun


class Display(Protocol):
    """Shows what the engine does; see `benchmark.cli.progress`."""

    def started(self, run: PlannedRun) -> None:
        """The child process of the run was started."""

    def progressed(self, run: PlannedRun, progress: dict[str, Any]) -> None:
        """Called at every poll with the content of `progress.json`, empty before there is one."""

    def ended(self, run: PlannedRun, state: RunState) -> None:
        """The child process is over; `state` is what its directory tells."""

    def postponed(self, run: PlannedRun) -> None:
        """Another command's process works on the run; it is looked at again later."""

    def remarked(self, run: PlannedRun, remark: str) -> None:
        """Something a person should know about a run, like a damaged checkpoint that was passed over."""


@dataclass(frozen=True)
class Wish:
    """What a person asks of an engine.

    Attributes:
        device: where to train, as `devices.choose` reads it.
        jobs: runs at a time, at most; None for as many as there are places.
        gpus_per_run: of a GPU for each run, in (0, 1].
        address: of a cluster; None for the engine's own way to find one.
        launch: `provenance.launch` of this command, passed on to the records.
        cadence: fields of `trainer.Cadence` other than its own.

    """

    device: str = "auto"
    jobs: int | None = None
    gpus_per_run: float = 1.0
    address: str | None = None
    launch: dict[str, Any] = field(default_factory=dict)
    cadence: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """A run that the engine has no longer.

    Attributes:
        run: as submitted, but for its directory where only the engine knows in which environment it ran.
        state: what its directory tells; None when another command's process works in it.

    """

    run: PlannedRun
    state: RunState | None


class Engine(Protocol):
    """Executes run directories, each in a fresh child process of `benchmark.engines.worker`.

    A module of `benchmark.engines` has one by the name `opened`: a context manager of a `Wish`, which raises
    `UserError` where it cannot be had, and at its end leaves no process behind.
    """

    choice: Choice
    """Where it trains."""

    @property
    def places(self) -> int:
        """Runs at a time, at most."""

    def expect(self, runs: int) -> None:
        """Make ready for so many runs, which are to come."""

    def submit(self, run: PlannedRun, display: Display, *, alone: bool = False) -> bool:
        """Take a run without a record, if there is a place for it now; the display is told of its start.

        Args:
            run: the first stage of which, if any, is done.
            display: told of its progress as well, but not of its end.
            alone: on its GPU, as a second try after it came short of memory.

        """

    def ended(self) -> Iterable[Ended]:
        """The runs that are over since the last call, after waiting a moment."""

    def cancel(self) -> Iterable[Ended]:
        """Stop every run, with a checkpoint where that comes within a minute, else by force.

        Returns:
            those whose start was told.

        """


class Interrupted(Exception):
    """The suite was stopped; every child has written its checkpoint or was killed.

    Attributes:
        terminated: by SIGTERM, as batch systems do, instead of Ctrl-C.

    """

    def __init__(self, *, terminated: bool = False) -> None:
        super().__init__()
        self.terminated = terminated


def default_jobs(device: str) -> int:
    """Runs at a time: one per core on the CPU (each uses one thread), one on a GPU."""
    if device != "cpu":
        return 1
    # macOS has no affinity to ask for.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Slot:
    """A place for a run at a time.

    Attributes:
        gpu: what its process sees as its only GPU (a value of CUDA_VISIBLE_DEVICES); None on a CPU.
        share: of that GPU's memory, for it.

    """

    gpu: str | None = None
    share: float = 1.0


def slots(choice: Choice, jobs: int | None, gpus_per_run: float = 1.0) -> list[Slot]:
    """Places for runs: on a CPU one per core, on GPUs 1/`gpus_per_run` on each, the GPUs in turn.

    Args:
        choice: where to train.
        jobs: at most so many; None for all.
        gpus_per_run: in (0, 1].

    Raises:
        UserError: no such GPU, or a run that wants more than one or none of it.

    """
    if choice.kind == "cpu":
        return [Slot()] * (jobs or default_jobs("cpu"))
    each = runs_per_gpu(gpus_per_run)
    gpus = devices.gpus(choice)
    found = [Slot(gpu, 1 / each) for _ in range(each) for gpu in gpus]
    return found[:jobs]


def runs_per_gpu(gpus_per_run: float) -> int:
    """How many runs share a GPU; `UserError` for one that wants more than one or none of it."""
    if not 0 < gpus_per_run <= 1:
        do = "Give a share like 0.25; a run never takes more than one GPU"
        raise UserError(f"{gpus_per_run:g} is not above 0 and at most 1", where="--gpus-per-run", do=do)
    return int(1 / gpus_per_run + 1e-9)
