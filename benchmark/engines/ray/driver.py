"""The Ray engine at the command: seats on the cluster, and the results folder that nobody else writes.

A seat is an actor that takes one run at a time (`benchmark.engines.ray.node`). What a run's process changes
in its directory comes back with each answer of the seat, checkpoints too, so that a seat may be lost at any
moment: its run goes on elsewhere from the last checkpoint that came back. No storage is shared.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from benchmark.engines import outcome, worker
from benchmark.engines.base import Ended
from benchmark.engines.ray import files, node
from benchmark.engines.ray.cluster import Cluster
from benchmark.records import atomic, identity, locks, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmark.engines.base import Display, Wish
    from benchmark.records.devices import Choice
    from benchmark.suites.plan import PlannedRun

MOST_TRIES = 4
"""Of a run whose seats are lost."""
_WAIT_S = 0.5
_MESSAGES_PER_S = 200.0
"""Most answers that the driver asks for in a second, of all seats together."""
_IDLE_S = 10.0
"""After that a seat without a run is given back to the cluster."""


@dataclass
class _Work:
    run: PlannedRun
    display: Display
    alone: bool
    begun: bool = False
    """Whether a seat was handed the run; its environment, and so its directory, is known since then."""
    held: ExitStack = field(default_factory=ExitStack)
    """The lock of the run's directory."""


@dataclass
class _Seat:
    actor: Any
    alone: bool
    reply: Any
    """To the one call that is under way; None while there is nothing to do."""
    work: _Work | None = None
    described: dict[str, Any] | None = None
    """The environment there, once known."""
    idle_since: float = field(default_factory=time.monotonic)


class Engine:
    """See `base.Engine`."""

    def __init__(self, ray: Any, choice: Choice, wish: Wish) -> None:
        """`ray` is the module, connected to a cluster."""
        self.choice = choice
        self._wish, self._cluster = wish, Cluster(ray, choice.kind, wish)
        self._seats: list[_Seat] = []
        self._over: list[Ended] = []
        self._lost: dict[str, list[str]] = {}
        self._stopping = False

    @property
    def places(self) -> int:
        """Those of the cluster."""
        return self._cluster.places

    def expect(self, runs: int) -> None:
        """Nothing: seats are made when runs come."""

    def submit(self, run: PlannedRun, display: Display, *, alone: bool = False) -> bool:
        """Give the run to a seat without one, else to a new one, which waits for its place in the cluster."""
        idle = [seat for seat in self._seats if seat.work is None]
        if alone:
            for seat in idle:  # together they may have a part of every GPU
                self._retire(seat)
            idle = []
        if not idle and len(self._seats) >= self.places:
            return False
        work = _Work(run, display, alone)
        if not idle:
            self._new_seat(work)
            return True
        seat = idle[0]
        seat.work = work
        if seat.described is not None:
            self._begin(seat, work, seat.described)
        return True

    def ended(self) -> Iterator[Ended]:
        """Those whose process has exited; writes down what came back of the others, and tells of it."""
        for seat in [seat for seat in self._seats if seat.work is None]:
            if time.monotonic() > seat.idle_since + _IDLE_S:
                self._retire(seat)
        replies = {seat.reply: seat for seat in self._seats if seat.reply is not None}
        wait = self._cluster.ray.wait
        if replies:
            wait(list(replies), num_returns=1, timeout=0 if self._over else _WAIT_S)
            for reply in wait(list(replies), num_returns=len(replies), timeout=0)[0]:
                self._take(replies[reply], reply)
        elif not self._over:
            time.sleep(_WAIT_S)
        while self._over:
            yield self._over.pop(0)

    def cancel(self) -> list[Ended]:
        """Have every run write a checkpoint that comes back; a second Ctrl-C gives them up."""
        self._stopping = True
        for seat in [seat for seat in self._seats if not (seat.work and seat.work.begun)]:
            self._drop(seat)
        stopped: list[Ended] = []
        deadline = time.monotonic() + 2 * node.GRACE_S
        with suppress(KeyboardInterrupt):
            while self._seats and time.monotonic() < deadline:
                stopped += self.ended()
        for seat in list(self._seats):
            self._drop(seat)
            if seat.work:
                seat.work.held.close()
                stopped.append(Ended(seat.work.run, store.state(seat.work.run.directory)))
        return [*stopped, *self._over]

    def close(self) -> None:
        """Leave no process and no file on any machine."""
        for seat in list(self._seats):
            self._drop(seat)
            if seat.work:
                seat.work.held.close()
        self._cluster.clear()

    def _new_seat(self, work: _Work) -> None:
        actor = self._cluster.seat(alone=work.alone)
        reply = actor.describe.remote(work.run.spec["device"])  # that of every run of a plan
        self._seats.append(_Seat(actor, work.alone, reply, work))

    def _take(self, seat: _Seat, reply: Any) -> None:
        """Go on with a seat that has answered, or is lost."""
        try:
            answer = self._cluster.ray.get(reply)
        except self._cluster.ray.exceptions.RayError as error:
            self._lose(seat, *_why(error))
            return
        seat.reply = None
        if isinstance(answer, dict):
            seat.described = answer
            if seat.work:
                self._begin(seat, seat.work, answer)
        elif isinstance(answer, node.News) and seat.work:
            self._hear(seat, seat.work, answer)
        else:
            self._ask(seat)

    def _begin(self, seat: _Seat, work: _Work, described: dict[str, Any]) -> None:
        """Hand the seat its run, as far as it got in the seat's environment."""
        work.run = run = _placed(work.run, described)
        directory = run.directory
        work.display.started(run)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            work.held.enter_context(locks.hold(directory))
            if store.read_spec(directory) != run.spec:
                atomic.write_json(directory / "spec.json", run.spec)
            order = node.Order(
                place=_place(directory),
                files={_place(folder): files.packed(folder) for folder in (directory, *_first_stage(run))},
                device=run.spec["device"],
                share=self._cluster.share(alone=work.alone),
                launch=self._launch(work),
                cadence=self._wish.cadence,
            )
        except Timeout:
            self._end(seat, work, None)
        except OSError as error:
            self._end(seat, work, outcome.unwritable(error.strerror))
        else:
            if store.read_record(directory):  # another command made it meanwhile
                self._end(seat, work, store.state(directory))
                return
            work.begun = True
            seat.reply = seat.actor.begin.remote(order)

    def _launch(self, work: _Work) -> dict[str, Any]:
        after = [*([worker.SHORT] if work.alone else []), *self._lost.get(work.run.label, [])]
        return {**self._wish.launch, **({"retried_after": after} if after else {})}

    def _ask(self, seat: _Seat) -> None:
        """For news, the less often the more seats there are; of a run that ends they come at once."""
        wait_s = max(_WAIT_S, len(self._seats) / _MESSAGES_PER_S)
        seat.reply = seat.actor.news.remote(wait_s, stop=self._stopping)

    def _hear(self, seat: _Seat, work: _Work, news: node.News) -> None:
        """Write down what came back; see what became of the run if its process has ended."""
        directory = work.run.directory
        try:
            files.unpack(news.files, directory, news.there)
        except OSError as error:
            self._drop(seat)
            self._end(seat, work, outcome.unwritable(error.strerror))
            return
        if news.code is None:
            work.display.progressed(work.run, store.read_progress(directory))
            self._ask(seat)
            return
        if not self._stopping and (trouble := _trouble_of_the_machine(news.code)):
            self._lose(seat, trouble)
            return
        work.held.close()  # a run whose lock is held counts as running
        state = store.state(directory) if self._stopping else outcome.state(directory, news.code)
        for damage in outcome.damages(directory):
            work.display.remarked(work.run, damage)
        self._end(seat, work, state)

    def _lose(self, seat: _Seat, why: str, detail: str = "") -> None:
        """The seat is gone, or of no use; its run goes on in another one, if it was not lost too often.

        A record, which names no paths, has the reason without its detail.
        """
        self._drop(seat)
        if (work := seat.work) is None:
            return
        run = work.run
        self._lost.setdefault(run.label, []).append(why)
        if work.begun:
            with suppress(OSError):
                outcome.note(run.directory, "lost", why + detail)
        else:
            work.display.started(run)
        work.held.close()
        if self._stopping:
            self._over.append(Ended(run, store.state(run.directory)))
        elif len(self._lost[run.label]) == MOST_TRIES:
            failed = store.RunState("failed", reason=f"lost {MOST_TRIES} times, at last: {why}{detail}")
            if run.directory.exists():
                failed = outcome.failed(run.directory, failed.reason)
            self._over.append(Ended(run, failed))
        else:
            work.display.remarked(
                run, f"{why}; it goes on elsewhere from {store.checkpointed(run.directory)}"
            )
            work.display.postponed(run)
            self._new_seat(_Work(run, work.display, work.alone))

    def _end(self, seat: _Seat, work: _Work, state: store.RunState | None) -> None:
        """The run is over; its seat can take another one."""
        work.held.close()
        self._over.append(Ended(work.run, state))
        seat.work, seat.idle_since = None, time.monotonic()
        if seat.alone or self._stopping:
            self._retire(seat)

    def _retire(self, seat: _Seat) -> None:
        """Let a seat go that has no run; its process ends when it has cleaned up."""
        if seat in self._seats:
            self._seats.remove(seat)
            seat.actor.leave.remote()

    def _drop(self, seat: _Seat) -> None:
        """End a seat by force; what it leaves is swept by the next one there, or at the end."""
        if seat in self._seats:
            self._seats.remove(seat)
            self._cluster.ray.kill(seat.actor)


