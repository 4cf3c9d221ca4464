"""`ganbench report`: the report from records alone."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from benchmark.cli import complete
from benchmark.cli.options import as_json, commands, narrowing, resolved_device, selected
from benchmark.cli.streams import echo, print_json
from benchmark.errors import NothingToJudge, UserError
from benchmark.report import FORMATS


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
    from benchmark.cli import results
    from benchmark.cli.text import note
    from benchmark.records import store
    from benchmark.report import write_report
    from benchmark.suites.plan import plan

    history = None
    if references:
        from benchmark.cli import history as histories

        references += tuple(Path(item) for item in what if item.endswith(".json"))
        what = tuple(item for item in what if not item.endswith(".json"))
        history = histories.read(references)
        if not what:
            histories.write(history, to or out / "reports" / "history", json_)
            return
    chosen_formats = [name.strip() for name in formats.split(",") if name.strip()]
    told = [shlex.join(["--history", str(path)]) for path in references]
    folders = [Path(item) for item in what if Path(item).is_dir() and item not in suites.names()]
    if folders and len(folders) != len(what):
        other = next(item for item in what if Path(item) not in folders)
        raise UserError(f"'{other}' is not a folder", do="Give either one suite or folders with records")
    if folders and (patterns or seeds is not None or budget is not None or dataset or numerics):
        raise UserError(
            "--experiment, --seeds, --budget, --dataset and --numerics go with a suite, not with folders",
            do="Leave them out, or name the suite",
        )
    if folders:
        name = folders[0].resolve().name or "all"
        records = []
        for folder in folders:
            found, damages = store.records_below(folder)
            records += found
            for damage in damages:
                note(damage)
        if not records:
            raise NothingToJudge("no records", where=", ".join(what), do="Run a suite first: ganbench run")
        command = " ".join(
            [shlex.join(["ganbench", "report", *what, *(["--to", str(to)] if to else [])]), *told]
        )
        files = write_report(
            records,
            to or out / "reports" / name,
            suite=" + ".join(sorted({str(run.record["suite"]) for run in records})),
            command=command,
            formats=chosen_formats,
            bibtex=results.bibtex(records),
            history=history,
        )
    else:
        if len(what) > 1:
            raise UserError("more than one suite", do="Give one suite, or folders with records")
        name = what[0] if what else "quick"
        suite = selected(name, patterns, seeds, budget, dataset, numerics)
        runs = plan(suite, out, resolved_device(suite, device), anywhere=True)
        records = results.records_of(runs)
        results.note_equivalent(runs)
        if not records:
            raise NothingToJudge(
                f"no finished run of the suite '{suite.name}'",
                where=str(out),
                do=f"Run it first: ganbench run {name}",
            )
        folder = to or out / "reports" / suite.name
        command = " ".join([commands(name, patterns, seeds, budget, dataset, numerics, out), *told])
        accepted = results.reference_of(suite, out)
        files = results.write(
            suite,
            records,
            results.missing_runs(runs),
            folder,
            command,
            chosen_formats,
            accepted,
            results.equivalent(runs),
            history,
            results.speeds_of(out),
        )
    if json_:
        print_json([str(file) for file in files])
        return
    for file in files:
        echo(file)
