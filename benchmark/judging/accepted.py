"""The reference of a suite: accepted records in one file that is committed.

Keys: `results/README.md`. Records are whole and sealed, in the order of experiments and seeds, so that a diff
of the file shows what was accepted in place of what.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.records import atomic, bounded, equivalence, record, shipped
from benchmark.records.bounded import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmark.suites import Suite

    Record = Mapping[str, Any]

SCHEMA_VERSION = 1
MOST_BYTES = 512 * bounded.MIB
_AGAIN = "Take it from git, or move it away and accept runs that you believe in"


def path_of(suite: Suite, out: Path) -> Path:
    """Where `ganbench accept` puts the reference of a suite by default."""
    return out / "reference" / f"{suite.name}.json"


def find(suite: Suite, out: Path, given: Path | None = None) -> Path:
    """The reference to compare with: the one given, else that of the results folder, else ganbench's own.

    Raises:
        UserError: the one given is not there.

    """
    return shipped.find(path_of(suite, out), given, comes_with_ganbench=suite.comes_with_ganbench)


def read(path: Path) -> list[dict[str, Any]] | None:
    """The accepted records, None where there is no such file.

    Raises:
        UserError: it cannot be read, or is not what `write` wrote; names the record that was edited.

    """
    try:
        content = bounded.read(path, MOST_BYTES)
    except FileNotFoundError:
        return None
    except Unreadable as error:
        raise UserError(f"cannot be read: it {error}", where=str(path)) from error
    return parse(content, str(path))


def refuse_forged(records: Iterable[Record], where: Path) -> None:
    """Refuse a reference to judge by of which a record is not what its own spec says.

    Raises:
        UserError: names the record and the part.

    """
    for one in records:
        if wrong := record.inconsistent(one):
            name = f"{one['experiment']} seed {one['seed']}"
            raise UserError(f"the {wrong} of {name} is not that of its spec", where=str(where), do=_AGAIN)


def parse(text: bytes, where: str) -> list[dict[str, Any]]:
    """The records of a reference's text; raises as `read` does."""
    try:
        content = bounded.parse(text)
        version, records = content["schema_version"], content["records"]
        names = [f"{r['experiment']} seed {r['seed']}" for r in records]
        seeds = [(r["cell_id"], r["seed"]) for r in records]
    except Unreadable as error:
        raise UserError(f"is no reference of ganbench: it {error}", where=where, do=_AGAIN) from None
    except (TypeError, KeyError):
        raise UserError("is no reference of ganbench", where=where, do=_AGAIN) from None
    if version != SCHEMA_VERSION:
        raise UserError(f"has schema {version}; this version reads {SCHEMA_VERSION}", where=where, do=_AGAIN)
    for name, one in zip(names, records, strict=True):
        try:
            record.check(one)
        except Unreadable as error:
            raise UserError(f"the record of {name} {error}", where=where, do=_AGAIN) from None
    for name, seed in zip(names, seeds, strict=True):
        if seeds.count(seed) > 1:
            raise UserError(f"there are two records of {name}", where=where, do=_AGAIN)
    return list(records)


def extended(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """`new`, and what was accepted of other experiments and seeds.

    Raises:
        UserError: an accepted seed of one of these experiments is of another cell, code or environment, so
            the seeds would be no sample of one thing.

    """
    made = {(r["experiment"], r["seed"]) for r in new}
    kept = [r for r in old if (r["experiment"], r["seed"]) not in made]
    for before in kept:
        for now in (r for r in new if r["experiment"] == before["experiment"]):
            if differs := _difference(before, now):
                raise UserError(
                    f"{differs} for seed {before['seed']}, which is accepted, than for seed {now['seed']}",
                    where=str(now["experiment"]),
                    do=f"Run seed {before['seed']} again too, or accept without --add what is to replace it",
                )
    return [*kept, *new]


def _difference(a: Record, b: Record) -> str:
    """What keeps two seeds of an experiment from being one sample, in words; empty if nothing does."""
    if a["cell_id"] != b["cell_id"]:
        return "other settings, data, budget or protocols"
    if not equivalence.same(a["spec"]["sources"], b["spec"]["sources"], a["spec"]["experiment"]["name"]):
        return "other code"
    return "" if a["env_id"] == b["env_id"] else "another environment"


def write(path: Path, suite: str, records: Iterable[Record]) -> None:
    """Write the file whole or not at all; equal records in any order give equal bytes.

    Raises:
        UserError: it cannot be written.

    """
    ordered = sorted(records, key=lambda r: (r["experiment"], r["cell_id"], r["seed"]))
    content = {"schema_version": SCHEMA_VERSION, "suite": suite, "records": ordered}
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, (text + "\n").encode("utf-8"))
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", where=str(path)) from error
