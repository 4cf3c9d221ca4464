"""From a suite to its runs and what each of them still needs."""

from __future__ import annotations

import math
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.records import devices, environment, equivalence, identity, store
from benchmark.suites.spec import spec_without_seed
from benchmark.training.policies import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.suites import Suite


@dataclass(frozen=True)
class PlannedRun:
    """One run of a suite: its spec, where it lives, what state it is in."""

    spec: dict[str, Any]
    run_id: str
    env_id: str
    directory: Path
    state: store.RunState
    after: Path | None = None
    """Directory of the run whose generator this one starts from."""
    equivalent: str = ""
    """How it is known that its sources, which are not those of now, compute the same; else empty."""

    @property
    def experiment(self) -> str:
        """``baseline/experiment``."""
        return str(self.spec["experiment"]["name"])

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.spec["seed"])

    @property
    def gen_iters(self) -> int:
        """The budget."""
        return int(self.spec["gen_iters"])

    @property
    def label(self) -> str:
        """`gan/digits seed 0`."""
        return f"{self.experiment} seed {self.seed}"


def plan(
    suite: Suite, out: Path, device: str, *, anywhere: bool = False, elsewhere: bool = False
) -> list[PlannedRun]:
    """All runs of a suite, seed by seed, so that every experiment has its first seed early. Writes nothing.

    Args:
        suite: what to run.
        out: the results folder.
        device: ``cpu`` or ``cuda``.
        anywhere: whether it may be a device that this machine does not have: the runs' environment is not
            known then (`env_id` is empty), and those of any environment count.
        elsewhere: whether the runs are made on other machines, so that it is not known in any case.

    Raises:
        UserError: a data set that this version does not have, a budget that the paper does not print, a
            device that is not there, or an experiment without the one it starts from.

    """
    env_id = _env_id(device, POLICIES[suite.numerics], anywhere=anywhere, elsewhere=elsewhere)
    planner = _Planner(suite, out, device, env_id)
    runs = [planner.run(name, seed) for seed in suite.seeds for name in suite.experiments]
    for run in runs:
        before = run.spec["experiment"]["starts_from"]
        if run.after and before not in suite.experiments and store.state(run.after).name != "done":
            raise UserError(
                f"starts from '{before}', which the suite does not have",
                where=f"experiment '{run.experiment}'",
                do="Choose both",
            )
    return runs


class _Planner:
    """Plans the runs of a suite; what does not depend on the seed is found once."""

    def __init__(self, suite: Suite, out: Path, device: str, env_id: str) -> None:
        self._suite, self._out, self._device, self._env_id = suite, out, device, env_id
        self._specs: dict[str, dict[str, Any]] = {}
        self._cells: dict[str, str] = {}
        self._there = cache(partial(_There, out))
        self._runs: dict[tuple[str, int], PlannedRun] = {}

    def run(self, name: str, seed: int) -> PlannedRun:
        """The run, after the one it starts from, if any."""
        if (name, seed) not in self._runs:
            self._runs[name, seed] = self._planned(name, seed)
        return self._runs[name, seed]

    def _planned(self, name: str, seed: int) -> PlannedRun:
        if name not in self._specs:
            self._specs[name] = spec_without_seed(self._suite, name, self._device)
            self._cells[name] = identity.cell_id(self._specs[name])
        spec, after = {**self._specs[name], "seed": seed}, None
        if before := spec["experiment"]["starts_from"]:
            first = self.run(before, seed)
            own = {"experiment": before, "run_id": first.run_id, "cell_id": identity.cell_id(first.spec)}
            spec["starts_from"], after = own, first.directory
        run_id = identity.run_id(spec, self._cell(spec))
        if not self._env_id:
            return self._somewhere(spec, run_id, after)
        directory = store.run_directory(self._out, name, run_id, self._env_id)
        state = store.state(directory, of_its_name=True)
        if state.name == "not run":
            if twin := self._equivalent(spec):
                return replace(twin, after=after)
            if old := _older_run(self._there(name), spec, self._cell(spec), directory):
                state = store.RunState("stale", reason=old)
        return PlannedRun(spec, run_id, self._env_id, directory, state, after)

    def _cell(self, spec: dict[str, Any]) -> str:
        """Of a second stage its first stage's cell is a part."""
        return identity.cell_id(spec) if "starts_from" in spec else self._cells[spec["experiment"]["name"]]

    def _somewhere(self, spec: dict[str, Any], run_id: str, after: Path | None) -> PlannedRun:
        """The run in whatever environment it got furthest."""
        name = spec["experiment"]["name"]
        place = store.run_directory(self._out, name, run_id, "")
        states = {
            there: store.state(there, of_its_name=True) for there in self._there(name).named(place.name)
        }
        if not states:
            if twin := self._equivalent(spec):
                return replace(twin, after=after)
            return PlannedRun(spec, run_id, "", place, store.state(place), after)
        best = max(states, key=lambda there: (states[there].finished, states[there].gen_iters))
        return PlannedRun(spec, run_id, "", best, states[best], after)

    def _equivalent(self, spec: dict[str, Any]) -> PlannedRun | None:
        """A run of this cell and seed in the environment whose sources are known to compute the same.

        Finished, or begun, and then continued by the sources of now. Its state says that it is one.
        """
        found: list[PlannedRun] = []
        name = spec["experiment"]["name"]
        for directory in self._there(name).of(self._cell(spec), spec["seed"]):
            if (other := store.read_spec(directory)) is None:
                continue
            run_id = identity.run_id(other)
            proofs = equivalence.chain(other["sources"], spec["sources"], name)
            place = store.run_directory(self._out, name, run_id, self._env_id)
            in_its_place = directory == place if self._env_id else directory.name.startswith(place.name)
            if not proofs or not in_its_place or other.get("starts_from") != spec.get("starts_from"):
                continue
            state, said = store.state(directory), equivalence.said(proofs)
            if state.finished:
                state = replace(state, reason=said)
            if state.finished or state.gen_iters:
                found.append(PlannedRun(other, run_id, self._env_id, directory, state, equivalent=said))
        return max(found, key=lambda run: (run.state.finished, run.state.gen_iters), default=None)


