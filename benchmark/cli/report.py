"""`ganbench report`: the report from records alone."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli import complete
from benchmark.cli.options import as_json, commands, narrowing, resolved_device, selected
from benchmark.cli.streams import echo, print_json
from benchmark.errors import NothingToJudge, UserError, did_you_mean
from benchmark.report import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.judging.history import Story
    from benchmark.suites import Suite


@click.command()
@click.argument("what", nargs=-1, metavar="[SUITE | DIR...]", shell_complete=complete.suites)
@click.option(
    "--format", "formats", default=",".join(FORMATS), show_default=True, help="Formats, separated by commas."
)
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write; default: OUT/reports/NAME.")
@click.option(
    "--history",
    "references",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="REF",
    help="What this reference file accepted, by commit; several may follow. Without SUITE: that alone.",
)
@narrowing
@as_json
def report(
    what: tuple[str, ...],
    formats: str,
    to: Path | None,
    references: tuple[Path, ...],
    patterns: tuple[str, ...],
    seeds: str | None,
    budget: int | None,
    dataset: str | None,
    numerics: str | None,
    device: str,
    out: Path,
    json_: bool,
) -> None:
    r"""Write the report of a SUITE's runs, or of every record below one or more folders.

    \b
    ganbench report quick
    ganbench report ci-shard-1 ci-shard-2 --to merged
    ganbench report --history results/reference/quick.json
    """
    from benchmark import suites

    history = None
    narrowed = bool(patterns or seeds is not None or budget is not None or dataset or numerics)
    narrowed |= device != "auto"
    if references:
        from benchmark.cli import history as histories

        references += tuple(Path(item) for item in what if item.endswith(".json"))
        what = tuple(item for item in what if not item.endswith(".json"))
        history = histories.read(references)
        if not what:
            if narrowed or formats != ",".join(FORMATS):
                what_goes = "--format and what narrows a suite mean nothing for a history alone"
                raise UserError(what_goes, do="Leave them out, or name the suite")
            histories.write(history, to or out / "reports" / "history", json_)
            return
    form = _Form(
        [name.strip() for name in formats.split(",") if name.strip()],
        to,
        [shlex.join(["--history", str(path)]) for path in references],
        history,
    )
    folders = [Path(item) for item in what if Path(item).is_dir() and item not in suites.names()]
    for item in what:
        if Path(item) not in folders and item not in suites.names() and not item.endswith(".toml"):
            do = f"Name a folder with records or one suite. {did_you_mean(item, suites.names())}"
            raise UserError(f"'{item}' is neither a folder nor a suite", do=do)
    if folders and len(folders) != len(what):
        other = next(item for item in what if Path(item) not in folders)
        raise UserError(f"'{other}' is not a folder", do="Give either one suite or folders with records")
    if folders and narrowed:
        raise UserError(
            "what narrows or changes a suite, and --device, go with a suite, not with folders",
            do="Leave them out, or name the suite",
        )
    if folders:
        files = _of_folders(what, out, form)
    else:
        if len(what) > 1:
            raise UserError("more than one suite", do="Give one suite, or folders with records")
        name = what[0] if what else "quick"
        suite = selected(name, patterns, seeds, budget, dataset, numerics)
        again = commands(name, patterns, seeds, budget, dataset, numerics, out)
        files = _of_suite(suite, name, resolved_device(suite, device), out, again, form)
    if json_:
        print_json([str(file) for file in files])
        return
    for file in files:
        echo(file)


@dataclass(frozen=True)
class _Form:
    """Of a report, whatever it is about: formats, folder, options to say again, what was accepted when."""

    formats: list[str]
    to: Path | None
    told: list[str]
    history: tuple[Sequence[Story], Sequence[str]] | None


def _of_folders(what: tuple[str, ...], out: Path, form: _Form) -> list[Path]:
    """Of every record below these folders.

    Raises:
        NothingToJudge: there is none.

    """
    from benchmark.cli import results
    from benchmark.cli.text import note
    from benchmark.records import store
    from benchmark.report import write_report

    records = []
    for folder in what:
        found, damages = store.records_below(Path(folder))
        records += found
        for damage in damages:
            note(damage)
    if not records:
        raise NothingToJudge("no records", where=", ".join(what), do="Run a suite first: ganbench run")
    typed = shlex.join(["ganbench", "report", *what, *(["--to", str(form.to)] if form.to else [])])
    return write_report(
        records,
        form.to or out / "reports" / (Path(what[0]).resolve().name or "all"),
        suite=" + ".join(sorted({str(run.record["suite"]) for run in records})),
        command=" ".join([typed, *form.told]),
        formats=form.formats,
        bibtex=results.bibtex(records),
        history=form.history,
    )


def _of_suite(suite: Suite, name: str, device: str, out: Path, again: str, form: _Form) -> list[Path]:
    """Of a suite's runs, as `name` says it on the command line.

    Raises:
        NothingToJudge: none of them is finished.

    """
    from benchmark.cli import results
    from benchmark.suites.plan import plan

    runs = plan(suite, out, device, anywhere=True)
    records = results.records_of(runs)
    results.note_equivalent(runs)
    if not records:
        raise NothingToJudge(
            f"no finished run of the suite '{suite.name}'",
            where=str(out),
            do=f"Run it first: ganbench run {name}",
        )
    return results.write(
        suite,
        records,
        results.missing_runs(runs),
        form.to or out / "reports" / suite.name,
        " ".join([again, *form.told]),
        form.formats,
        results.reference_of(suite, out),
        results.equivalent(runs),
        form.history,
        results.speeds_of(out),
    )
