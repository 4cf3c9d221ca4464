"""The results folder: one directory per run, no database. Files: `results/README.md`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from benchmark import escape
from benchmark.errors import UserError
from benchmark.records import bounded, locks, places, record, schema, spec_schema
from benchmark.records.bounded import Unreadable
from benchmark.records.loaded import LoadedRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GENERATOR = "generator.safetensors"
"""The final generator's tensors alone, in a run of a published folder (`ganbench publish`)."""
_RECORD_BYTES, _SPEC_BYTES, _EVENTS_BYTES = 256 * bounded.MIB, 16 * bounded.MIB, 4 * bounded.MIB
"""Most that is read: of a curve of 10⁵ points about 30 MiB; of events the last."""
_OWN_ENTRIES = {
    *("runs", "reports", "reference", "bench.json"),
    *("README.md", "RESULTS.md", "anchors.json", "samples", "losses", "generators"),
    *("evaluations", "parzen-samples.json", "unfinished", "lost+found"),
}
"""With what a fresh volume of ext4 has at its top."""

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
        UserError: it is a file, holds something that ganbench did not put there, or cannot be written; or its
            name is not UTF-8, by which no checkpoint could be read again.

    """
    if escape.visible(str(out)) != str(out):
        raise UserError(
            "the name has characters that cannot be seen, or bytes that are not UTF-8",
            where=f"--out {out}",
            do="Choose another folder",
        )
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
    return Path(out, "runs", experiment, f"{run_id[:12]}-{env_id[:8]}")


def first_stages(directory: Path, before: Mapping[str, str]) -> list[Path]:
    """Where a run of this directory finds the one that it starts from: in the same results folder.

    `before` is `starts_from` of its spec. One directory per environment; none where the run lies elsewhere.
    """
    above = Path(os.path.abspath(directory)).parents  # noqa: PTH100 - `.` and `..` have no parents
    if len(above) < 3:
        return []
    found = (above[2] / before["experiment"]).glob(f"{before['run_id'][:12]}-*")
    return sorted(path for path in found if not is_set_aside(path))


def load_record(directory: Path) -> dict[str, Any]:
    """The record of a finished run.

    Raises:
        FileNotFoundError: there is none.
        Unreadable: it is damaged, altered or of another schema; says why.

    """
    content = bounded.read_json(directory / "record.json", _RECORD_BYTES)
    record.check(content)
    return dict(content)


def read_record(directory: Path) -> dict[str, Any] | None:
    """The record of a finished run; None where `load_record` gives none."""
    try:
        return load_record(directory)
    except (FileNotFoundError, Unreadable):
        return None


def _of_another_run(directory: Path, found: Mapping[str, Any]) -> str:
    """Why the record there is not the one that its directory is named after; empty where it may be."""
    of = run_directory(Path(), found["experiment"], found["run_id"], found["env_id"]).name
    if of == directory.name or not re.fullmatch(r"[0-9a-f]{12}-[0-9a-f]{8}", directory.name):
        return ""
    return f"is of another run ({found['experiment']} seed {found['seed']}, {of})"


def damage(directory: Path) -> str:
    """Why the record that is there cannot be read; empty where there is none, or it can be."""
    try:
        load_record(directory)
    except FileNotFoundError:
        return ""
    except Unreadable as error:
        return damaged(directory, error)
    return ""


def damaged(directory: Path, why: object) -> str:
    """The sentence on a record that is there and does not count; `why` goes on from the name of its file."""
    return f"damaged: {directory / 'record.json'}, {why}"


def read_spec(directory: Path) -> dict[str, Any] | None:
    """The spec a run was started with; None when there is none or it is damaged."""
    try:
        content = bounded.read_json(directory / "spec.json", _SPEC_BYTES)
        schema.check(content, spec_schema.Spec)
    except (FileNotFoundError, Unreadable):
        return None
    return dict(content)


def read_progress(directory: Path) -> dict[str, Any]:
    """Where a run is, as its process last wrote; empty where it has not."""
    try:
        content = bounded.read_json(directory / "progress.json", _SPEC_BYTES)
        schema.check(content, schema.Progress)
    except (FileNotFoundError, Unreadable):
        return {}
    return dict(content)


def state(directory: Path, *, of_its_name: bool = False) -> RunState:
    """Read the state of a run from its directory; `UserError` where that is not permitted.

    `of_its_name`: a record counts only if it is of the run that the directory is named after.
    """
    found = read_record(directory)
    if of_its_name and found is not None and (other := _of_another_run(directory, found)):
        return RunState("interrupted", checkpointed(directory), damaged(directory, other))
    if found is not None:
        last = found["gen_iters"] if found["diverged_at"] is None else found["diverged_at"]
        return RunState(found["status"], last)
    try:
        if not (directory / "spec.json").exists():
            return RunState("not run")
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=str(directory)) from error
    gen_iters = int(read_progress(directory).get("gen_iters", 0))
    if locks.is_held(directory):
        return RunState("running", gen_iters)
    event = last_event(directory)
    if event.get("event") == "failed":
        return RunState("failed", gen_iters, str(event.get("reason", "")))
    return RunState("interrupted", checkpointed(directory), damage(directory))


def events(directory: Path) -> Iterator[dict[str, Any]]:
    """The readable lines of `events.jsonl`, of a very long one the last; a line cut off is passed over.

    Each has all keys of `schema.Event`, those that it lacks with their defaults.
    """
    try:
        content = bounded.read(directory / "events.jsonl", _EVENTS_BYTES, tail=True)
    except (FileNotFoundError, Unreadable):
        return
    for line in content.splitlines():
        try:
            content = bounded.parse(line)
            event = schema.check(content, schema.Event)
        except Unreadable:
            continue
        yield {**content, **msgspec.structs.asdict(event)}


def last_event(directory: Path) -> dict[str, Any]:
    """The last readable event, or an empty one."""
    return next(reversed(list(events(directory))), {})


def directories_with(folder: Path, *names: str) -> list[Path]:
    """The directories below a folder that hold a file of one of the names, sorted; not those set aside.

    No links are followed but those called `runs`: results may lie on another disk. What is reached in two
    ways is named once.

    Raises:
        UserError: one of the folders cannot be read, so that runs would be passed over.

    """
    found: dict[str, Path] = {}
    tops, seen = [folder], set()
    for top in tops:
        if (real := os.path.realpath(top)) in seen:
            continue
        seen.add(real)
        for place, folders, files in os.walk(top, onerror=_refused):
            if not {*names}.isdisjoint([*folders, *files]):
                found.setdefault(os.path.realpath(place), Path(place))
            if "runs" in folders and (link := Path(place, "runs")).is_symlink():
                tops.append(link)
            folders[:] = [name for name in folders if name != "lost+found"]  # root's, where a volume begins
    return sorted(directory for directory in found.values() if not is_set_aside(directory))


def _refused(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise UserError(f"cannot be read ({error.strerror})", where=os.fsdecode(error.filename)) from error


def records_below(folder: Path) -> tuple[list[LoadedRecord], list[str]]:
    """The records below a folder by name of the directory, not those set aside; and what is damaged."""
    found, damages = [], []
    for directory in directories_with(folder, "record.json"):
        try:
            found.append(LoadedRecord(load_record(directory), directory))
        except FileNotFoundError:  # gone since
            continue
        except Unreadable as error:
            damages.append(damaged(directory, error))
    return found, damages


def is_set_aside(directory: Path) -> bool:
    """Whether `set_aside` gave the run directory its name."""
    return re.fullmatch(r"\.old[0-9]+", directory.suffix) is not None


def set_aside(directory: Path) -> None:
    """Rename a run directory out of the way; nothing in it is lost."""
    number = 1
    while (target := directory.with_name(f"{directory.name}.old{number}")).exists():
        number += 1
    directory.rename(target)


def checkpointed(directory: Path) -> int:
    """G-iteration of the newest checkpoint; 0 without one."""
    return next((int(path.stem) for path in places.checkpoints(directory / "checkpoints")), 0)
