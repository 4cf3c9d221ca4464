"""`ganbench accept`: the current records become the reference."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli import complete
from benchmark.cli.check import finding, narrowed
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmark.judging.compare import Row
    from benchmark.judging.selection import Selection
    from benchmark.suites import Suite


@click.command()
@click.argument("suite", default="quick", shell_complete=complete.suites)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--add", is_flag=True, help="Keep what is accepted of other experiments and seeds.")
@click.option(
    "--allow-dirty", is_flag=True, help="In spite of changes to baselines/ or benchmark/ that no commit has."
)
@finding
def accept(
    suite: str,
    yes: bool,
    add: bool,
    allow_dirty: bool,
    patterns: tuple[str, ...],
    seeds: str | None,
    reference_file: Path | None,
    folders: tuple[Path, ...],
    out: Path,
) -> None:
    r"""Make the finished runs of SUITE the reference that `ganbench check` compares with.

    Shows what changes and asks. Commit the file on its own, so that a reviewer sees the old values beside the
    new ones. More seeds make a better reference: five or more see a change of 10 %.

    \b
    ganbench run quick --seeds 0-4 && ganbench accept quick --seeds 0-4
    ganbench accept quick --experiment 'wgan*'          the other experiments stay as they were
    ganbench accept quick --seeds 5-9 --add             so do the other seeds, and their runs need not be here
    """
    from benchmark.cli.text import note, print_text
    from benchmark.judging import accepted, compare, selection

    chosen = narrowed(suite, patterns, seeds)
    where = reference_file or accepted.path_of(chosen, out)
    old = accepted.read(where) or []
    found = selection.select(chosen, folders or (out / "runs",), chosen.seeds)
    new = [run.record for run in found.runs]
    if not new:
        stale = f" ({found.stale} of other code)" if found.stale else ""
        raise NothingToJudge(
            f"no current record of the suite '{chosen.name}'{stale}", do=f"Run it first: ganbench run {suite}"
        )
    if add:
        if not old:
            raise UserError("is not there, so nothing can be added", where=str(where), do="Leave out --add")
        new = accepted.extended(old, new)
    elif patterns:
        new += [r for r in old if not any(fnmatchcase(r["experiment"], p) for p in patterns)]
    _refuse_unfit(found, new, allow_dirty)
    _print_changes(compare.side_by_side(old, new), where)
    for text in (*found.notes, *_lacking(chosen, new)):
        note(text)
    if _digests(old) == _digests(new):
        print_text(f"{where} is already that; nothing to do.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UserError("nobody is there to be asked", where="ganbench accept", do="Say --yes")
        click.confirm(f"Write {where}?", abort=True)
    accepted.write(where, chosen.name, new)
    print_text(f"{len(new)} records accepted: {where}. Commit it.")


def _refuse_unfit(found: Selection, new: Sequence[Mapping[str, Any]], allow_dirty: bool) -> None:
    from benchmark.judging import selection
    from benchmark.records import provenance

    for broken in found.broken:
        if broken.trouble == "nondeterministic":
            raise UserError(broken.reason, do="Find out why before you accept either")
    if copies := selection.repeated(new):
        name = f"{copies[0].experiment} seed {copies[0].seed}"
        raise UserError(copies[0].reason, where=name, do="As seeds they would count twice: run it again")
    if allow_dirty:
        return
    do = "Commit first, and run again what was made before; or say --allow-dirty"
    state = provenance.git()
    if state and state["dirty"]:
        raise UserError("baselines/ or benchmark/ have changes that no commit has", do=do)
    for run in found.runs:
        made = run.record["provenance"].get("git")
        if made and made["dirty"]:
            name = f"{run.record['experiment']} seed {run.record['seed']}"
            raise UserError(f"{name} was made by code that no commit has", where=str(run.directory), do=do)


def _lacking(suite: Suite, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reference should have and this will not."""
    from benchmark.records.quantities import named_seeds

    texts = []
    for name in suite.experiments:
        own = {record["seed"] for record in records if record["experiment"] == name}
        if absent := set(suite.seeds) - own:
            texts.append(f"{name}: no record of {named_seeds(absent)}")
    return texts


def _print_changes(rows: Sequence[Row], where: Path) -> None:
    from benchmark.cli.text import print_table

    print_table(
        ("what", "metric", "accepted", "now", ""),
        [(f"{r.experiment} {r.protocol}".strip(), r.metric, *_sides(r), _change(r)) for r in rows],
        title=str(where),
        right=(2, 3),
    )


def _sides(row: Row) -> tuple[str, str]:
    from benchmark.judging.compare import spread_text

    return spread_text(row.a, row.runs_a, row.diverged_a), spread_text(row.b, row.runs_b, row.diverged_b)


def _change(row: Row) -> str:
    if not row.runs_a:
        return "new"
    if not row.runs_b:
        return "removed"
    if row.runs_b < row.runs_a:
        return "fewer seeds"
    if row.runs_b > row.runs_a:
        return "more seeds"
    return "same bits" if row.same_bits else "other bits"


def _digests(records: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(record["record_sha256"] for record in records)
