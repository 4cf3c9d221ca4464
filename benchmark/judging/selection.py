"""The current records of a suite, found in folders without its data, weights or device.

A machine that only judges has the records that others made, and need not be able to plan a run: a record
belongs to the suite if experiment, seed, budget, evaluation points, data set and protocols are the suite's,
and is current if its settings and the sources it names are those of this code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import baselines
from benchmark.evaluation import protocols
from benchmark.records import equivalence, identity, store
from benchmark.records.bounded import Unreadable
from benchmark.records.cells import sorted_json
from benchmark.records.loaded import LoadedRecord
from benchmark.records.quantities import named_seeds, plural
from benchmark.records.record import differing_results, inconsistent
from benchmark.suites import experiments
from benchmark.training.policies import POLICIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmark.suites import Suite

_NOT_IDENTITY = ("title", "note", "comparable_with_papers")
"""Fields of a protocol that are words, or follow from weights that need not be here."""

Trouble = Literal["failed", "damaged", "unfinished", "nondeterministic", "repeated"]


@dataclass(frozen=True)
class Broken:
    """A run without a result that can be used, and why; the seed is None where nothing tells it.

    `since_utc` is when it was last heard of, empty where nothing tells; `place` the name of its directory.
    """

    experiment: str
    seed: int | None
    cell: str
    trouble: Trouble
    reason: str
    since_utc: str = ""
    place: str = ""


@dataclass(frozen=True)
class Selection:
    """What was found.

    Attributes:
        runs: the current records, one of a cell and seed.
        broken: runs of this code without such a record, and runs with two different ones.
        stale: records and runs of the suite of other code or settings, or by another protocol of that name.
        notes: what was chosen among several records, in words.

    """

    runs: tuple[LoadedRecord, ...]
    broken: tuple[Broken, ...]
    stale: int
    notes: tuple[str, ...]


def select(
    suite: Suite, folders: Iterable[Path], seeds: Collection[int], *, newest: bool = False
) -> Selection:
    """The suite's runs below the folders, of these seeds; `newest` as `one_per_seed` has it."""
    numerics = POLICIES[suite.numerics]
    described = {name: experiments.describe(name) for name in suite.experiments}
    code = {name: identity.sources(own, numerics) for name, own in described.items()}
    found: list[LoadedRecord] = []
    broken: list[Broken] = []
    equivalent: dict[str, list[str]] = defaultdict(list)
    stale = 0
    found_in = (store.directories_with(folder, "record.json", "spec.json") for folder in folders)
    for directory in sorted({d for directories in found_in for d in directories}):
        record, damage = _read(directory)
        spec = record["spec"] if record else store.read_spec(directory)
        if spec is None:
            if damage and _may_belong(suite, directory):
                broken.append(Broken(_experiment(directory), None, "", "damaged", damage))
            continue
        if not belongs(suite, spec, seeds):
            continue
        name = spec["experiment"]["name"]
        proofs = equivalence.chain(spec["sources"], code[name], name)
        wrong = inconsistent(record) if record else ""
        alike = bool(wrong) or _values(spec["experiment"]) == _values(described[name])
        if proofs is None or not (alike and _of_protocols_now(spec)):
            stale += 1
            continue
        if proofs:
            equivalent[name].append(equivalence.said(proofs))
        if record and not wrong:
            found.append(LoadedRecord(record, directory))
        else:
            if record:
                damage = store.damaged(directory, f"its {wrong} is not that of its spec")
            broken.append(_without_record(spec, directory, damage))
    of_now = _of_current_first_stages(found)
    stale += len(found) - len(of_now)
    kept, notes, contradictions = one_per_seed(of_now, newest=newest)
    contradictions += repeated(run.record for run in kept)
    # A record does not stand for a run that ended without one after it, as with another build of torch.
    there = {(run.record["cell_id"], run.record["seed"]): run for run in kept}
    counts: tuple[Trouble, ...] = ("failed", "damaged", "unfinished") if newest else ("failed",)
    left = [b for b in broken if _outlasts(b, there.get((b.cell, b.seed)), counts)]
    if newest:
        unfinished = {(b.cell, b.seed) for b in left if b.trouble == "unfinished"}
        kept = [run for run in kept if (run.record["cell_id"], run.record["seed"]) not in unfinished]
    notes += [
        f"{name}: {plural(len(texts), 'run')} {' or '.join(sorted(set(texts)))}"
        for name, texts in sorted(equivalent.items())
    ]
    if stale:
        notes = [f"{plural(stale, 'run')} of other code, settings or protocols not counted", *notes]
    return Selection(tuple(kept), (*left, *contradictions), stale, tuple(notes))


