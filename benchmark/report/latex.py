"""Tables for a paper: booktabs, ready to be input."""

import re
from dataclasses import replace

from benchmark.report.content import Content, ScoreSection
from benchmark.report.quantities import NARROW_SPACE, count
from benchmark.report.table import Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    NARROW_SPACE: r"\,",
}


def escape(text: str) -> str:
    """Text that LaTeX typesets as it is."""
    return "".join(_SPECIAL.get(ch, ch) for ch in re.sub(r"[ \t\r\n]+", " ", text))


def render(c: Content) -> str:
    """Per comparable set one table of scores and one of cost."""
    head = "% Made by ganbench from the run records. Needs \\usepackage{booktabs}; \\input this file.\n"
    tables = []
    for k, section in enumerate(c.scores):
        cost = [
            i for i, column in enumerate(section.table.columns) if column.group in ("Parameters", "Per run")
        ]
        scores = [i for i in range(len(section.table.columns)) if i not in cost]
        tables.append(
            table(
                replace(section.table.select(scores), caption=_caption(section)),
                f"tab:ganbench-scores-{k + 1}",
            )
        )
        measured = tuple(row for row in section.table.rows if row.kind != "scale")
        about = (
            f"Cost of the runs on {section.comparison.dataset['name']}; wall time: mean of finished seeds."
        )
        tables.append(
            table(
                replace(section.table, rows=measured, notes=(), caption=about).select([0, *cost]),
                f"tab:ganbench-cost-{k + 1}",
            )
        )
    return head + "\n".join(tables)


def table(t: Table, label: str) -> str:
    """One `table` float with its notes in small print below."""
    spec = "".join("r" if column.numeric else "l" for column in t.columns)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escape(t.caption)}}}",
        rf"  \label{{{label}}}",
        r"  \par\medskip\small\setlength{\tabcolsep}{4pt}",
        rf"  \begin{{tabular}}{{{spec}}}",
        r"    \toprule",
        *_headings(t),
        r"    \midrule",
    ]
    for row in t.rows:
        if row.kind == "scale":
            lines.append(r"    \midrule")
        lines.append(f"    {' & '.join(map(escape, row.cells))} \\\\")
    lines += [r"    \bottomrule", r"  \end{tabular}"]
    if t.notes:
        lines.append(rf"  \par\smallskip\footnotesize {' '.join(map(escape, t.notes))}")
    return "\n".join([*lines, r"\end{table}", ""])


def _headings(t: Table) -> list[str]:
    lines = []
    spans = t.heading_groups()
    if any(group for group, _ in spans):
        cells, rules, at = [], [], 1
        for group, width in spans:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{escape(group)}}}" if group else "")
            rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}" if group else "")
            at += width
        lines += [f"    {' & '.join(cells)} \\\\", f"    {' '.join(rule for rule in rules if rule)}"]
    return [*lines, f"    {' & '.join(escape(column.header) for column in t.columns)} \\\\"]


def _caption(section: ScoreSection) -> str:
    c = section.comparison
    sizes = sorted({len(cell.finished) for cell in c.cells})
    n = f"n = {sizes[0]}" if len(sizes) == 1 else f"n = {sizes[0]} to {sizes[-1]}, as listed"
    text = (
        f"Scores after {count(c.gen_iters)} generator iterations on {c.dataset['name']}. Mean ± sample "
        f"standard deviation over training seeds ({n}; no ± for a single seed; diverged runs are counted "
        f"but not averaged). Protocol {c.describe()}."
    )
    if not c.protocol["comparable_with_papers"]:
        text += f" These {c.protocol['extractor']} scores are not comparable with published numbers."
    return text
