"""Which records may be averaged: those of one cell, one code and distinct seeds."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from benchmark.records import equivalence, identity
from benchmark.records.loaded import LoadedRecord, MissingRun
from benchmark.records.quantities import finite


@dataclass(frozen=True)
class Cell:
    """Runs that differ in nothing but the seed (and perhaps the environment, which is flagged)."""

    label: str
    runs: tuple[LoadedRecord, ...]
    missing: tuple[MissingRun, ...] = ()

    @cached_property
    def records(self) -> tuple[dict[str, Any], ...]:
        """The records by seed."""
        return tuple(run.record for run in self.runs)

    @property
    def first(self) -> dict[str, Any]:
        """The record of the lowest seed; what a cell fixes is equal in all."""
        return self.records[0]

    @property
    def experiment(self) -> dict[str, Any]:
        """The resolved experiment as written in the record's spec."""
        spec: dict[str, Any] = self.first["spec"]["experiment"]
        return spec

    @property
    def finished(self) -> tuple[dict[str, Any], ...]:
        """Records that reached the budget; only these enter a mean."""
        return tuple(r for r in self.records if r["status"] == "done")

    @property
    def diverged(self) -> tuple[dict[str, Any], ...]:
        """Records that ended in non-finite numbers."""
        return tuple(r for r in self.records if r["status"] != "done")

    @property
    def env_ids(self) -> tuple[str, ...]:
        """The distinct environments."""
        return tuple(sorted({r["env_id"] for r in self.records}))


@dataclass(frozen=True)
class Grouping:
    """All cells in reading order, and what has no place in one.

    `absent`: runs of experiments without any record; `unplaced`: missing runs of an experiment with several
    cells; `notes`: remarks on what was kept apart.
    """

    cells: tuple[Cell, ...]
    absent: tuple[MissingRun, ...]
    unplaced: tuple[MissingRun, ...]
    notes: tuple[str, ...]


def sorted_json(value: Any) -> str:
    """JSON with sorted keys: equal text means equal data."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def group(runs: Sequence[LoadedRecord], missing: Sequence[MissingRun] = ()) -> Grouping:
    """Cells by paper year, then name, whatever the order of the records.

    Runs of one cell whose sources differ are kept apart; so are environments, where a seed would count twice.
    """
    unique, notes = _without_copies(runs)
    by_experiment: dict[str, list[list[LoadedRecord]]] = defaultdict(list)
    for parts in _averageable(unique):
        by_experiment[parts[0].record["experiment"]].append(parts)
    missing = sorted(set(missing), key=lambda m: (m.experiment, m.seed, m.state))
    cells: list[Cell] = []
    unplaced: list[MissingRun] = []
    for experiment in sorted(by_experiment, key=lambda e: (_year(by_experiment[e][0][0].record), e)):
        parts_of = by_experiment[experiment]
        own = tuple(m for m in missing if m.experiment == experiment)
        for parts in parts_of:
            if proofs := _proofs(parts):
                notes.append(f"{experiment}: some runs were {proofs}.")
        if len(parts_of) == 1:
            cells.append(Cell(_label(parts_of[0], parts_of), tuple(parts_of[0]), own))
            continue
        unplaced.extend(own)
        apart = [Cell(_label(parts, parts_of), tuple(parts)) for parts in parts_of]
        cells.extend(apart)
        notes.append(
            f"{experiment} has {len(apart)} sets of runs that must not be averaged, shown as "
            f"{' and '.join(c.label for c in apart)}; they differ in {_differences(apart)}."
        )
    cells = _distinct_labels(cells)
    absent = tuple(m for m in missing if m.experiment not in by_experiment)
    return Grouping(tuple(cells), absent, tuple(unplaced), tuple(notes))


def score(point: dict[str, Any] | None, protocol: str, metric: str) -> float | None:
    """Read the finite score at a curve point (or `final`), or None."""
    return finite(((point or {}).get("scores") or {}).get(protocol, {}).get(metric))


def paper_text(experiment: dict[str, Any]) -> str:
    """Citation of the experiment's paper, recorded as text or as {key, citation, arxiv}."""
    paper = experiment.get("paper") or ""
    if not isinstance(paper, dict):
        return str(paper)
    arxiv = f" (arXiv:{paper['arxiv']})" if paper.get("arxiv") else ""
    return f"{paper.get('citation') or paper.get('key', '')}{arxiv}"