def repeated(records: Iterable[Mapping[str, Any]]) -> list[Broken]:
    """Runs of one experiment that ended in the same weights or losses under different seeds.

    Either something ignores the seed, or a record was copied; as n seeds they would be n times the same.
    """
    first: dict[tuple[str, str, str], int] = {}
    found: list[Broken] = []
    for record in records:
        for what in ("generator_weights", "losses"):
            digest = record["digests"].get(what)
            seed = first.setdefault((record["experiment"], what, str(digest)), record["seed"])
            if digest and seed != record["seed"]:
                reason = f"has the {what.replace('_', ' ')} of seed {seed}: an ignored seed, or a copy"
                found.append(
                    Broken(record["experiment"], record["seed"], record["cell_id"], "repeated", reason)
                )
                break
    return found


def one_per_seed(
    runs: Sequence[LoadedRecord], *, newest: bool = False
) -> tuple[list[LoadedRecord], list[str], list[Broken]]:
    """One record of each cell and seed, what was chosen, and runs whose copies are not alike.

    Of several codes, the one that ran last; of several environments, the one with most seeds, then the last,
    or with `newest` the last: a gate must not be satisfied with the runs that were accepted. Of equivalent
    codes, each seed's last run.
    """
    unique, contradictions = _without_copies(runs)
    cells: dict[str, list[LoadedRecord]] = defaultdict(list)
    for run in unique:
        cells[run.record["cell_id"]].append(run)
    kept: list[LoadedRecord] = []
    notes: list[str] = []
    for own in cells.values():
        chosen, said = _of_one_cell(own, newest)
        kept += chosen
        notes += [f"{own[0].record['experiment']}: {text}" for text in said]
    kept.sort(key=lambda run: (run.record["experiment"], run.record["cell_id"], run.record["seed"]))
    return kept, notes, contradictions


def _of_one_cell(runs: Sequence[LoadedRecord], newest: bool) -> tuple[list[LoadedRecord], list[str]]:
    notes = []
    by_code = _by(runs, lambda run: equivalence.code(run.record["spec"]["sources"], run.record["experiment"]))
    code = max(by_code, key=_finished)
    if len(by_code) > 1:
        notes.append(f"of {len(by_code)} codes the one that ran last counts")
    groups = _by(code, lambda run: run.record["env_id"])
    by_env = sorted(groups, key=lambda own: (0 if newest else len(own), _finished(own)))
    chosen: dict[int, LoadedRecord] = {}
    for members in reversed(by_env):
        for run in reversed(members):
            chosen.setdefault(run.record["seed"], run)
    environments = {run.record["env_id"] for run in chosen.values()}
    if len(chosen) < len(code):
        best = by_env[-1][0].record["env_id"][:8]
        times = Counter(run.record["seed"] for run in code)
        twice = [seed for seed in chosen if times[seed] > 1]
        notes.append(f"{named_seeds(twice)} were run in several environments; {best} counts first")
    if len(environments) > 1:
        notes.append(f"its seeds are of {len(environments)} environments")
    return list(chosen.values()), notes


def _without_copies(runs: Sequence[LoadedRecord]) -> tuple[list[LoadedRecord], list[Broken]]:
    kept: dict[tuple[str, str], LoadedRecord] = {}
    differing: dict[tuple[str, str], Broken] = {}
    for run in sorted(runs, key=lambda r: (_finished([r]), r.directory.as_posix())):
        record = run.record
        key = (record["run_id"], record["env_id"])
        first = kept.setdefault(key, run)
        if first is not run and differing_results(first.record, record):
            reason = f"two records of one run in one environment differ: {first.directory}, {run.directory}"
            differing[key] = Broken(
                record["experiment"], record["seed"], record["cell_id"], "nondeterministic", reason
            )
    return list(kept.values()), list(differing.values())