def _env_id(device: str, policy: dict[str, Any], *, anywhere: bool, elsewhere: bool) -> str:
    """The environment's id; empty `elsewhere`, and where `anywhere` is allowed and the device is not here."""
    if identity.is_portable(policy):
        return identity.env_id({}, policy)
    if elsewhere:
        return ""
    if anywhere and device == "cuda" and devices.why_no_gpu():
        return ""
    return identity.env_id(environment.describe(device), policy)


class _There:
    """The run directories of an experiment, but those set aside; looked through once for all its runs."""

    def __init__(self, out: Path, experiment: str) -> None:
        found = (out / "runs" / experiment).glob("*")
        self._directories = sorted(there for there in found if not store.is_set_aside(there))

    def named(self, start: str) -> list[Path]:
        """Those whose names begin with the first part of a name, up to and with its dash."""
        return self._by_name.get(start, [])

    def of(self, cell: str, seed: int) -> list[Path]:
        """Those of a cell and seed."""
        return self._by_cell.get((cell, seed), [])

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found = defaultdict(list)
        for directory in self._directories:
            found[directory.name.partition("-")[0] + "-"].append(directory)
        return found

    @cached_property
    def _by_cell(self) -> dict[tuple[str, int], list[Path]]:
        found = defaultdict(list)
        for directory in self._directories:
            spec = store.read_spec(directory) or (store.read_record(directory) or {}).get("spec", {})
            with suppress(KeyError, TypeError, AttributeError):  # damaged
                found[identity.cell_id(spec), spec["seed"]].append(directory)
        return found


def expected_seconds(runs: list[PlannedRun], out: Path) -> dict[str, float]:
    """Wall seconds per run and experiment, scaled from finished runs of it in `out`; absent where none is.

    At least 0 and finite, whatever the records say.
    """
    found: dict[str, float] = {}
    for name, gen_iters in {run.experiment: run.gen_iters for run in reversed(runs)}.items():
        rates = []
        for directory in sorted((out / "runs" / name).glob("*")):
            record = store.read_record(directory)
            if record and record["gen_iters"] and record["status"] == "done":
                timing = record["timing"]
                startup_s = min(timing["startup_s"], timing["wall_s"])  # it is a part of the whole
                per_iteration = (timing["wall_s"] - startup_s) / record["gen_iters"]
                rates.append(startup_s + per_iteration * gen_iters)
        rates = [rate for rate in rates if math.isfinite(rate)]
        if rates:
            found[name] = sum(rates) / len(rates)
    return found


def _older_run(there: _There, spec: dict[str, Any], cell: str, own: Path) -> str:
    """Why an existing run of the same cell and seed does not count; empty when there is none."""
    for directory in there.of(cell, spec["seed"]):
        record = store.read_record(directory)
        if directory == own or record is None:
            continue
        if record["cell_id"] != cell or record["seed"] != spec["seed"]:
            continue
        changed = sorted(
            name
            for name in {**record["spec"]["sources"], **spec["sources"]}
            if record["spec"]["sources"].get(name) != spec["sources"].get(name)
        )
        return f"{changed[0]} has changed since" if changed else "made in another environment"
    return ""
