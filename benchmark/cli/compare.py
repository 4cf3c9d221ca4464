"""`ganbench compare`: two result sets side by side, without a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.options import as_json
from benchmark.cli.streams import print_json
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from benchmark.judging.compare import Row
    from benchmark.records.summary import Spread


@click.command()
@click.argument("a")
@click.argument("b")
@as_json
def compare(a: str, b: str, json_: bool) -> None:
    r"""Show the final scores of A and B side by side, cell by cell, without judging.

    A and B are folders with records, reference files, or REV:PATH for a reference file in a git commit.

    \b
    ganbench compare results other-machine/results
    ganbench compare HEAD~1:results/reference/quick.json results/reference/quick.json
    """
    from benchmark.judging.compare import apart, side_by_side

    sides, notes = [], []
    for name, what in (("A", a), ("B", b)):
        records, said = _records(what)
        sides.append(records)
        notes += [f"{name}, {text}" for text in said]
    rows = side_by_side(*sides)
    notes += apart(rows, *sides)
    if json_:
        print_json({"a": a, "b": b, "rows": [row.as_dict() for row in rows], "notes": notes})
        return
    from benchmark.cli.text import note, print_table

    print_table(
        ("experiment", "cell", "metric", "A", "B", "B − A [90 %]", "bits"),
        [_cells(row) for row in rows],
        title=f"A: {a}\nB: {b}",
        right=(3, 4, 5),
    )
    for text in notes:
        note(text)


def spread_text(spread: Spread | None, runs: int, diverged: int) -> str:
    """`12.3 ± 0.4 (n = 3), 1 diverged`; a dash where there is no run."""
    if not runs:
        return "–"
    lost = f"{diverged} diverged" if diverged else ""
    if spread is None:
        return lost or "no score"
    sd = "" if spread.sd is None else f" ± {spread.sd:.2g}"
    return ", ".join(filter(None, (f"{spread.mean:.4g}{sd} (n = {spread.n})", lost)))


def _cells(row: Row) -> tuple[str, ...]:
    from benchmark.records.quantities import metric_title

    difference = "" if row.difference is None else f"{row.difference:+.3g}"
    if row.interval is not None:
        difference += f" [{row.interval.low:.3g}, {row.interval.high:.3g}]"
    bits = {None: "", True: "equal", False: "differ"}[row.same_bits]
    return (
        row.experiment,
        row.cell[:8],
        f"{row.protocol} {metric_title(row.metric)}".strip(),
        spread_text(row.a, row.runs_a, row.diverged_a),
        spread_text(row.b, row.runs_b, row.diverged_b),
        difference,
        bits if row.runs_a and row.runs_b else "only A" if row.runs_a else "only B",
    )


def _records(what: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Records of a folder, a reference file or one in git, and what was chosen among them."""
    from benchmark.judging import accepted
    from benchmark.judging.selection import one_per_seed
    from benchmark.records.store import records_below

    path = Path(what)
    if path.is_dir():
        found, damages = records_below(path)
        kept, notes, contradictions = one_per_seed(found)
        notes = [*damages, *notes]
        records = [run.record for run in kept]
        notes += [broken.reason for broken in contradictions]
    elif path.exists() or ":" not in what:
        there = accepted.read(path)
        if there is None:
            raise UserError("there is no such folder or file", where=what)
        records, notes = there, []
    else:
        records, notes = accepted.parse(_from_git(what), what), []
    if not records:
        raise NothingToJudge("no records", where=what)
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