def _without_copies(runs: Sequence[LoadedRecord]) -> tuple[list[LoadedRecord], list[str]]:
    kept: dict[tuple[str, str], LoadedRecord] = {}
    notes = []
    for run in sorted(
        runs, key=lambda r: (r.record["seed"], r.record["run_id"], r.record["env_id"], r.directory.as_posix())
    ):
        first = kept.setdefault((run.record["run_id"], run.record["env_id"]), run)
        if first is not run:
            same = sorted_json(first.record["curve"]) == sorted_json(run.record["curve"])
            notes.append(
                f"Run {run.record['run_id'][:12]} ({run.record['experiment']}, seed {run.record['seed']}) "
                f"was given more than once, with {'equal' if same else 'DIFFERENT'} scores; "
                "the first directory in name order counts."
            )
    return list(kept.values()), notes


def _averageable(runs: Iterable[LoadedRecord]) -> Iterator[list[LoadedRecord]]:
    groups: dict[tuple[str, ...], list[LoadedRecord]] = defaultdict(list)
    for run in runs:
        groups[run.record["experiment"], run.record["cell_id"], _code(run)].append(run)
    for key in sorted(groups):
        members = _last_of_each_seed(groups[key])
        if len({m.record["seed"] for m in members}) == len(members):
            yield members
            continue
        for env_id in sorted({m.record["env_id"] for m in members}):
            yield [m for m in members if m.record["env_id"] == env_id]


def _last_of_each_seed(runs: Sequence[LoadedRecord]) -> list[LoadedRecord]:
    """Of runs of one seed in one environment by equivalent sources, which are one run, the last."""
    last: dict[tuple[int, str], LoadedRecord] = {}
    for run in sorted(runs, key=lambda r: str(r.record.get("provenance", {}).get("finished_utc", ""))):
        last[run.record["seed"], run.record["env_id"]] = run
    return [run for run in runs if last[run.record["seed"], run.record["env_id"]] is run]


def _code(run: LoadedRecord) -> str:
    return equivalence.code(run.record["spec"].get("sources", {}), run.record["experiment"])


def _proofs(runs: Sequence[LoadedRecord]) -> str:
    """How it is known that runs of several sources may be averaged; empty where they are of one."""
    first, *others = ({**run.record["spec"].get("sources", {})} for run in runs)
    chains = (equivalence.chain(first, other, runs[0].record["experiment"]) for other in others)
    return equivalence.said(dict.fromkeys(proof for chain in chains for proof in chain or ()))


def numerics(record: dict[str, Any]) -> str:
    """The profile of numerics that a run was computed in."""
    return identity.profile(record["spec"].get("numerics") or {})


def _label(parts: list[LoadedRecord], siblings: list[list[LoadedRecord]]) -> str:
    """The experiment, with the profile where it is not the usual one, and with what keeps the runs apart."""
    record = parts[0].record
    profile = numerics(record)
    label = record["experiment"] if profile == "faithful" else f"{record['experiment']} [{profile}]"
    alike = [other for other in siblings if numerics(other[0].record) == profile]
    return label if len(alike) == 1 else f"{label} [{_tag(parts, alike)}]"


def _tag(parts: list[LoadedRecord], siblings: list[list[LoadedRecord]]) -> str:
    def differs(read: Any) -> bool:
        return len({read(s[0]) for s in siblings}) > 1

    record = parts[0].record
    if differs(lambda run: run.record["gen_iters"]):
        return f"{record['gen_iters']} G-iterations"
    if differs(lambda run: run.record["cell_id"]):
        return f"cell {record['cell_id'][:8]}"
    if differs(_code):
        return f"run {record['run_id'][:8]}"
    return f"environment {record['env_id'][:8]}"


def _distinct_labels(cells: list[Cell]) -> list[Cell]:
    labels = [cell.label for cell in cells]
    return [
        cell
        if labels.count(cell.label) == 1
        else replace(
            cell, label=f"{cell.label} [run {cell.first['run_id'][:8]}, env {cell.first['env_id'][:8]}]"
        )
        for cell in cells
    ]


def _differences(cells: Sequence[Cell], limit: int = 4) -> str:
    leaves = [dict(_leaves({"gen_iters": c.first["gen_iters"], **c.first["spec"]})) for c in cells]
    keys = sorted(k for k in set().union(*leaves) if len({leaf.get(k) for leaf in leaves}) > 1)
    if not keys:
        return "the environment only"
    return ", ".join(keys[:limit]) + (f" and {len(keys) - limit} more" if len(keys) > limit else "")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and {"value", "source"} <= value.keys():
        yield path, sorted_json(value["value"])
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, sorted_json(value)


def _year(record: dict[str, Any]) -> int:
    found = re.findall(r"\b(?:19|20)\d\d\b", paper_text(record["spec"]["experiment"]))
    return int(found[0]) if found else 9999
