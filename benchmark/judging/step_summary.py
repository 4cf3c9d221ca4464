"""A check as GitHub-flavoured Markdown for the summary of a workflow's step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.escape import markdown as escape

if TYPE_CHECKING:
    from benchmark.judging.cases import Case, Mark
    from benchmark.judging.check import Checked

LIMIT_BYTES = 1_000_000
"""GitHub drops a step's summary of more than 1 MiB (1 048 576 bytes) altogether."""
_LONGEST = 400
"""Characters of one cell; a crash may say much more."""
_SIGNS: dict[Mark, str] = {"error": "💥", "fail": "❌", "warn": "⚠️", "skip": "➖", "pass": "✅"}


def render(checked: Checked, room: int = LIMIT_BYTES, overview: str = "") -> str:
    """The check in at most `room` bytes, the worst cases first; what is left out is counted.

    `overview`: Markdown that is said below, such as how far each method got.
    """
    other = "paper" if checked.against == "paper" else "reference"
    head = [
        f"## ganbench check {_cell(checked.suite)} against the {other}",
        "",
        _cell(checked.conclusion),
        "",
        *([_cell(checked.values), ""] if checked.cases and checked.values else []),
    ]
    rows = [
        f"| | outcome | what | ours | {other} | worse by, 90 % interval | reason |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [*rows, *map(_row, checked.cases)] if checked.cases else []
    notes = ["", *(f"- {_cell(note)}" for note in checked.notes)] if checked.notes else []
    return _within([*head, *rows, *notes, *(["", *overview.splitlines()] if overview else [])], room)


def _cell(text: str) -> str:
    return escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _row(case: Case) -> str:
    cells = (case.outcome, case.name, case.ours, case.theirs, case.difference, case.reason)
    return f"| {_SIGNS[case.mark]} | {' | '.join(map(_cell, cells))} |"


def _within(lines: list[str], room: int) -> str:
    """The first lines that fit with the line that says how many do not; nothing where not even that fits."""
    left = room - len(_more(len(lines)).encode())
    kept = 0
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept += 1
    cut = len(lines) - kept
    text = "\n".join(lines[:kept]) + "\n" + (_more(cut) if cut else "")
    return text if len(text.encode()) <= room else ""


def _more(n: int) -> str:
    return f"\n… {n} more in the artifact\n"
