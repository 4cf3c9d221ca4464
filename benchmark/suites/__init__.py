"""Suites: which experiments, seeds, budget and protocols belong together, as TOML files.

A suite file holds::

    title = "Five baselines on embedded digits"
    experiments = ["gan/digits", "*/digits"]   # names or shell-style patterns
    seeds = "0-2"                              # or a list of integers
    gen_iters = 200                            # one budget for all, or "paper" for each experiment's own
    evaluate_every = 25                        # in G-iterations; 0 and the budget are always evaluated
    protocols = ["digits-2k"]                  # may be empty: trained and drawn, but not scored
    note = "..."                               # optional: what a reader of the numbers must know
    dataset = "folder:~/pictures@32"           # optional: train on this instead of the experiments' own data
    numerics = "portable"                      # optional: the same bits on every machine, docs/portable.md;
                                               # or "bf16-mixed", mixed precision

    [[variants]]                               # optional: other settings; this one is wgan/digits+slow
    experiment = "wgan/digits"
    name = "slow"
    settings.learning_rate = 1e-5

    [budgets]                                  # optional: other budgets than gen_iters, each with its reason
    "gan/mnist" = { gen_iters = 125_000, reason = "the paper prints none" }

    [gate]                                     # optional: rules of `ganbench check`, docs/gate.md
    alpha = 0.01
    confirm_with = "3-4"                       # seeds that confirm a regression, or "none"

    [[waiver]]                                 # optional: a failure that passes until a date
    cell = "wgan/*"
    reason = "known, see issue 12"
    expires = 2026-12-31
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import baselines
from benchmark import escape
from benchmark.errors import UserError, did_you_mean, shown
from benchmark.evaluation import protocols
from benchmark.records.fields import MOST_POINTS
from benchmark.suites import experiments, toml, variants
from benchmark.suites.gate_table import GateTable, check_confirmation, read_gate, read_waiver_table
from benchmark.suites.seeds import MAX_SEED, parse_seeds
from benchmark.training.policies import POLICIES

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = Path(__file__).parent
_NO_KEYS = ("name", "comes_with_ganbench")
NOT_SUITES = ("bench", "probes", "equivalent")
"""Names of other files where the references of suites are."""
MAX_GEN_ITERS = 10**9
"""Most G-iterations of a run."""
MAX_RUNS = 100_000
"""Of a suite. The smallest take seconds each; a plan of so many takes some."""
_OPTIONAL = ("variants", "note", "dataset", "numerics", "budgets", "gate", "waiver")


@dataclass(frozen=True)
class OwnBudget:
    """A budget that one experiment has for itself, in G-iterations, and why."""

    gen_iters: int
    reason: str


@dataclass(frozen=True)
class Suite:
    """A suite file, checked: every name in it exists and every number is in range."""

    name: str
    title: str
    experiments: tuple[str, ...]
    seeds: tuple[int, ...]
    gen_iters: int | Literal["paper"]
    evaluate_every: int
    protocols: tuple[str, ...]
    variants: tuple[str, ...] = ()
    note: str = ""
    dataset: str = ""
    numerics: str = "faithful"
    budgets: Mapping[str, OwnBudget] = field(default_factory=dict)
    gate: GateTable = field(default_factory=GateTable)
    waiver: tuple[Mapping[str, Any], ...] = ()
    comes_with_ganbench: bool = False

    def __post_init__(self) -> None:
        """Refuse more runs than anybody could mean."""
        if (runs := len(self.seeds) * len(self.experiments)) > MAX_RUNS:
            raise UserError(
                f"{len(self.seeds)} seeds of {len(self.experiments)} experiments are {runs} runs; "
                f"at most {MAX_RUNS} are planned",
                where=f"suite '{self.name}'",
                do="Choose fewer seeds, like --seeds 0-9, or some experiments, like --experiment 'wgan*'",
            )

    def budget(self, experiment: str) -> int:
        """G-iterations of one experiment; `UserError` where the suite wants the paper's and it has none."""
        if experiment in self.budgets:
            return self.budgets[experiment].gen_iters
        if self.gen_iters != "paper":
            return self.gen_iters
        printed: int | None = experiments.describe(experiment)["budget"]["gen_iters"]
        if printed is None:
            raise UserError(
                f"the paper prints no training length for '{experiment}'",
                where=f"suite '{self.name}'",
                do="Give the suite a number as gen_iters or under [budgets], or use --budget",
            )
        return printed

    def evaluate_at(self, experiment: str) -> list[int]:
        """G-iterations at which an experiment is scored: 0, every multiple, and the end."""
        budget = self.budget(experiment)
        if budget // self.evaluate_every > MOST_POINTS:
            raise UserError(
                f"{budget} G-iterations, evaluated every {self.evaluate_every}, are more than {MOST_POINTS} "
                "evaluations",
                where=f"suite '{self.name}', experiment '{experiment}'",
                do="Give it a larger evaluate_every",
            )
        return sorted({*range(0, budget, self.evaluate_every), budget})

    def confirmation(self) -> tuple[int, ...]:
        """Seeds that confirm a regression: the gate's, by default the two after the suite's last."""
        if self.gate.confirm_with is not None:
            return tuple(seed for seed in self.gate.confirm_with if seed not in self.seeds)
        last = max(self.seeds)
        return tuple(seed for seed in (last + 1, last + 2) if seed <= MAX_SEED)

    def revised(
        self,
        *,
        patterns: tuple[str, ...] = (),
        seeds: str | None = None,
        budget: int | None = None,
        dataset: str | None = None,
        numerics: str | None = None,
    ) -> Suite:
        """The suite with what the command line overrides: experiments, seeds, budget, data, numerics."""
        changes: dict[str, Any] = {}
        if patterns:
            changes["experiments"] = experiments.matching(patterns, self.experiments, "--experiment")
        if seeds is not None:
            changes["seeds"] = parse_seeds(seeds, where="--seeds")
        if budget is not None:
            changes |= {"gen_iters": budget, "budgets": {}}
        if dataset == "":  # of a variable of the shell that is not set; it would mean the experiments' own
            raise UserError("is empty", where="--dataset", do="Name a data set, or leave it out")
        if dataset is not None:
            changes["dataset"] = dataset
        if numerics is not None:
            changes["numerics"] = numerics
        return dataclasses.replace(self, **changes)


