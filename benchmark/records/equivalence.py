"""Which sources compute the same numbers although they are not the same text, and how that was proven.

`ganbench probe --equal-to REV` lets both compute and writes `equivalent.json`, which is committed. An entry
counts if it has the evidence and its own SHA-256, and is about one experiment. Whatever compares sources asks
here: planning, the worker, the selection of records, averaging, `verify`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.records import atomic, bounded, identity, shipped
from benchmark.records.bounded import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Sources = Mapping[str, str]

SCHEMA_VERSION = 1
MOST_BYTES = 64 * bounded.MIB
_NAME = "equivalent.json"
UNSEEN = (
    "baselines.critic_losses",
    "benchmark/data/converted.py",
    "benchmark/evaluation/inception.py",
    "benchmark/evaluation/nearest_classifier.py",
    "benchmark/evaluation/neighbours.py",
    "benchmark/evaluation/windows.py",
    "benchmark/training/numerics.py",
)
"""Sources that decide numbers and of which no probe executes what matters, or that decide how its process is
started: of a change in them nothing can be proven."""


@dataclass(frozen=True)
class Proof:
    """That two sets of sources give an experiment's probe the same bits.

    Attributes:
        experiment: of which this is known; nothing is said of others.
        before, after: `digest_of` the sources.
        changed: names of the files that differ.
        rev: the commit that was compared with.
        date: of the comparison, ISO 8601.
        environment: in which both were computed, as `records.environment.describe` gives it.
        plan: digest of the probe's plan.
        portable: digest of all bits in portable numerics; or why there are none, the same on both sides.
        float32, float64: digests of all bits in the faithful numerics.

    """

    experiment: str
    before: str
    after: str
    changed: tuple[str, ...]
    rev: str
    date: str
    environment: Mapping[str, Any] = field(hash=False)
    plan: str
    portable: str
    float32: str
    float64: str

    def as_dict(self) -> dict[str, Any]:
        """JSON types, with a SHA-256 over everything else."""
        content = {**asdict(self), "changed": list(self.changed)}
        return {**content, "sha256": identity.digest(content)}


def digest_of(sources: Sources) -> str:
    """One digest (hex) for a set of sources, as `identity.sources` gives it."""
    return identity.digest(sources)


def same(a: Sources, b: Sources, experiment: str) -> bool:
    """Whether both sets of sources are known to compute the same numbers of an experiment."""
    return chain(a, b, experiment) is not None


def chain(a: Sources, b: Sources, experiment: str) -> tuple[Proof, ...] | None:
    """The fewest proofs that lead from one to the other, none if they are equal; None if nothing does."""
    if a == b:
        return ()
    start, end = digest_of(a), digest_of(b)
    known = [proof for proof in proofs() if proof.experiment == experiment]
    ways: dict[str, tuple[Proof, ...]] = {start: ()}
    waiting = deque([start])
    while waiting and end not in ways:
        here = waiting.popleft()
        for proof in known:
            for one, other in ((proof.before, proof.after), (proof.after, proof.before)):
                if one == here and other not in ways:
                    ways[other] = (*ways[here], proof)
                    waiting.append(other)
    return ways.get(end)


def code(sources: Sources, experiment: str) -> str:
    """A digest that is equal for sources that are known to compute the same."""
    found = {digest_of(sources)}
    known = [{proof.before, proof.after} for proof in proofs() if proof.experiment == experiment]
    while more := [pair for pair in known if pair & found and not pair <= found]:
        found.update(*more)
    return min(found)


def said(chain: Iterable[Proof]) -> str:
    """`made by equivalent sources, proven by probe of 2026-01-31 against 0123456789ab`; or nothing."""
    each = [f"probe of {proof.date} against {proof.rev[:12]}" for proof in chain]
    return f"made by equivalent sources, proven by {' and '.join(each)}" if each else ""


def path() -> Path:
    """Where the proofs are: beside the code, with which they are committed."""
    return shipped.folder() / _NAME


def proofs(file: Path | None = None) -> tuple[Proof, ...]:
    """What counts of the file; what was edited, or lacks evidence, does not. None where there is no file."""
    file = file or path()
    try:
        stamp = file.stat().st_mtime_ns
    except OSError:
        return ()
    return _read(file, stamp)


@lru_cache(maxsize=4)
def _read(file: Path, _: int) -> tuple[Proof, ...]:
    try:
        entries = _entries(file)
    except (OSError, Unreadable):
        return ()
    return tuple(proof for entry in entries if (proof := _proof(entry)))


def _entries(file: Path) -> list[Any]:
    """The entries of the file as they stand there.

    Raises:
        FileNotFoundError: there is no such file.
        Unreadable: it is cut off, or this version does not read its layout.

    """
    content = bounded.read_json(file, MOST_BYTES)
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise Unreadable(f"has schema_version {version}; this ganbench reads {SCHEMA_VERSION}")
    if not isinstance(entries := content.get("proofs"), list):
        raise Unreadable("has no list of proofs")
    return entries


def refuse_unreadable(file: Path | None = None) -> None:
    """Before proofs are added: writing over a file that cannot be read would lose all that are in it.

    Raises:
        UserError: the file exists and cannot be read.

    """
    file = file or path()
    try:
        _entries(file)
    except FileNotFoundError:
        return
    except Unreadable as error:
        do = "Restore it (git restore), or move it away to begin anew; its proofs would be lost"
        raise UserError(f"{error}", where=str(file), do=do) from error


def _proof(entry: Any) -> Proof | None:
    try:
        content = {key: value for key, value in entry.items() if key != "sha256"}
        proof = Proof(**{**content, "changed": tuple(content["changed"])})
        intact = identity.digest(content) == entry["sha256"]
    except (TypeError, KeyError, AttributeError, ValueError):
        return None
    seen = not set(proof.changed) & set(UNSEEN)
    return proof if intact and seen and all(asdict(proof).values()) else None


def add(new: Iterable[Proof], file: Path | None = None) -> Path:
    """Write the file with these proofs in place of older ones about the same two sets of sources.

    Raises:
        UserError: it cannot be written, or exists and cannot be read: it stays as it is.

    """
    file = file or path()
    refuse_unreadable(file)
    by_key = {(p.experiment, p.before, p.after): p for p in (*proofs(file), *new)}
    entries = [by_key[key].as_dict() for key in sorted(by_key)]
    content = {"schema_version": SCHEMA_VERSION, "proofs": entries}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(file, content)
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", where=str(file)) from error
    return file
