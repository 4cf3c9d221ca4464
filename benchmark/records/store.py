"""The results folder: one directory per run, no database. Files: `results/README.md`."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from benchmark.errors import UserError
from benchmark.records import locks
from benchmark.records.record import is_intact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OWN_ENTRIES = {"runs", "reports", "reference", "README.md"}

StateName = Literal["done", "diverged", "failed", "interrupted", "running", "stale", "not run"]


@dataclass(frozen=True)
class RunState:
    """What a run directory tells: state, last known G-iteration, and why (a failure's reason)."""

    name: StateName
    gen_iters: int = 0
    reason: str = ""

    @property
    def finished(self) -> bool:
        """Whether the run has its record: divergence is a result too."""
        return self.name in ("done", "diverged")

    def text(self) -> str:
        """`interrupted at 120`, `failed: out of memory`."""
        if self.reason:
            return f"{self.name}: {self.reason}"
        where = self.name in ("interrupted", "running", "diverged")
        return f"{self.name} at {self.gen_iters}" if where else self.name


def open_folder(out: Path) -> None:
    """Make sure that `out` may receive results; creates it.

    Raises:
        UserError: it is a file, holds something that ganbench did not put there, or cannot be written.

    """
    try:
        if out.exists() and not out.is_dir():
            raise UserError("exists and is not a folder", where=f"--out {out}", do="Choose another folder")
        foreign = sorted(p.name for p in out.iterdir() if p.name not in _OWN_ENTRIES) if out.exists() else []
        if foreign:
            raise UserError(
                f"holds '{foreign[0]}', which is not ganbench's",
                where=f"--out {out}",
                do="Choose an empty or new folder",
            )
        (out / "runs").mkdir(parents=True, exist_ok=True)
        probe = out / "runs" / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", where=f"--out {out}") from error


def run_directory(out: Path, experiment: str, run_id: str, env_id: str) -> Path:
    """Where a run lives."""
    return out / "runs" / experiment / f"{run_id[:12]}-{env_id[:8]}"


def read_record(directory: Path) -> dict[str, Any] | None:
    """The record of a finished run; None when there is none, or it is damaged, altered or of old schema."""
    record = _read_json(directory / "record.json")
    return record if isinstance(record, dict) and is_intact(record) else None


def read_spec(directory: Path) -> dict[str, Any] | None:
    """The spec a run was started with; None when there is none or it is damaged."""
    spec = _read_json(directory / "spec.json")
    return spec if isinstance(spec, dict) else None


def state(directory: Path) -> RunState:
    """Read the state of a run from its directory; `UserError` where that is not permitted."""
    record = read_record(directory)
    if record is not None:
        last = record["gen_iters"] if record["diverged_at"] is None else record["diverged_at"]
        return RunState(record["status"], last)
    try:
        if not (directory / "spec.json").exists():
            return RunState("not run")
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=str(directory)) from error
    progress = _read_json(directory / "progress.json")
    gen_iters = progress.get("gen_iters", 0) if isinstance(progress, dict) else 0
    if locks.is_held(directory):
        return RunState("running", gen_iters)
    event = last_event(directory)
    if event.get("event") == "failed":
        return RunState("failed", gen_iters, str(event.get("reason", "")))
    reason = "record.json is damaged or was altered" if (directory / "record.json").exists() else ""
    return RunState("interrupted", _checkpointed(directory), reason)


def events(directory: Path) -> Iterator[dict[str, Any]]:
    """The readable lines of `events.jsonl`; a line cut off by a crash is passed over."""
    try:
        lines = (directory / "events.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def last_event(directory: Path) -> dict[str, Any]:
    """The last readable event, or an empty one."""
    return next(reversed(list(events(directory))), {})


def records_below(folder: Path) -> list[Path]:
    """Run directories with a readable record, in name order; not those that were set aside."""
    directories = (path.parent for path in sorted(folder.rglob("record.json")))
    return [d for d in directories if not is_set_aside(d) and read_record(d) is not None]


def is_set_aside(directory: Path) -> bool:
    """Whether `set_aside` gave the run directory its name."""
    return re.fullmatch(r"\.old[0-9]+", directory.suffix) is not None


def set_aside(directory: Path) -> None:
    """Rename a run directory out of the way; nothing in it is lost."""
    number = 1
    while (target := directory.with_name(f"{directory.name}.old{number}")).exists():
        number += 1
    directory.rename(target)


def _checkpointed(directory: Path) -> int:
    names = sorted(path.stem for path in (directory / "checkpoints").glob("[0-9]*.safetensors"))
    return int(names[-1]) if names else 0


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
