"""`ganbench check`: verdicts and the gate."""

from __future__ import annotations

import os
import shlex
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchmark.cli import complete
from benchmark.cli.options import OneOf, as_json, out, patterns, seeds
from benchmark.cli.streams import print_json
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark.judging.check import Checked
    from benchmark.judging.selection import Selection
    from benchmark.suites import Suite

F = TypeVar("F", bound="Callable[..., Any]")

_STYLES = {"error": "bold red", "fail": "red", "warn": "yellow", "skip": "dim", "pass": "green"}


def finding(function: F) -> F:
    """Where the records and the reference are, and which of the suite count."""
    for decorate in (
        patterns,
        seeds,
        click.option(
            "--reference",
            "reference_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="The accepted records; default: OUT/reference/SUITE.json, or those that came with ganbench.",
        ),
        click.option(
            "--from",
            "folders",
            multiple=True,
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            metavar="DIR",
            help="Look for records below DIR instead of OUT/runs; repeatable.",
        ),
        out,
    ):
        function = decorate(function)
    return function


@click.command()
@click.argument("suite", default="quick", shell_complete=complete.suites)
@click.option(
    "--against",
    type=OneOf(["reference", "paper"]),
    default="reference",
    show_default=True,
    help="The accepted records, or the numbers that papers print.",
)
@click.option("--strict", is_flag=True, help="Fail also where evidence or a seed is lacking.")
@click.option(
    "--alpha", type=float, metavar="P", help="Probability of any false alarm; default: the suite's, or 0.05."
)
@click.option(
    "--confirm-with",
    metavar="SEEDS|none",
    help="Seeds that confirm a regression; default: the suite's, or the next two after its last.",
)
@click.option(
    "--waivers",
    "waivers_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A TOML file with further [[waiver]] tables.",
)
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit XML."
)
@click.option(
    "--summary",
    metavar="FILE|auto",
    help="Append Markdown to FILE; auto: to the file that $GITHUB_STEP_SUMMARY names.",
)
@finding
@as_json
def check(
    suite: str,
    against: str,
    strict: bool,
    alpha: float | None,
    confirm_with: str | None,
    waivers_file: Path | None,
    junit: Path | None,
    summary: str | None,
    patterns: tuple[str, ...],
    seeds: str | None,
    reference_file: Path | None,
    folders: tuple[Path, ...],
    out: Path,
    json_: bool,
) -> int:
    r"""Judge the finished runs of SUITE (a name or a .toml file). Trains nothing; needs no GPU and no data.

    Against the reference: is every cell still what `ganbench accept` accepted? Against the paper: is every
    number that a paper prints about it reproduced? docs/gate.md has the rules.

    \b
    ganbench check quick                               against results/reference/quick.json
    ganbench check quick --against paper --strict      inconclusive fails too
    ganbench check ci-gpu --from shard-0 --from shard-1 --junit gate.xml --summary auto

    \b
    0  all is well; or better than expected, which is to be looked at
    1  regressed, departed, nondeterministic or missing; below a confirmed claim, or unstable; waiver expired
    2  usage or configuration
    3  a run of the suite failed, is damaged or repeats another, or diverged where no accepted run did
    4  nothing to judge: no records, no reference, nothing comparable
    """
    from datetime import UTC, datetime

    from benchmark.cli import results
    from benchmark.cli.text import note
    from benchmark.judging import accepted, selection
    from benchmark.judging import check as checking
    from benchmark.records.quantities import named_seeds

    summary_file = _summary_file(summary)
    if junit and summary_file and junit.resolve() == summary_file.resolve():
        raise UserError("is the file of --summary too", where=f"--junit {junit}", do="Name two files")
    chosen = narrowed(suite, patterns, seeds, alpha, confirm_with)
    if own := {*chosen.seeds} & {*(chosen.gate.confirm_with or ())}:
        note(f"{named_seeds(own)} of confirm_with count from the start, by --seeds, and confirm nothing")
    waivers = (*chosen.waiver, *_waivers(waivers_file))
    where = accepted.find(chosen, out, reference_file)
    reference = accepted.read(where)
    accepted.refuse_forged(reference or (), where)
    if reference is not None and patterns:
        reference = [r for r in reference if any(fnmatchcase(r["experiment"], p) for p in patterns)]
    places = folders or (out / "runs",)
    found = selection.select(chosen, places, {*chosen.seeds, *chosen.confirmation()}, newest=True)
    rules = checking.Rules(datetime.now(UTC).date(), waivers, strict)
    judge = checking.against_reference if against == "reference" else checking.against_papers
    result = judge(chosen, found, reference, rules)
    # Of the seeds that are judged: those that confirm are no part of a verdict.
    judged = [run for run in found.runs if run.record["seed"] in chosen.seeds]
    overview = results.first_screen(chosen, judged, reference or ()) if summary_file else ""
    _write(result, junit, summary_file, overview)
    if json_:
        print_json(result.as_dict())
    else:
        _print(result)
    if result.exit_code == 4:
        raise NothingToJudge(result.conclusion.rstrip("."), do=_advice(suite, found, places, against))
    return result.exit_code


