"""Options and output that several verbs share."""

from __future__ import annotations

import copy
import math
import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchmark.cli import complete
from benchmark.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmark.suites import Suite

F = TypeVar("F", bound="Callable[..., Any]")


class OneOf(click.Choice[str]):
    """One of a few words; for another, the closest of them is named."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Part of the message."""
        return f"there is no '{value}'. {did_you_mean(str(value), self.choices)}"


class _NamedPath(click.Path):
    """A path that is not empty, as one of an unset variable of the shell is: click takes it for `.`.

    A `~` before it is the home folder, which shells put there after a blank but not in `--out=~/results`.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not os.fspath(value):
            self.fail("it is empty. Name a path, or leave it out", param, ctx)
        return super().convert(os.path.expanduser(value), param, ctx)  # noqa: PTH111 - it may have no home


class _Number(click.FloatRange):
    """A number in a range; NaN is in none, but click lets it into each."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if math.isnan(found := super().convert(value, param, ctx)):
            self.fail(f"'{value}' is no number", param, ctx)
        return found


_STRICT: dict[type, type] = {click.Path: _NamedPath, click.FloatRange: _Number}


def strict(kind: Any) -> Any:
    """The same type of values, without those that click lets through and nobody means."""
    if type(kind) not in _STRICT:
        return kind
    found = copy.copy(kind)
    found.__class__ = _STRICT[type(kind)]
    return found


def selection(function: F) -> F:
    """The suite and what narrows or changes it; read back with `selected`."""
    return click.argument("suite", default="quick", shell_complete=complete.suites)(narrowing(function))


def _handed_on(name: str, variable: str, text: str, **kind: Any) -> Callable[[F], F]:
    """An option that goes into the environment, for everything below and the runs' processes."""

    def set_variable(_: click.Context, __: click.Parameter, value: Any) -> None:
        if value:
            os.environ[variable] = "1" if value is True else str(value.absolute())

    return click.option(name, help=text, expose_value=False, callback=set_variable, **kind)


data_dir = _handed_on(
    "--data-dir",
    "GANBENCH_DATA_DIR",
    "Where data sets are kept; default: $GANBENCH_DATA_DIR or the user's cache.",
    type=click.Path(path_type=Path, file_okay=False),
)
offline = _handed_on(
    "--offline", "GANBENCH_OFFLINE", "Never open a connection; also $GANBENCH_OFFLINE=1.", is_flag=True
)
weights = _handed_on(
    "--weights",
    "GANBENCH_WEIGHTS",
    "Weights file of the Inception extractor; default: $GANBENCH_WEIGHTS or the user's cache.",
    type=click.Path(path_type=Path, dir_okay=False),
)


patterns = click.option(
    "--experiment",
    "patterns",
    multiple=True,
    metavar="GLOB",
    help="Only matching experiments; repeatable.",
    shell_complete=complete.experiments,
)
seeds = click.option("--seeds", metavar="SEEDS", help="Other seeds than the suite's, like 0-4 or 0,2,7-9.")
force = click.option("--force", is_flag=True, help="Replace FILE if it exists.")


def narrowing(function: F) -> F:
    """What narrows or changes a suite, where to train, and where data and results live."""
    for decorate in (
        data_dir,
        weights,
        offline,
        patterns,
        seeds,
        click.option(
            "--budget",
            type=click.IntRange(min=0, max=10**9),
            metavar="N",
            help="Another budget, in G-iterations.",
        ),
        click.option(
            "--dataset",
            metavar="NAME",
            help="Train on this instead of the experiments' own data: a data set or folder:PATH@SIZE.",
        ),
        click.option(
            "--numerics",
            type=OneOf(["faithful", "portable", "bf16-mixed"]),
            help="Another profile than the suite's: torch as it is, the same bits on every machine, or "
            "mixed precision.",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            metavar="DEVICE",
            help="Where to train: cpu, cuda (every GPU), cuda:0,2 (these), or auto, which takes GPUs where "
            "torch can use them and else says why not.",
        ),
        out,
    ):
        function = decorate(function)
    return function