def names() -> tuple[str, ...]:
    """The suites that come with ganbench."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load(name_or_file: str) -> Suite:
    """Read a suite by name, or from a path that ends in ``.toml``.

    Raises:
        UserError: no such suite or file, malformed TOML, or a key or value that does not fit.

    """
    if name_or_file.endswith(".toml"):
        path = Path(name_or_file)
    elif name_or_file in names():
        path = _FOLDER / f"{name_or_file}.toml"
    else:
        do = did_you_mean(name_or_file, names())
        if of := [n for n in baselines.names() if name_or_file in (n, n.partition("/")[0])]:
            pattern = name_or_file if name_or_file in of else f"{name_or_file}/*"
            do = f"Name a suite that has it (`ganbench list suites`), and --experiment '{pattern}'"
        do = f"A file must end in .toml. {do}"
        raise UserError(f"unknown suite '{name_or_file}'", do=do)
    if path.stem in NOT_SUITES or path.stem.startswith(".") or path.stem != escape.visible(path.stem):
        raise UserError(f"'{path.stem}' can be no suite's name", where=name_or_file, do="Rename the file")
    return _checked(toml.read(path, "the suite"), path)


def _checked(content: dict[str, Any], path: Path) -> Suite:
    where = str(path)
    known = [field.name for field in dataclasses.fields(Suite) if field.name not in _NO_KEYS]
    for key in content:
        if key not in known:
            raise UserError(f"unknown key '{key}'", where=where, do=did_you_mean(key, known))
    for key in known:
        if key not in content and key not in _OPTIONAL:
            raise UserError(f"the key '{key}' is missing", where=where)
    patterns = _strings(content, "experiments", where)
    for pattern in patterns:
        if not set(pattern) & set("*?["):
            experiments.describe(pattern, where=f"{where}: experiments")
    for name in _strings(content, "protocols", where, at_least=0):
        try:
            protocols.get(name).check_suite()
        except UserError as error:
            raise UserError(error.what, where=f"{where}: protocols", do=error.do) from None
    seeds = parse_seeds(content["seeds"], where=f"{where}: seeds")
    gate = read_gate(content.get("gate", {}), f"{where}: gate")
    check_confirmation(gate.confirm_with, seeds, f"{where}: gate: confirm_with")
    budget = content["gen_iters"]
    if budget != "paper":
        _whole(budget, "gen_iters", where, at_least=0)
    own = [name for name in baselines.names() if "+" not in name]  # without variants of other suites
    chosen = experiments.matching(patterns, own, f"{where}: experiments")
    varied = variants.read(content.get("variants", []), f"{where}: variants", path.stem)
    chosen = (*chosen, *varied)
    return Suite(
        name=path.stem,
        comes_with_ganbench=path.parent == _FOLDER,
        title=_string(content["title"], "title", where),
        experiments=chosen,
        variants=varied,
        seeds=seeds,
        gen_iters=budget,
        evaluate_every=_whole(content["evaluate_every"], "evaluate_every", where, at_least=1),
        protocols=_strings(content, "protocols", where, at_least=0),
        note=_string(content.get("note", ""), "note", where),
        dataset=_string(content.get("dataset", ""), "dataset", where),
        numerics=_profile(content.get("numerics", "faithful"), f"{where}: numerics"),
        budgets=_budgets(content.get("budgets", {}), chosen, where),
        gate=gate,
        waiver=read_waiver_table(content.get("waiver", []), where),
    )


def _budgets(table: Any, chosen: tuple[str, ...], where: str) -> dict[str, OwnBudget]:
    where = f"{where}: budgets"
    if not isinstance(table, dict):
        raise UserError(f"must be a table, not {shown(table)}", where=where)
    found = {}
    for name, entry in table.items():
        if name not in chosen:
            raise UserError(
                f"'{name}' is no experiment of the suite", where=where, do=did_you_mean(name, chosen)
            )
        if not isinstance(entry, dict) or set(entry) != {"gen_iters", "reason"}:
            do = 'Write { gen_iters = 1000, reason = "..." }'
            raise UserError(
                f"needs gen_iters and reason, not {shown(entry)}", where=f"{where}: {name}", do=do
            )
        if not (reason := _string(entry["reason"], "reason", f"{where}: {name}")).strip():
            raise UserError(
                "the reason is empty", where=f"{where}: {name}", do="Say why it is another budget"
            )
        found[name] = OwnBudget(_whole(entry["gen_iters"], name, where, at_least=0), reason)
    return found


def _profile(value: Any, where: str) -> str:
    if not isinstance(value, str) or value not in POLICIES:
        raise UserError(f"must be one of {', '.join(POLICIES)}, not {shown(value)}", where=where)
    return str(value)


def _string(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"must be a string, not {shown(value)}", where=f"{where}: {key}")
    return value


def _strings(
    content: dict[str, Any], key: str, where: str, *, at_least: Literal[0, 1] = 1
) -> tuple[str, ...]:
    value = content[key]
    if not isinstance(value, list) or len(value) < at_least or not all(isinstance(v, str) for v in value):
        wanted = "at least one string" if at_least else "strings"
        raise UserError(f"must be a list of {wanted}, not {shown(value)}", where=f"{where}: {key}")
    return tuple(dict.fromkeys(value))


def _whole(value: Any, key: str, where: str, *, at_least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise UserError(
            f"must be a whole number of at least {at_least}, not {shown(value)}", where=f"{where}: {key}"
        )
    if value > MAX_GEN_ITERS:
        raise UserError(f"must be at most {MAX_GEN_ITERS}, not {shown(value)}", where=f"{where}: {key}")
    return value
