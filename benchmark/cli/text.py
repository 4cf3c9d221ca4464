"""Tables and notes on the terminal, through rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any


def console(*, err: bool = False) -> Console:
    """A console on stdout or stderr; wide when it is no terminal, so that pipes get whole lines."""
    stream = sys.stderr if err else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 200, highlight=False, soft_wrap=False)


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    title: str = "",
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> None:
    """A table without lines on stdout; columns in `right` are right-aligned, in `whole` never folded."""
    table = Table(
        title=_cell(title) if title else None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    for i, header in enumerate(headers):
        table.add_column(
            _cell(header),
            justify="right" if i in right else "left",
            header_style="dim",
            overflow="fold",
            no_wrap=i in whole,
        )
    for row in rows:
        table.add_row(*map(_cell, row))
    console().print(table)


def note(text: str) -> None:
    """A line for a person, on stderr."""
    console(err=True).print(Text(escape.terminal(text)), soft_wrap=True)


def print_text(text: str, *, style: str = "") -> None:
    """A line or paragraph on stdout."""
    console().print(Text(escape.terminal(text, lines=True), style=style))


def _cell(content: str | Text) -> Text:
    if isinstance(content, Text):
        return Text(escape.terminal(content.plain), style=content.style)
    return Text(escape.terminal(content))


def claim_text(claim: Mapping[str, Any]) -> str:
    """A claim's number as printed with its unit, or its statement and what could judge it.

    What is unconfirmed says so.
    """
    number = f"{claim['printed']} {claim['unit']}".rstrip()
    text = number if claim["kind"] == "value" else _statement(claim)
    return text if claim["grade"] != "low" else f"{text} (unconfirmed)"


def _statement(claim: Mapping[str, Any]) -> str:
    rule = f" Judging it: {claim['judged_by']}" if claim["judged_by"] else ""
    return f"{claim['statement']}{rule}"


def spread_text(claim: Mapping[str, Any]) -> str:
    """What a claim's ± is over."""
    if claim["spread"] is None:
        return ""
    n = "" if claim["spread_n"] is None else f"{claim['spread_n']} "
    return f"{n}{claim['spread_kind']}".replace("_", " ")