def _why(error: Exception) -> tuple[str, str]:
    """Why a seat did not answer, and a detail."""
    cause = getattr(error, "cause", None)
    lines = [line for line in str(cause or error).splitlines() if line.strip()] or [""]
    if cause:
        return f"{type(cause).__name__} on its machine", f": {lines[0][:200]}"
    if "creation task" in lines[0]:
        return "its worker could not start", f": {lines[-1][:200]}"
    return f"its worker was lost ({type(error).__name__})", ""


def _trouble_of_the_machine(code: int) -> str:
    """Why a process ended that was stopped by somebody, or had no room; empty if its own run is at fault."""
    if code == -signal.SIGKILL:
        return outcome.killed(code)
    if code == worker.STOPPED:
        return "stopped by its machine"
    return f"{os.strerror(code - worker.UNWRITABLE)} on its machine" if code >= worker.UNWRITABLE else ""


def _placed(run: PlannedRun, described: dict[str, Any]) -> PlannedRun:
    """The run with the directory of the environment that it will have."""
    env_id = identity.env_id(described, run.spec["numerics"])
    out = run.directory.parents[3]
    directory = store.run_directory(out, run.experiment, run.run_id, env_id)
    return replace(run, env_id=env_id, directory=directory)


def _first_stage(run: PlannedRun) -> list[Path]:
    """Directory of the run that this one starts from, in its environment, if any."""
    if not (before := run.spec.get("starts_from")):
        return []
    out = run.directory.parents[3]
    return [store.run_directory(out, before["experiment"], before["run_id"], run.env_id)]


def _place(directory: Path) -> str:
    """Of a run directory in its results folder."""
    return directory.relative_to(directory.parents[3]).as_posix()