def _folder(_context: click.Context, _option: click.Parameter, out: Path) -> Path:
    """The results folder, which need not be there; `UserError` where a file is in its place."""
    with suppress(PermissionError):  # what wants to read or write there says so
        there = next((path for path in (out, *out.parents) if path.exists()), out)
        if there.exists() and not there.is_dir():
            raise UserError(
                f"'{there}' exists and is not a folder", where=f"--out {out}", do="Choose another folder"
            )
    return out


def out(function: F) -> F:
    """Where results live."""
    return click.option(
        "--out",
        default="results",
        show_default=True,
        type=click.Path(path_type=Path),
        callback=_folder,
        help="The results folder.",
    )(function)


def check_new_file(
    out: Path | None,
    suffixes: tuple[str, ...],
    force: bool,
    *,
    wrong: str = "unknown kind of file",
    option: str = "--out",
) -> None:
    """Refuse a file that could not be written, before anything is computed for it; None is fine.

    Raises:
        UserError: another suffix than these (said as `wrong`), no such folder, or a file without `force`.

    """
    if out is None:
        return
    where = f"{option} {out}"
    if out.suffix.lower() not in suffixes:
        *others, last = suffixes
        kinds = f"{', '.join(others)} or {last}" if others else last
        raise UserError(wrong, where=where, do=f"Name a file that ends in {kinds}")
    if not out.absolute().parent.is_dir():
        raise UserError("there is no such folder", where=where, do="Create it first")
    if out.exists() and not force:
        raise UserError("exists already", where=where, do=f"Name another file with {option}, or add --force")


def as_json(function: F) -> F:
    """Machine-readable output."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON on stdout.")(function)


def selected(
    suite: str,
    patterns: tuple[str, ...],
    seeds: str | None,
    budget: int | None,
    dataset: str | None,
    numerics: str | None,
) -> Suite:
    """The suite the options describe; raises `UserError` like `suites.load`."""
    from benchmark import suites

    return suites.load(suite).revised(
        patterns=patterns, seeds=seeds, budget=budget, dataset=dataset, numerics=numerics
    )


def experiments_of(what: Sequence[str], where: str) -> list[str]:
    """Experiments of suites (and their variants), patterns, names, in the registry's order; all without any.

    Raises:
        UserError: something that is neither; `where` says who asked.

    """
    import baselines
    from benchmark import suites
    from benchmark.suites import experiments

    registered = baselines.names()
    chosen: set[str] = set()
    for item in what:
        if item in suites.names() or item.endswith(".toml"):
            chosen.update(suites.load(item).experiments)
        elif "/" in item or set(item) & set("*?["):
            chosen.update(experiments.matching([item], registered, where))
        else:
            baselines.check_left_out(item)
            do = experiments.meant(item, [*suites.names(), *registered])
            raise UserError(f"'{item}' is neither a suite nor an experiment", where=where, do=do)
    return [name for name in baselines.names() if not what or name in chosen]


def asked_device(suite: Suite, asked: str) -> str:
    """What `--device` asks for: portable runs do not choose a GPU by themselves."""
    return "cpu" if (suite.numerics, asked) == ("portable", "auto") else asked


def resolved_device(suite: Suite, asked: str) -> str:
    """The kind of device to train on here, as specs have it."""
    from benchmark.records import devices

    return devices.choose(asked_device(suite, asked)).kind


def commands(
    suite: str,
    patterns: tuple[str, ...],
    seeds: str | None,
    budget: int | None,
    dataset: str | None,
    numerics: str | None,
    out: Path,
) -> str:
    """What to type to make a suite's results again, and its report alone."""
    from benchmark import data

    rest = [suite]
    for pattern in patterns:
        rest += ["--experiment", pattern]
    rest += ["--seeds", seeds] if seeds is not None else []
    rest += ["--budget", str(budget)] if budget is not None else []
    rest += ["--dataset", data.name_in_results(dataset)] if dataset is not None else []
    rest += ["--numerics", numerics] if numerics is not None else []
    rest += ["--out", str(out)] if str(out) != "results" else []
    typed = shlex.join(rest)
    return (
        "# train what is missing, then report\n"
        f"ganbench run {typed}\n"
        "# the report alone, from the records\n"
        f"ganbench report {typed}"
    )
