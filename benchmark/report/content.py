"""Everything the report says, in the order it says it, before any format is chosen."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.report.cells import Cell, Grouping, group, paper_text
from benchmark.report.circumstances import environment_tables, problem_table, run_table, timing_table
from benchmark.report.curves import loss_figure, score_figure
from benchmark.report.figure import Figure
from benchmark.report.loaded import LoadedRecord, MissingRun
from benchmark.report.quantities import count, count_range, plural
from benchmark.report.samples import Strip, strips
from benchmark.report.scores import Comparison, comparisons, score_table
from benchmark.report.table import Column, Row, Table


@dataclass(frozen=True)
class ScoreSection:
    """One comparable set of cells: its table and its curves."""

    comparison: Comparison
    table: Table
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class ExperimentSection:
    """What an experiment is: paper, networks, settings with sources, deviations."""

    label: str
    title: str
    paper: str
    summary: str
    budget: str
    settings: Table | None
    deviations: Table | None


@dataclass(frozen=True)
class Content:
    """The report, independent of its format."""

    title: str
    summary: str
    warnings: tuple[str, ...]
    scores: tuple[ScoreSection, ...]
    losses: tuple[Figure, ...]
    strips: tuple[Strip, ...]
    problems: Table | None
    experiments: tuple[ExperimentSection, ...]
    environments: tuple[Table, ...]
    timing: Table | None
    runs: Table | None
    command: str
    bibtex: str

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every chart in order."""
        return (*(f for s in self.scores for f in s.figures), *self.losses)


def compose(
    runs: Sequence[LoadedRecord], missing: Sequence[MissingRun], *, suite: str, command: str, bibtex: str
) -> Content:
    """Group, summarise and draw. The result does not depend on the order of the records."""
    grouping = group(runs, missing)
    cells = grouping.cells
    compared = comparisons(cells)
    stem = _unique_stems()
    # A run without a record has no dataset or budget: it gets a row only where there is just one of each.
    one_frame = len({(c.dataset["name"], c.dataset.get("digest"), c.gen_iters) for c in compared}) == 1
    sections = tuple(
        ScoreSection(
            c,
            score_table(c, grouping.absent if one_frame else ()),
            tuple(score_figure(c, metric, stem(f"{metric}-{c.name}")) for metric in c.metrics),
        )
        for c in compared
    )
    losses = (loss_figure(cell, stem(f"losses-{cell.label}")) for cell in cells)
    return Content(
        title=f"GAN benchmark: suite {suite}",
        summary=_summary(suite, grouping, compared),
        warnings=(*_comparability(compared), *grouping.notes, *_mixed_environments(cells)),
        scores=sections,
        losses=tuple(figure for figure in losses if figure is not None),
        strips=strips(cells),
        problems=problem_table(grouping),
        experiments=tuple(map(_experiment, cells)),
        environments=environment_tables(cells),
        timing=timing_table(cells),
        runs=run_table(cells),
        command=command,
        bibtex=bibtex.strip(),
    )


def _unique_stems() -> Callable[[str], str]:
    used: set[str] = set()

    def stem(text: str) -> str:
        base = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60] or "figure"
        name = next(n for n in (base, *(f"{base}-{k}" for k in range(2, 10_000))) if n not in used)
        used.add(name)
        return name

    return stem


def _summary(suite: str, grouping: Grouping, compared: Sequence[Comparison]) -> str:
    missing = [m for cell in grouping.cells for m in cell.missing] + [*grouping.unplaced, *grouping.absent]
    records = [r for cell in grouping.cells for r in cell.records]
    planned = len(records) + len(missing)
    experiments = {r["experiment"] for r in records} | {m.experiment for m in missing}
    seeds = {r["seed"] for r in records} | {m.seed for m in missing}
    square = planned == len(experiments) * len(seeds)
    text = f"Suite {suite}: {plural(len(experiments), 'experiment')}" + (
        f" × {plural(len(seeds), 'seed')}" if square else f", {plural(planned, 'run')}"
    )
    if not records:
        return f"{text}. None of them has a record yet, so there is nothing to show but what was not run."
    budgets = count_range(r["gen_iters"] for r in records)
    datasets = ", ".join(sorted({str(r["spec"]["dataset"]["name"]) for r in records}))
    done = sum(len(cell.finished) for cell in grouping.cells)
    lost = [
        (sum(len(c.diverged) for c in grouping.cells), "diverged"),
        (len(missing), "not run or not finished"),
    ]
    return (
        f"{text}, each trained on {datasets} for a fixed budget of {budgets} G-iterations (generator "
        "updates). "
        f"{done} of {plural(planned, 'run')} reached the budget"
        + "".join(f"; {n} {what}" for n, what in lost if n)
        + f". Scores: {'; '.join(dict.fromkeys(c.in_words() for c in compared))}. The number reported is "
        "the one at the end of the budget, not the best one on the way; ± is the sample standard deviation "
        "over training seeds."
    )


def _comparability(compared: Sequence[Comparison]) -> list[str]:
    apart = [c.protocol for c in compared if not c.protocol["comparable_with_papers"]]
    return list(dict.fromkeys(map(_not_comparable, apart)))


def _not_comparable(protocol: dict[str, Any]) -> str:
    note = str(protocol["note"])
    says_so = "not comparable" in note.lower()
    return f"{protocol['extractor']} scores (protocol {protocol['name']}) " + (
        f"— {note[:1].lower()}{note[1:]}" if says_so else f"are not comparable with any paper. {note}"
    )


def _mixed_environments(cells: Sequence[Cell]) -> list[str]:
    return [
        f"{c.label}: the seeds come from {len(c.env_ids)} environments "
        f"({', '.join(e[:8] for e in c.env_ids)}); the spread contains their difference."
        for c in cells
        if len(c.env_ids) > 1
    ]


def _experiment(cell: Cell) -> ExperimentSection:
    spec = cell.experiment
    settings = tuple(
        Row((key, _value(entry.get("value")), str(entry.get("source", "")), str(entry.get("confidence", ""))))
        for key, entry in spec.get("settings", {}).items()
    )
    deviations = tuple(
        Row(tuple(str(d.get(k, "")) for k in ("what", "why", "effect"))) for d in spec.get("deviations", ())
    )
    return ExperimentSection(
        cell.label,
        str(spec.get("title", "")),
        paper_text(spec),
        str(spec.get("summary", "")),
        paper_budget(spec.get("budget")),
        Table(
            "Settings, each with its source.",
            (Column("Setting"), Column("Value"), Column("Source"), Column("Confidence")),
            settings,
        )
        if settings
        else None,
        Table("Deviations from the paper.", (Column("What"), Column("Why"), Column("Effect")), deviations)
        if deviations
        else None,
    )


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} {_value(v)}" for k, v in value.items())
    return str(value)


def paper_budget(budget: dict[str, Any] | None) -> str:
    """The paper's training length in a sentence; empty where none was recorded."""
    if not budget:
        return ""
    if budget.get("confidence") == "suite":
        return "The paper has no such run: its training length is the suite's."
    printed = budget.get("gen_iters")
    length = f"{count(printed)} G-iterations" if printed else "not printed"
    arithmetic, source = budget.get("arithmetic", ""), budget.get("source", "")
    return f"Training length in the paper: {length}. {arithmetic} {f'[{source}]' if source else ''}".strip()
