"""`ganbench compare`: two result sets side by side, without a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.options import as_json, check_new_file, force
from benchmark.cli.streams import echo, print_json
from benchmark.errors import NothingToJudge, UserError
from benchmark.records.loaded import LoadedRecord

if TYPE_CHECKING:
    from benchmark.judging.compare import Row


@click.command()
@click.argument("a")
@click.argument("b")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page as well: the differences drawn, and samples of folders next to each other.",
)
@force
@as_json
def compare(a: str, b: str, page: Path | None, force: bool, json_: bool) -> None:
    r"""Show the final scores of A and B side by side, cell by cell, without judging.

    A and B are folders with records, reference files, or REV:PATH for a reference file in a git commit.

    On the same runs it has other numbers than `ganbench check`: here are the scores at the budget, and
    Welch's interval, which does not pair the seeds. `check` takes the mean of each run's last three
    evaluations, in pairs of one seed where there are such. docs/gate.md has its rules.

    \b
    ganbench compare results other-machine/results
    ganbench compare results other-machine/results --html compared.html
    ganbench compare HEAD~1:results/reference/quick.json results/reference/quick.json
    """
    from benchmark.judging.compare import apart, side_by_side

    check_new_file(page, (".html",), force, option="--html")
    sides: list[list[dict[str, Any]]] = []
    runs: list[list[LoadedRecord]] = []
    notes = []
    for name, what in (("A", a), ("B", b)):
        found, said = _records(what)
        runs.append([one for one in found if isinstance(one, LoadedRecord)])
        sides.append([one.record if isinstance(one, LoadedRecord) else one for one in found])
        notes += [f"{name}, {text}" for text in said]
    rows = side_by_side(*sides)
    notes += apart(rows, *sides)
    if page:
        _write(page, (a, b), rows, (runs[0], runs[1]), notes)
    if json_:
        print_json({"a": a, "b": b, "rows": [row.as_dict() for row in rows], "notes": notes})
        return
    from benchmark.cli.text import note, print_table

    print_table(
        ("experiment", "cell", "metric", "A", "B", "B − A [90 %]", "bits"),
        [row.texts() for row in rows],
        title=f"A: {a}, B: {b}",
        right=(3, 4, 5),
    )
    for text in notes:
        note(text)
    if page:
        echo(page)


def _write(
    page: Path,
    names: tuple[str, str],
    rows: list[Row],
    runs: tuple[list[LoadedRecord], ...],
    notes: list[str],
) -> None:
    from benchmark.report.compared import render

    try:
        page.write_text(render(names, rows, runs, notes), encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", where=f"--html {page}") from error


def _records(what: str) -> tuple[list[LoadedRecord] | list[dict[str, Any]], list[str]]:
    """Runs of a folder, records of a reference file or one in git, and what was chosen among them."""
    from benchmark.judging import accepted
    from benchmark.judging.selection import one_per_seed
    from benchmark.records.store import records_below

    records: list[LoadedRecord] | list[dict[str, Any]]
    path = Path(what)
    if path.is_dir():
        loaded, damages = records_below(path)
        kept, notes, contradictions = one_per_seed(loaded)
        notes = [*damages, *notes]
        notes += [broken.reason for broken in contradictions]
        records = kept
    elif path.exists() or ":" not in what:
        there = accepted.read(path)
        if there is None:
            raise UserError("there is no such folder or file", where=what)
        records, notes = there, []
    else:
        records, notes = accepted.parse(_from_git(what), what), []
    if not records:
        raise NothingToJudge("; ".join(["no records", *notes[:3]]), where=what)
    return records, notes


def _from_git(what: str) -> bytes:
    import subprocess

    try:
        done = subprocess.run(
            ["git", "show", "--end-of-options", what], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"git cannot be asked ({error})", where=what) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UserError(said[0].removeprefix("fatal: ") if said else "git has no such file", where=what)
    return done.stdout
