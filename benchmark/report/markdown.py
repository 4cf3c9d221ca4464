"""The report as Markdown: the same tables, the charts as links."""

from benchmark.escape import fenced
from benchmark.escape import markdown as escape
from benchmark.report.content import Content
from benchmark.report.described import ExperimentSection
from benchmark.report.figure import Figure
from benchmark.report.overview import Overview
from benchmark.report.table import Table


def table(t: Table) -> str:
    """Caption, pipe table, what is to be said about its rows, notes."""
    lines = [
        f"**{escape(t.caption)}**",
        "",
        _line([escape(column.full_header) for column in t.columns]),
        _line(["---:" if column.numeric else ":---" for column in t.columns]),
    ]
    lines += [_line([escape(cell) for cell in row.cells]) for row in t.rows]
    details = [row for row in t.rows if row.detail]
    lines += [""] * bool(details)
    lines += [f"- {escape(', '.join(row.cells[:2]))}: {escape(' '.join(row.detail))}" for row in details]
    for note in t.notes:
        lines += ["", escape(note)]
    return "\n".join(lines)


def overview_table(o: Overview) -> str:
    """The first screen without its pictures: curves in words, samples left out."""
    columns = ["Method", "Experiment", *o.columns, "Seeds", "Curve", "State", "Remarks"]
    numeric = range(2, 2 + len(o.columns))
    lines = [
        _line([escape(column) for column in columns]),
        _line(["---:" if i in numeric else ":---" for i in range(len(columns))]),
    ]
    for line in o.lines:
        curve = line.curve.description if line.curve else ""
        told = [line.seeds, curve, line.state, "; ".join(line.remarks)]
        lines.append(_line([escape(text) for text in (line.name, line.label, *line.scores, *told)]))
    return "\n".join([*lines, "", *(escape(sentence) for sentence in o.meaning)])


def render(c: Content) -> str:
    """Write the whole document."""
    parts = [f"# {escape(c.title)}", overview_table(c.overview), escape(c.summary)]
    parts += [f"> **Note.** {escape(warning)}" for warning in c.warnings]
    parts += ["## Against the papers", escape(c.papers.summary), *map(table, c.papers.tables)]
    parts += ["## Final scores", *(table(s.table) for s in c.scores)]
    if c.runs:
        parts += [escape(c.spread), escape(c.compute)]
    if c.scores:
        parts += ["## Scores against G-iterations", *(_figure(f) for s in c.scores for f in s.figures)]
    if c.stability:
        parts += ["## Stability", table(c.stability)]
    if c.starts:
        parts += ["## How runs start, against the accepted ones"]
        parts += ["\n".join(f"- {escape(sentence)}" for sentence in c.starts.sentences)]
        parts += [_figure(c.starts.figure)] if c.starts.figure else []
    if c.losses.figures:
        parts += ["## Losses", *map(_figure, c.losses.figures), *map(escape, c.losses.notes)]
        parts += [table(c.losses.table)] if c.losses.table else []
    if c.strips:
        parts += [
            "## Samples",
            "The sample grids are in report.html and in the `samples` folder of each run.",
        ]
    if c.history:
        parts += ["## What was accepted over time", escape(c.history.caption)]
        parts += [*map(_figure, c.history.figures), table(c.history.table), *map(escape, c.history.notes)]
    parts += [
        "## Not run or diverged",
        table(c.problems) if c.problems else "Every planned run reached its budget.",
    ]
    if c.budgets:
        parts += ["## Budgets", table(c.budgets)]
    if c.experiments:
        parts += ["## Experiments", *(_experiment(e) for e in c.experiments)]
    if c.runs:
        parts += ["## Environments, time and runs", *map(table, c.environments)]
        parts += [table(t) for t in (c.timing, *c.speed, c.runs) if t]
    parts += ["## To make this report again", fenced(c.command, "sh"), escape(c.origin.text())]
    parts += ["## Citations", fenced(c.bibtex, "bibtex")]
    return "\n\n".join(parts) + "\n"


def _figure(f: Figure) -> str:
    return f"![{escape(f.description)}](curves/{f.stem}.svg)\n\n{escape(f.caption)}"


def _experiment(e: ExperimentSection) -> str:
    parts = [
        f"### {escape(e.label)}",
        escape(f"{e.title}. {e.paper}" if e.title else e.paper),
        escape(e.summary),
        escape(e.budget),
    ]
    parts += [table(t) for t in (e.settings, e.deviations) if t]
    return "\n\n".join(part for part in parts if part)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