def narrowed(
    suite: str,
    patterns: tuple[str, ...],
    seeds: str | None,
    alpha: float | None = None,
    confirm_with: str | None = None,
) -> Suite:
    """The suite with what the command line overrides; raises `UserError` like `suites.load`."""
    from dataclasses import replace

    from benchmark import suites
    from benchmark.suites import gate_table

    chosen = suites.load(suite).revised(patterns=patterns, seeds=seeds)
    gate = chosen.gate
    if alpha is not None:
        gate = replace(gate, alpha=gate_table.share(alpha, "--alpha"))
    if confirm_with is not None:
        gate = replace(gate, confirm_with=gate_table.confirmation_seeds(confirm_with, "--confirm-with"))
        gate_table.check_confirmation(gate.confirm_with, chosen.seeds, "--confirm-with")
    return replace(chosen, gate=gate)


def _summary_file(summary: str | None) -> Path | None:
    if summary == "":
        raise UserError("is empty", where="--summary", do="Name a file, or leave it out")
    if summary != "auto":
        return Path(summary) if summary else None
    if not os.environ.get("GITHUB_STEP_SUMMARY"):
        raise UserError(
            "$GITHUB_STEP_SUMMARY is not set", where="--summary auto", do="Name a file outside GitHub Actions"
        )
    return Path(os.environ["GITHUB_STEP_SUMMARY"])


def _waivers(path: Path | None) -> list[dict[str, Any]]:

    from benchmark.suites import toml
    from benchmark.suites.gate_table import read_waiver_table

    if path is None:
        return []
    content = toml.read(path, "the waivers", f"--waivers {path}")
    if unknown := sorted(set(content) - {"waiver"}):
        raise UserError(f"unknown key '{unknown[0]}'", where=str(path), do="Write [[waiver]] tables")
    return list(read_waiver_table(content.get("waiver", []), str(path)))


def _write(result: Checked, junit: Path | None, summary: Path | None, overview: str) -> None:
    """Both files, whatever was found: a pipeline needs them most where the check did not pass."""
    from benchmark.judging import junit as xml
    from benchmark.judging import step_summary

    try:
        if junit:
            junit.parent.mkdir(parents=True, exist_ok=True)
            junit.write_text(xml.render(result), encoding="utf-8")
        if summary:
            summary.parent.mkdir(parents=True, exist_ok=True)
            used = summary.stat().st_size if summary.exists() else 0
            with summary.open("a", encoding="utf-8", newline="\n") as file:
                file.write(step_summary.render(result, step_summary.LIMIT_BYTES - used, overview))
    except OSError as error:
        where = error.filename or " or ".join(str(file) for file in (junit, summary) if file)
        raise UserError(f"cannot be written ({error.strerror})", where=str(where)) from error


def _print(result: Checked) -> None:
    from rich.text import Text

    from benchmark.cli.text import note, print_table, print_text

    if result.cases:
        print_table(
            ("outcome", "what", "ours", result.against, "worse by [90 %]", "reason"),
            [
                (Text(c.outcome, style=_STYLES[c.mark]), c.name, c.ours, c.theirs, c.difference, c.reason)
                for c in result.cases
            ],
            title=result.values,
            right=(2, 3, 4),
        )
    for text in result.notes:
        note(text)
    if result.exit_code != 4:
        print_text(result.conclusion, style="bold red" if result.exit_code else "bold green")


def _advice(suite: str, found: Selection, places: tuple[Path, ...], against: str) -> str:
    if not found.runs:
        below = ", ".join(map(str, places))
        return f"Looked below {below}. Run it (ganbench run {shlex.quote(suite)}), or say --from DIR"
    if against == "reference":
        return "Get it from where the suite was accepted, and say --reference FILE; docs/gate.md"
    return "Nothing to do: docs/gate.md says what makes a claim comparable"
