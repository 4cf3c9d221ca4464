"""One table of a paper as a float with its notes in small print below, for one column or for two."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark import escape
from benchmark.report.table import Column, Table


@dataclass(frozen=True)
class Form:
    """What a table may be as wide as.

    Attributes:
        environment: of the float.
        size: of its type.
        name: letters of a method's name before it goes on to a second line.
        label: what labels have after `tab:ganbench-`, so that both forms can be in one paper.
        place: for the comment at the head of the file.

    """

    environment: str
    size: str
    name: int
    label: str
    place: str


ONE = Form("table", r"\footnotesize", 18, "", "one column of a two-column page")
TWO = Form("table*", r"\small", 34, "wide-", "the width of a page; where it has two columns, it spans both")


def head(form: Form) -> str:
    """The comment of the file and its one macro: a table that is too wide all the same is made smaller."""
    return (
        f"% Made by ganbench from the run records; \\input this file. It fits {form.place}.\n"
        "% Needs \\usepackage[T1]{fontenc}, \\usepackage{booktabs,graphicx}; \\cite finds citations.bib.\n"
        "\\providecommand{\\ganbenchfit}[1]{\\sbox0{#1}\\ifdim\\wd0>\\linewidth"
        "\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi}\n"
    )


def lines_of(text: str, key: str, form: Form) -> list[str]:
    """A method's name with its citation, in lines that the form has room for."""
    lines = textwrap.wrap(text, form.name, break_long_words=False, break_on_hyphens=False) or [text]
    shown = [escape.latex(line) for line in lines]
    shown[-1] += rf"~\cite{{{key}}}" if key else ""
    return shown


def stacked(lines: Sequence[str]) -> str:
    """Lines of LaTeX in one cell."""
    if len(lines) == 1:
        return lines[0]
    return r"\begin{tabular}[t]{@{}l@{}}" + r" \\ ".join(lines) + r"\end{tabular}"


def set_table(t: Table, cells: Sequence[Sequence[str]], form: Form, label: str) -> str:
    """The float.

    Args:
        t: caption, columns, kinds of rows and notes, as plain text.
        cells: the rows' cells in LaTeX.
        form: for which width.
        label: after `tab:ganbench-` and the form's own.

    """
    spec = "".join("r" if column.numeric else "l" for column in t.columns)
    lines = [
        rf"\begin{{{form.environment}}}",
        r"  \centering",
        rf"  \caption{{{escape.latex(t.caption)}}}",
        rf"  \label{{tab:ganbench-{form.label}{label}}}",
        rf"  \par\medskip{form.size}\setlength{{\tabcolsep}}{{4pt}}",
        rf"  \ganbenchfit{{\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        r"    \toprule",
        *_headings(t.columns, t.heading_groups()),
        r"    \midrule",
    ]
    for row, texts in zip(t.rows, cells, strict=True):
        if row.kind == "scale":
            lines.append(r"    \midrule")
        lines.append(f"    {' & '.join(texts)} \\\\")
    lines += [r"    \bottomrule", r"  \end{tabular}}"]
    if t.notes:
        said = " ".join(map(_breakable, t.notes))
        lines.append(rf"  \par\smallskip\parbox{{\linewidth}}{{\scriptsize\raggedright {said}}}")
    return "\n".join([*lines, rf"\end{{{form.environment}}}", ""])


def _headings(columns: Sequence[Column], spans: Sequence[tuple[str, int]]) -> list[str]:
    lines = []
    if any(group for group, _ in spans):
        cells, rules, at = [], [], 1
        for group, width in spans:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{escape.latex(group)}}}" if group else "")
            rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}" if group else "")
            at += width
        lines += [f"    {' & '.join(cells)} \\\\", f"    {' '.join(rule for rule in rules if rule)}"]
    return [*lines, f"    {' & '.join(escape.latex(column.header) for column in columns)} \\\\"]


def _breakable(text: str) -> str:
    """Names of experiments and files may be broken where they have a / or _."""
    return re.sub(r"(/|\\_)", r"\1\\allowbreak{}", escape.latex(text))
