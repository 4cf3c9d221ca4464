"""What came of a run's process, from its exit code and its directory. No torch."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from benchmark.engines import worker
from benchmark.records import places, store

if TYPE_CHECKING:
    from pathlib import Path


def state(directory: Path, code: int) -> store.RunState:
    """State after a process's exit; a death that it could not report itself is written down here."""
    log = directory / "worker.log"
    with suppress(OSError):
        if not log.stat().st_size:
            log.unlink()
    if code in (0, worker.STOPPED):
        return store.state(directory)
    if code >= worker.UNWRITABLE:
        return unwritable(os.strerror(code - worker.UNWRITABLE))
    if not directory.exists():
        return store.RunState("failed", reason="its directory has vanished")
    if store.last_event(directory).get("event") != "failed":
        return failed(directory, killed(code) if code < 0 else f"exit code {code}, see worker.log")
    return store.state(directory)


def failed(directory: Path, reason: str) -> store.RunState:
    """Write down why a run failed whose process could not."""
    try:
        note(directory, "failed", reason)
    except OSError:
        return store.RunState("failed", reason=reason)
    return store.state(directory)


def note(directory: Path, event: str, reason: str) -> None:
    """Add a line to the events of a run that has no process; one that was cut off does not swallow it."""
    line = json.dumps({"event": event, "utc": worker.now_utc(), "reason": reason})
    with open(directory / "events.jsonl", "a", encoding="utf-8", opener=places.unlinked) as file:
        file.write(f"\n{line}\n")


def killed(code: int) -> str:
    """Of a negative exit code."""
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # real-time signals have no names
        return f"killed by signal {-code}"


def unwritable(reason: str | None) -> store.RunState:
    """The run's directory cannot be written."""
    return store.RunState("failed", reason=f"its directory cannot be written ({reason})")


def damages(directory: Path) -> list[str]:
    """Checkpoints that the last session could not use, or that were gone; and what it did instead.

    An event that does not name its file tells of none.
    """
    session: list[dict[str, Any]] = []
    newest: dict[str, Any] = {}
    for event in store.events(directory):
        if event["event"] == "started":
            written = (e for e in reversed(session) if e["event"] == "checkpoint" and e["file"])
            newest = next(written, newest)
            session = []
        session.append(event)
    lost = {
        e["file"]: f"checkpoint {e['reason'] or e['file'] + ' could not be used'}"
        for e in session
        if e["event"] == "checkpoint_unusable" and e["file"]
    }
    start = next((e["gen_iters"] for e in session if e["event"] == "resumed"), 0)
    if newest and newest["gen_iters"] > start and newest["file"] not in lost:
        lost[newest["file"]] = f"checkpoint {newest['file']} is missing"
    went_on = f"went on from {start}" if start else "started from the beginning"
    return [*lost.values(), went_on] if lost else []
