"""A table of text, rendered alike in HTML, Markdown and LaTeX so that they cannot disagree."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmark.judging.verdict import Outcome


@dataclass(frozen=True)
class Column:
    """A column heading; neighbours with the same non-empty `group` share a spanning heading.

    `spread` says that cells may carry a ± part; `badge` that its cells are what the row comes to.
    """

    header: str
    group: str = ""
    numeric: bool = False
    spread: bool = False
    badge: bool = False

    @property
    def full_header(self) -> str:
        """Group and heading on one line."""
        return f"{self.group} {self.header}".strip()


def words(*headers: str, group: str = "") -> tuple[Column, ...]:
    """Columns of text, under one group."""
    return tuple(Column(header, group) for header in headers)


def numbers(*headers: str, group: str = "", spread: bool = False) -> tuple[Column, ...]:
    """Columns of numbers, under one group."""
    return tuple(Column(header, group, numeric=True, spread=spread) for header in headers)


@dataclass(frozen=True)
class Row:
    """One line, the first cell naming it, and what is to be said about it in sentences.

    `kind`: `scale` for reference values, `absent` where nothing was measured, or the outcome of a verdict.
    """

    cells: tuple[str, ...]
    kind: Literal["result", "scale", "absent"] | Outcome = "result"
    detail: tuple[str, ...] = ()

    @classmethod
    def of(cls, *cells: str) -> "Row":
        """A row of results."""
        return cls(cells)


@dataclass(frozen=True)
class Table:
    """Columns, rows and the notes that belong under them."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"{len(row.cells)} cells under {len(self.columns)} columns: {row.cells}")

    def select(self, indices: Sequence[int]) -> "Table":
        """Keep only these columns."""
        rows = tuple(replace(row, cells=tuple(row.cells[i] for i in indices)) for row in self.rows)
        return replace(self, columns=tuple(self.columns[i] for i in indices), rows=rows)

    def heading_groups(self) -> list[tuple[str, int]]:
        """Spanning headings from left to right as (group, number of columns)."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans
