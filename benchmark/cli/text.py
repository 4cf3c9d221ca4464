"""Tables and notes on the terminal, through rich."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmark import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

_LONG_WORD = 20
"""Characters of a path or digest from which on it may be broken."""
_BETWEEN = 2
"""Blanks between two columns."""
_MANY_ROWS = 500
"""Rows from which on a table is written line by line."""


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
    """A table without lines on stdout; columns in `right` are right-aligned, in `whole` never folded.

    Where the terminal is too narrow for its words, a block of lines per row instead.
    """
    out, cells = console(), [[_cell(content) for content in row] for row in rows]
    styled = any(content.style for row in cells for content in row)
    widths = _widths(headers, cells, whole, out.width)
    if widths is None:
        _print_blocks(out, headers, cells, title)
        return
    table = _grid(title)
    for i, header in enumerate(headers):
        table.add_column(
            _cell(header),
            justify="right" if i in right else "left",
            header_style="dim",
            overflow="fold",
            no_wrap=i in whole,
            width=widths[i],
        )
    as_lines = len(cells) > _MANY_ROWS and not styled and _full_widths(headers, cells) == widths
    for row in () if as_lines else cells:
        table.add_row(*row)
    out.print(table)
    if as_lines:
        out.file.writelines(_line(row, widths, right) for row in cells)


def _line(row: Sequence[Text], widths: Sequence[int], right: Sequence[int]) -> str:
    """What rich makes of a row in which nothing is folded; rich takes a third of a millisecond for it."""
    blanks = [" " * (width - cell_len(content.plain)) for content, width in zip(row, widths, strict=True)]
    parts = [
        blank + content.plain if i in right else content.plain + blank
        for i, (content, blank) in enumerate(zip(row, blanks, strict=True))
    ]
    return (" " * _BETWEEN).join(parts) + "\n"


def _grid(title: str) -> Table:
    return Table(
        title=_cell(title) if title else None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )


def _widths(
    headers: Sequence[str], rows: Sequence[Sequence[Text]], whole: Sequence[int], available: int
) -> list[int] | None:
    """Widths of the columns in which no word is broken but very long ones; None where they do not fit.

    What is left after the longest words goes to the narrowest columns that lack some.
    """
    columns = _columns(headers, rows)
    full = _full_widths(headers, rows)
    least = [
        full[i] if i in whole else min(_LONG_WORD, max(_longest_word(text) for text in column))
        for i, column in enumerate(columns)
    ]
    spare = available - sum(least) - _BETWEEN * (len(columns) - 1)
    if spare < 0:
        return None
    for _ in range(spare):
        lacking = [i for i, width in enumerate(least) if width < full[i]]
        if not lacking:
            break
        least[min(lacking, key=least.__getitem__)] += 1
    return least


def _columns(headers: Sequence[str], rows: Sequence[Sequence[Text]]) -> list[tuple[Text, ...]]:
    return list(zip(*([_cell(header) for header in headers], *rows), strict=True))


def _full_widths(headers: Sequence[str], rows: Sequence[Sequence[Text]]) -> list[int]:
    """Of columns in which nothing is folded."""
    return [
        max(cell_len(line) for text in column for line in [*text.plain.splitlines(), ""])
        for column in _columns(headers, rows)
    ]


def _longest_word(content: Text) -> int:
    return max(map(cell_len, content.plain.split()), default=0)


def _print_blocks(out: Console, headers: Sequence[str], rows: Sequence[Sequence[Text]], title: str) -> None:
    table = _grid(title)
    table.show_header = False
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for i, row in enumerate(rows):
        if i:
            table.add_row()
        for header, content in zip(headers, row, strict=True):
            if content.plain:
                table.add_row(_cell(header), content)
    out.print(table)


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
