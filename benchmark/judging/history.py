"""What a reference said over time: from the commits that changed its file, or from several files."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.errors import NothingToJudge, UserError
from benchmark.judging import accepted
from benchmark.judging.compare import differing
from benchmark.records.cells import score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Record = Mapping[str, Any]


@dataclass(frozen=True)
class State:
    """A reference at one time: its commit or file, the day of the commit or nothing, and its records."""

    name: str
    day: str
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Entry:
    """What was accepted of an experiment at one time.

    Attributes:
        name, day: of the state.
        cell: the `cell_id`.
        environments: `env_id` → in words.
        values: (protocol, metric) → final scores over finished seeds.
        runs, diverged: how many.
        new_environment: whether it is not the one of the entry before.
        new_settings: in what the cell differs from that of the entry before.

    """

    name: str
    day: str
    cell: str
    environments: Mapping[str, str]
    values: Mapping[tuple[str, str], tuple[float, ...]]
    runs: int
    diverged: int
    new_environment: bool
    new_settings: tuple[str, ...]


@dataclass(frozen=True)
class Story:
    """An experiment of a suite over time, the oldest first; times that changed nothing of it are left out."""

    suite: str
    experiment: str
    entries: tuple[Entry, ...]


def read(paths: Sequence[Path]) -> tuple[list[Story], list[str]]:
    """The stories of these references, and remarks on what could not be read.

    A file that git knows is read at each commit that changed it, and as it is now if that differs; of another
    there is one state. States follow one another in the order given.

    Raises:
        UserError: a file cannot be read, or is no reference.
        NothingToJudge: there is no record in any.

    """
    states: list[State] = []
    notes: list[str] = []
    for path in paths:
        there = accepted.read(path)
        if there is None:
            raise UserError("there is no such file", where=f"--history {path}")
        old, said = _committed(path)
        notes += said
        now = State("not committed" if old else path.name, "", tuple(there))
        states += [*old, *([now] if not old or _same(old[-1]) != _same(now) else [])]
    if not any(state.records for state in states):
        raise NothingToJudge("no records", where=", ".join(map(str, paths)))
    return stories(states), notes


def stories(states: Sequence[State]) -> list[Story]:
    """By suite and experiment; where one state has an experiment in several cells, each cell has its own."""
    several = {
        (suite, name) for state in states for (suite, name), cells in _cells(state).items() if len(cells) > 1
    }
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    before: dict[tuple[str, str], list[Record]] = {}
    for state in states:
        for (suite, name), cells in _cells(state).items():
            for cell, records in cells.items():
                key = (suite, f"{name} [cell {cell[:8]}]" if (suite, name) in several else name)
                last = before.get(key, [])
                if _runs(last) != _runs(records):
                    found[key].append(_entry(state, records, last))
                    before[key] = records
    return [Story(suite, name, tuple(entries)) for (suite, name), entries in sorted(found.items())]


def _cells(state: State) -> dict[tuple[str, str], dict[str, list[Record]]]:
    cells: dict[tuple[str, str], dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in state.records:
        cells[record["suite"], record["experiment"]][record["cell_id"]].append(record)
    return cells


def _entry(state: State, records: list[Record], last: list[Record]) -> Entry:
    first = records[0]
    scored = [(p["name"], metric) for p in first["spec"]["protocols"] for metric in p["metrics"]]
    environments = {record["env_id"]: _in_words(record) for record in records}
    changed = last and last[0]["cell_id"] != first["cell_id"]
    return Entry(
        name=state.name,
        day=state.day,
        cell=first["cell_id"],
        environments=environments,
        values={
            pair: tuple(x for r in records if (x := score(r["final"], *pair)) is not None) for pair in scored
        },
        runs=len(records),
        diverged=sum(r["status"] == "diverged" for r in records),
        new_environment=bool(last) and {r["env_id"] for r in last} != set(environments),
        new_settings=tuple(differing(last[0]["spec"], first["spec"])) if changed else (),
    )


def _in_words(record: Record) -> str:
    """`AMD EPYC, torch 2.13.0, environment bda50e12`."""
    provenance = record["provenance"]
    device = provenance.get("gpu") or provenance.get("cpu") or "unknown device"
    torch = (provenance.get("packages") or {}).get("torch", "of unknown version")
    return f"{device}, torch {torch}, environment {record['env_id'][:8]}"


def _same(state: State) -> list[str]:
    return sorted(str(record.get("record_sha256")) for record in state.records)


def _runs(records: list[Record]) -> set[tuple[str, str]]:
    return {(record["run_id"], record["env_id"]) for record in records}


# --- git ----------------------------------------------------------------------------------------------------


def _committed(path: Path) -> tuple[list[State], list[str]]:
    """The file at each commit that changed it; nothing where git does not know it."""
    log = _git(path, "log", "--no-show-signature", "--reverse", "--format=%h %cs", "--", path.name)
    states, notes = [], []
    if (_git(path, "rev-parse", "--is-shallow-repository") or b"").strip() == b"true":
        notes.append(
            "this clone has not the whole history: what its first commit holds may be older; "
            "git fetch --unshallow brings the rest"
        )
    for line in (log or b"").decode("ascii", "replace").splitlines():
        if not (found := re.fullmatch(r"([0-9a-f]+) ([0-9]+-[0-9]{2}-[0-9]{2})", line)):
            continue  # what a setting of the user's makes git say besides
        commit, day = found.groups()
        text = _git(path, "show", f"{commit}:./{path.name}")
        if text is None:
            continue  # this commit removed it
        try:
            states.append(State(commit, day, tuple(accepted.parse(text, f"{commit}:{path.name}"))))
        except UserError as error:
            notes.append(f"Left out: {error}")
    return states, notes


def _git(path: Path, *words: str) -> bytes | None:
    """What git says in the file's folder; None where there is no git or it fails."""
    try:
        done = subprocess.run(
            ["git", "--literal-pathspecs", "-C", str(path.resolve().parent), *words],
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