def _read(directory: Path) -> tuple[dict[str, Any] | None, str]:
    """The record, or why it cannot be read; neither where there is none."""
    try:
        return store.load_record(directory), ""
    except FileNotFoundError:
        return None, ""
    except Unreadable as error:
        return None, store.damaged(directory, error)


def _experiment(directory: Path) -> str:
    """By the place of the directory, which is all that is known where nothing in it can be read."""
    return f"{directory.parent.parent.name}/{directory.parent.name}"


def _may_belong(suite: Suite, directory: Path) -> bool:
    name = _experiment(directory)
    return name in suite.experiments or name not in baselines.names()


def belongs(suite: Suite, spec: Mapping[str, Any], seeds: Collection[int]) -> bool:
    """Whether the spec is of a run of the suite."""
    name = spec["experiment"]["name"]
    if name not in suite.experiments or spec["seed"] not in seeds:
        return False
    wanted = suite.dataset or experiments.describe(name)["dataset"]
    data = spec["dataset"]["name"]
    # What a folder of images holds is known only where it is: any will do, and makes a cell of its own.
    same_data = data.startswith("folder#") if wanted.startswith("folder:") else data == wanted
    return bool(
        same_data
        and spec["gen_iters"] == suite.budget(name)
        and spec["evaluate_at"] == suite.evaluate_at(name)
        and [protocol["name"] for protocol in spec["protocols"]] == list(suite.protocols)
        and identity.profile(spec["numerics"]) == suite.numerics
    )


def _values(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Settings; those of a variant are in the suite's file, which is no source."""
    return {name: setting["value"] for name, setting in experiment["settings"].items()}


def _of_protocols_now(spec: Mapping[str, Any]) -> bool:
    """Whether the protocols are what is called so now; digests of files that are not here aside."""
    for then in spec["protocols"]:
        now = protocols.get(then["name"]).as_dict()
        known = {k: v for k, v in now.items() if k not in _NOT_IDENTITY and v != ""}
        if sorted_json({k: then.get(k) for k in known}) != sorted_json(known):
            return False
    return True


def _without_record(spec: dict[str, Any], directory: Path, damage: str) -> Broken:
    state = store.state(directory)
    trouble: Trouble = "damaged" if damage else "failed" if state.name == "failed" else "unfinished"
    reason = damage or f"{state.text()}, see {directory}"
    since = str(store.last_event(directory).get("utc", ""))
    name, seed, cell = spec["experiment"]["name"], spec["seed"], identity.cell_id(spec)
    return Broken(name, seed, cell, trouble, reason, since, directory.name)


def _outlasts(broken: Broken, run: LoadedRecord | None, counts: Collection[Trouble]) -> bool:
    """Whether it is told beside the record of its cell and seed; a copy of that very run is only damaged."""
    if run is None:
        return True
    copy = broken.trouble != "failed" and broken.place == run.directory.name
    return broken.trouble in counts and not copy and broken.since_utc > _finished([run])


def _of_current_first_stages(runs: Sequence[LoadedRecord]) -> list[LoadedRecord]:
    """Without second stages whose first is of another cell than the suite's, or of none that is known."""
    cells: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        cells[run.record["experiment"]].add(run.record["cell_id"])

    def current(run: LoadedRecord) -> bool:
        before = run.record["spec"].get("starts_from")
        first = cells.get(before["experiment"]) if before else None
        return before is None or ("cell_id" in before and (first is None or before["cell_id"] in first))

    return [run for run in runs if current(run)]


def _finished(runs: Iterable[LoadedRecord]) -> str:
    return max(str(run.record["provenance"].get("finished_utc", "")) for run in runs)


def _by(runs: Iterable[LoadedRecord], key: Any) -> list[list[LoadedRecord]]:
    groups: dict[str, list[LoadedRecord]] = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return list(groups.values())
