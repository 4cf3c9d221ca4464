"""How much `ganbench run` tells: only the result, progress, or also what the processes of the runs say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmark.engines.base import Display
    from benchmark.records.store import RunState
    from benchmark.suites.plan import PlannedRun

F = TypeVar("F", bound="Callable[..., Any]")

_UNSAID = ("event", "utc", "pid", "env_id")


def verbosity(function: F) -> F:
    """The options; `check` refuses both at once."""
    for decorate in (
        click.option(
            "-v", "--verbose", is_flag=True, help="Also what the runs' processes say: events and warnings."
        ),
        click.option("-q", "--quiet", is_flag=True, help="Only the result, and what went wrong."),
    ):
        function = decorate(function)
    return function


def check(verbose: bool, quiet: bool) -> None:
    """Refuse a contradiction."""
    if verbose and quiet:
        raise UserError("-v and -q contradict each other", do="Choose one")


class Quiet:
    """Tells of damage alone; what came of a run is said at the end."""

    def started(self, run: PlannedRun) -> None:
        """Say nothing."""

    def progressed(self, run: PlannedRun, progress: dict[str, Any]) -> None:
        """Say nothing."""

    def ended(self, run: PlannedRun, state: RunState) -> None:
        """Say nothing."""

    def postponed(self, run: PlannedRun) -> None:
        """Say nothing."""

    def remarked(self, run: PlannedRun, remark: str) -> None:
        """Print it."""
        from benchmark.cli.text import note

        note(f"{run.label}: {remark}")


class Verbose:
    """Another display, with what is new in `events.jsonl` and `worker.log` of the runs as remarks."""

    def __init__(self, inner: Display) -> None:
        self._inner = inner
        self._tails: dict[str, tuple[_Tail, _Tail]] = {}

    def started(self, run: PlannedRun) -> None:
        """Begin at the end of both files: what is there is of earlier processes."""
        self._tails[run.label] = (_Tail(run.directory / "events.jsonl"), _Tail(run.directory / "worker.log"))
        self._inner.started(run)

    def progressed(self, run: PlannedRun, progress: dict[str, Any]) -> None:
        """Tell what is new."""
        self._tell(run)
        self._inner.progressed(run, progress)

    def ended(self, run: PlannedRun, state: RunState) -> None:
        """Tell the rest."""
        self._tell(run)
        self._tails.pop(run.label)
        self._inner.ended(run, state)

    def postponed(self, run: PlannedRun) -> None:
        """Look no longer."""
        self._tails.pop(run.label)
        self._inner.postponed(run)

    def remarked(self, run: PlannedRun, remark: str) -> None:
        """Hand it on."""
        self._inner.remarked(run, remark)

    def _tell(self, run: PlannedRun) -> None:
        events, log = self._tails[run.label]
        for line in (*map(_event_text, events.new_lines()), *log.new_lines()):
            if line:
                self._inner.remarked(run, line)


class _Tail:
    """The whole lines that are added to a file, which may not exist yet or any longer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = self._size()

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def new_lines(self) -> list[str]:
        if self._size() <= self._at:
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._at += len(whole + newline)
        return whole.decode("utf-8", errors="replace").splitlines()


def _event_text(line: str) -> str:
    """`checkpoint: gen_iters 25, bytes 3152284` of a line of `events.jsonl`; as it is if it is no event."""
    try:
        event = json.loads(line)
        said = ", ".join(
            f"{key} {x if isinstance(x, str) else json.dumps(x)}"
            for key, x in event.items()
            if key not in _UNSAID and x is not None
        )
        return f"{event['event']}: {said}" if said else str(event["event"])
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return line
