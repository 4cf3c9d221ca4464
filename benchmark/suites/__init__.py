"""Suites: which experiments, seeds, budget and protocols belong together, as TOML files. Imports no torch.

A suite file holds::

    title = "Five baselines on embedded digits"
    experiments = ["gan/digits", "*/digits"]   # names or shell-style patterns
    seeds = "0-2"                              # or a list of integers
    gen_iters = 200                            # one budget for all, or "paper" for each experiment's own
    evaluate_every = 25                        # in G-iterations; 0 and the budget are always evaluated
    protocols = ["digits-2k"]
    note = "..."                               # optional: what a reader of the numbers must know
    dataset = "folder:~/pictures@32"           # optional: train on this instead of the experiments' own data
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import baselines
from benchmark import experiments
from benchmark.errors import UserError, did_you_mean
from benchmark.evaluation import protocols
from benchmark.suites.seeds import parse_seeds

_FOLDER = Path(__file__).parent


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
    note: str = ""
    dataset: str = ""

    def budget(self, experiment: str) -> int:
        """G-iterations of one experiment; `UserError` where the suite wants the paper's and it has none."""
        if self.gen_iters != "paper":
            return self.gen_iters
        printed: int | None = experiments.describe(experiment)["budget"]["gen_iters"]
        if printed is None:
            raise UserError(
                f"the paper prints no training length for '{experiment}'",
                where=f"suite '{self.name}'",
                do="Give the suite a number as gen_iters, or use --budget",
            )
        return printed

    def evaluate_at(self, experiment: str) -> list[int]:
        """G-iterations at which an experiment is scored: 0, every multiple, and the end."""
        budget = self.budget(experiment)
        return sorted({*range(0, budget, self.evaluate_every), budget})

    def revised(
        self,
        *,
        patterns: tuple[str, ...] = (),
        seeds: str | None = None,
        budget: int | None = None,
        dataset: str | None = None,
    ) -> Suite:
        """The suite with what the command line overrides: fewer experiments, other seeds, budget or data."""
        changes: dict[str, Any] = {}
        if patterns:
            changes["experiments"] = experiments.matching(patterns, self.experiments, "--experiment")
        if seeds is not None:
            changes["seeds"] = parse_seeds(seeds, where="--seeds")
        if budget is not None:
            changes["gen_iters"] = budget
        if dataset is not None:
            changes["dataset"] = dataset
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
        raise UserError(
            f"unknown suite '{name_or_file}'",
            do="A file must end in .toml. " + did_you_mean(name_or_file, names()),
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read the suite ({error.strerror})", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"not a TOML file ({error})", where=str(path)) from error
    return _checked(content, path)


def _checked(content: dict[str, Any], path: Path) -> Suite:
    where = str(path)
    known = [field.name for field in dataclasses.fields(Suite) if field.name != "name"]
    for key in content:
        if key not in known:
            raise UserError(f"unknown key '{key}'", where=where, do=did_you_mean(key, known))
    for key in known:
        if key not in content and key not in ("note", "dataset"):
            raise UserError(f"the key '{key}' is missing", where=where)
    patterns = _strings(content, "experiments", where)
    for pattern in patterns:
        if not set(pattern) & set("*?["):
            experiments.describe(pattern, where=f"{where}: experiments")
    for name in _strings(content, "protocols", where):
        try:
            protocols.get(name)
        except UserError as error:
            raise UserError(error.what, where=f"{where}: protocols", do=error.do) from None
    budget = content["gen_iters"]
    if budget != "paper":
        _whole(budget, "gen_iters", where, at_least=0)
    return Suite(
        name=path.stem,
        title=_string(content["title"], "title", where),
        experiments=experiments.matching(patterns, baselines.names(), f"{where}: experiments"),
        seeds=parse_seeds(content["seeds"], where=f"{where}: seeds"),
        gen_iters=budget,
        evaluate_every=_whole(content["evaluate_every"], "evaluate_every", where, at_least=1),
        protocols=_strings(content, "protocols", where),
        note=_string(content.get("note", ""), "note", where),
        dataset=_string(content.get("dataset", ""), "dataset", where),
    )


def _string(value: Any, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"must be a string, not {value!r}", where=f"{where}: {key}")
    return value


def _strings(content: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = content[key]
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise UserError(f"must be a list of at least one string, not {value!r}", where=f"{where}: {key}")
    return tuple(dict.fromkeys(value))


def _whole(value: Any, key: str, where: str, *, at_least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise UserError(
            f"must be a whole number of at least {at_least}, not {value!r}", where=f"{where}: {key}"
        )
    return value
