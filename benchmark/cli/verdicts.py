"""The verdicts against the papers on the terminal: what could be judged, and how many claims could not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmark.report import LoadedRecord, MissingRun
    from benchmark.report.verdicts import Papers
    from benchmark.suites import Suite


def against_papers(
    suite: Suite,
    records: Sequence[LoadedRecord],
    missing: Sequence[MissingRun],
    reference: Sequence[Mapping[str, Any]],
) -> Papers:
    """The verdicts on the suite's experiments, as its report has them."""
    from benchmark.judging.against_paper import against_paper, statements
    from benchmark.records.cells import group
    from benchmark.report.verdicts import papers

    cells = group(records, missing).cells
    judged = against_paper(cells, suite.experiments, planned=suite.seeds, reference=reference)
    return papers(judged, statements(suite.experiments), cells)


def print_verdicts(found: Papers) -> None:
    """One line per claim that could be judged, then the tally; nothing where there is no claim."""
    from benchmark.cli.text import print_table, print_text
    from benchmark.report.verdicts import COMPARABLE, brief

    if not found.judged:
        return
    for table in (found.numbers, found.orderings):
        if table is None:
            continue
        shown = brief(replace(table, rows=tuple(row for row in table.rows if row.kind in COMPARABLE)))
        if shown.rows:
            print_text("")
            print_table(
                [column.header for column in shown.columns],
                [row.cells for row in shown.rows],
                title=shown.caption,
                right=[i for i, column in enumerate(shown.columns) if column.numeric],
            )
    print_text("")
    print_text(found.summary)
