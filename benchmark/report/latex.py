"""The tables of a paper in two widths: scores with the best in bold, verdicts, and in the wide form costs."""

from collections.abc import Callable
from dataclasses import replace

from benchmark import escape
from benchmark.judging.best import best
from benchmark.records.cells import Cell
from benchmark.records.quantities import count, higher_is_better, metric_name, metric_title
from benchmark.report.content import Content, ScoreSection
from benchmark.report.latex_float import ONE, TWO, Form, head, lines_of, set_table, stacked
from benchmark.report.naming import cite_key, display_names
from benchmark.report.overview import no_ranking
from benchmark.report.scores import Comparison
from benchmark.report.table import Column, Row, Table
from benchmark.report.verdicts import COMPARABLE, brief

_SPREAD = "± is the sample standard deviation over the n training seeds; there is none for a single seed."
_BOLD = (
    "Bold: better than each other method (one-sided Welch tests over seeds, 5 % after Holm); nothing is bold "
    "where one of these tests does not reject, a method has a single seed or lost more than a quarter of its "
    "seeds, or another mean is printed alike."
)
_BETTER = "is better than"

Named = Callable[[str], list[str]]
"""A cell's label to the lines that stand in the table, in LaTeX."""


def render(c: Content, *, wide: bool = False) -> str:
    """The verdicts, then a table per comparable set; each names its records.

    Args:
        c: the report.
        wide: for the width of a page, with the scores of untrained networks, intervals and costs; else for
            one column of two.

    """
    form = TWO if wide else ONE
    cells = {cell.label: cell for section in c.scores for cell in section.comparison.cells}
    shown = display_names(list(cells.values()))

    def named(label: str) -> list[str]:
        key = cite_key(cells[label]) if label in cells else ""
        return lines_of(shown.get(label, label), key, form)

    tables = []
    for k, t in enumerate(t for t in (c.papers.numbers, c.papers.orderings) if t is not None):
        tables.append(_verdicts(c, t, form, named, f"verdicts-{k + 1}"))
    for k, section in enumerate(c.scores):
        tables.append(_scores(c, section, form, named, f"scores-{k + 1}"))
        if wide:
            tables.append(_costs(c, section, named, f"cost-{k + 1}"))
    return head(form) + "\n".join(tables)


def _scores(c: Content, section: ScoreSection, form: Form, named: Named, label: str) -> str:
    compared, whole = section.comparison, section.table
    t = whole.select(
        [
            i
            for i, column in enumerate(whole.columns)
            if i < 2 or column.spread or (form is TWO and column.header == "at 0")
        ]
    )
    bold = _best(compared, t)
    cells = [
        [
            stacked(named(row.cells[0])),
            *(
                rf"\textbf{{{escape.latex(text)}}}"
                if column.spread and bold.get(column.group) == row.cells[0]
                else escape.latex(text)
                for text, column in list(zip(row.cells, t.columns, strict=True))[1:]
            ),
        ]
        for row in t.rows
    ]
    columns = (Column("Method"), Column("n"), *t.columns[2:])
    notes = [_SPREAD, _BOLD, *whole.notes]
    if form is ONE:
        finished = {cell.label: str(len(cell.finished)) for cell in compared.cells}
        cells = [
            [own[0], finished.get(row.cells[0], ""), *own[2:]] for row, own in zip(t.rows, cells, strict=True)
        ]
        columns = (*columns[:2], *(replace(col, header=col.group, group="") for col in columns[2:]))
        notes = [_SPREAD, _BOLD, *whole.notes[1:]]  # the first is about columns of the wide form
    if not compared.protocol["comparable_with_papers"]:
        notes.append(f"{compared.protocol['extractor']} scores are not comparable with published numbers.")
    notes += [f"Protocol {compared.describe()}.", c.compute, c.origin.text()]
    if len(finished_cells := [cell for cell in compared.cells if cell.finished]) > 1:
        notes.insert(2, no_ranking(finished_cells))
    metrics = " and ".join(map(metric_name, compared.metrics))
    caption = f"{metrics} on {compared.where} after {count(compared.gen_iters)} generator iterations."
    set_ = replace(t, caption=caption, columns=tuple(columns), notes=tuple(notes))
    return set_table(set_, cells, form, label)


def _best(compared: Comparison, t: Table) -> dict[str, str]:
    """By the metric's title the label of the cell that is best by a test, and by the table's digits."""
    found = {}
    for metric in compared.metrics:
        up, title = higher_is_better(metric), metric_title(metric)
        if up is not None:
            values = {cell.label: _over_seeds(compared, cell, metric) for cell in compared.cells}
            first = best(values, higher=up)
            if first is not None and _is_printed_apart(t, title, first):
                found[title] = first
    return found


def _over_seeds(compared: Comparison, cell: Cell, metric: str) -> list[float | None]:
    """Scores at the budget, and a None for every run that has none."""
    found = compared.final(cell, metric)
    return [*found, *[None] * (len(cell.records) - len(found))]


def _is_printed_apart(t: Table, title: str, label: str) -> bool:
    """Whether no other method's mean has the same digits."""
    at = next(i for i, column in enumerate(t.columns) if column.spread and column.group == title)
    means = {row.cells[0]: row.cells[at].partition(" ±")[0] for row in t.rows if row.kind == "result"}
    return list(means.values()).count(means[label]) == 1


def _costs(c: Content, section: ScoreSection, named: Named, label: str) -> str:
    whole = section.table
    kept = [i for i, column in enumerate(whole.columns) if column.group in ("Parameters", "Per run")]
    t = whole.select([0, *kept])
    t = replace(
        t,
        caption=f"Cost of the runs on {section.comparison.where}.",
        columns=(Column("Method"), *t.columns[1:]),
        rows=tuple(row for row in t.rows if row.kind == "result"),
        notes=("Wall time: mean of the finished seeds.", c.compute, c.origin.text()),
    )
    return set_table(t, [_plain(row, named) for row in t.rows], TWO, label)


def _verdicts(c: Content, whole: Table, form: Form, named: Named, label: str) -> str:
    """What could be judged, each with its reason below; the rest is counted in the summary."""
    rows = tuple(row for row in whole.rows if row.kind in COMPARABLE)
    reasons = [f"{', '.join(row.cells[:2])}: {row.detail[0]}" for row in rows if row.detail]
    t = brief(replace(whole, rows=rows))
    if form is ONE:
        told = ("Metric", "Verdict", "mean ± sd over seeds", "printed", "better one", "other one")
        t = t.select([0, *(i for i, column in enumerate(t.columns) if column.header in told)])
        reasons = []
    notes = (_SPREAD, *reasons, c.papers.summary, c.origin.text())
    return set_table(replace(t, notes=notes), [_plain(row, named) for row in t.rows], form, label)


def _plain(row: Row, named: Named) -> list[str]:
    """The cells of a row that begins with an experiment, or with a statement on two."""
    above, better, below = row.cells[0].partition(f" {_BETTER} ")
    lines = [*named(above), _BETTER, *named(below)] if better else named(above)
    return [stacked(lines), *map(escape.latex, row.cells[1:])]
