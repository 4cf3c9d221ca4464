"""Tables for a paper: booktabs, ready to be input."""

from dataclasses import replace

from benchmark import escape
from benchmark.records.quantities import count
from benchmark.report.content import Content, ScoreSection
from benchmark.report.table import Table
from benchmark.report.verdicts import COMPARABLE, brief

MANY = 7
"""Columns from which a table is set smaller."""


def render(c: Content) -> str:
    """The verdicts, then per comparable set one table of scores and one of cost; each names its records."""
    head = "% Made by ganbench from the run records. Needs \\usepackage{booktabs}; \\input this file.\n"
    origin = c.origin.text()
    verdicts = (t for t in (c.papers.numbers, c.papers.orderings) if t is not None)
    tables = [
        table(_judged(t, (c.papers.summary, origin)), f"tab:ganbench-verdicts-{k + 1}")
        for k, t in enumerate(verdicts)
    ]
    for k, section in enumerate(c.scores):
        cost = [
            i for i, column in enumerate(section.table.columns) if column.group in ("Parameters", "Per run")
        ]
        scores = [i for i in range(len(section.table.columns)) if i not in cost]
        tables.append(
            table(
                replace(
                    section.table.select(scores),
                    caption=_caption(section, c.compute),
                    notes=(*section.table.notes, origin),
                ),
                f"tab:ganbench-scores-{k + 1}",
            )
        )
        measured = tuple(row for row in section.table.rows if row.kind != "scale")
        about = (
            f"Cost of the runs on {section.comparison.dataset['name']}; wall time: mean of finished seeds."
        )
        tables.append(
            table(
                replace(section.table, rows=measured, notes=(origin,), caption=about).select([0, *cost]),
                f"tab:ganbench-cost-{k + 1}",
            )
        )
    return head + "\n".join(tables)


def table(t: Table, label: str) -> str:
    """One `table` float with its notes in small print below."""
    size = r"\scriptsize" if len(t.columns) > MANY else r"\small"
    spec = "".join("r" if column.numeric else "l" for column in t.columns)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escape.latex(t.caption)}}}",
        rf"  \label{{{label}}}",
        rf"  \par\medskip{size}\setlength{{\tabcolsep}}{{4pt}}",
        rf"  \begin{{tabular}}{{{spec}}}",
        r"    \toprule",
        *_headings(t),
        r"    \midrule",
    ]
    for row in t.rows:
        if row.kind == "scale":
            lines.append(r"    \midrule")
        lines.append(f"    {' & '.join(map(escape.latex, row.cells))} \\\\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    if t.notes:
        lines.append(rf"  \par\smallskip\footnotesize {' '.join(map(escape.latex, t.notes))}")
    return "\n".join([*lines, r"\end{table}", ""])


def _headings(t: Table) -> list[str]:
    lines = []
    spans = t.heading_groups()
    if any(group for group, _ in spans):
        cells, rules, at = [], [], 1
        for group, width in spans:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{escape.latex(group)}}}" if group else "")
            rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}" if group else "")
            at += width
        lines += [f"    {' & '.join(cells)} \\\\", f"    {' '.join(rule for rule in rules if rule)}"]
    return [*lines, f"    {' & '.join(escape.latex(column.header) for column in t.columns)} \\\\"]


def _judged(t: Table, closing: tuple[str, ...]) -> Table:
    """The rows that were judged, each with its reason below; the others are counted in the summary."""
    rows = tuple(row for row in t.rows if row.kind in COMPARABLE)
    reasons = (f"{', '.join(row.cells[:2])}: {row.detail[0]}" for row in rows if row.detail)
    return replace(brief(replace(t, rows=rows)), notes=(*reasons, *closing))


def _caption(section: ScoreSection, compute: str) -> str:
    c = section.comparison
    sizes = sorted({len(cell.finished) for cell in c.cells})
    n = f"n = {sizes[0]}" if len(sizes) == 1 else f"n = {sizes[0]} to {sizes[-1]}, as listed"
    text = (
        f"Scores after {count(c.gen_iters)} generator iterations on {c.dataset['name']}. Mean ± sample "
        f"standard deviation over training seeds ({n}; no ± for a single seed; diverged runs are counted "
        f"but not averaged). Protocol {c.describe()}. {compute}"
    )
    if not c.protocol["comparable_with_papers"]:
        text += f" These {c.protocol['extractor']} scores are not comparable with published numbers."
    return text
