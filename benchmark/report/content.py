"""Everything the report says, in the order it says it, before any format is chosen."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baselines.claims import Claim
from benchmark.judging.against_paper import against_paper, statements
from benchmark.records.cells import Cell, Grouping, group
from benchmark.records.loaded import LoadedRecord, MissingRun
from benchmark.records.quantities import count_range, plural
from benchmark.report.axes import AXES, Axis
from benchmark.report.budgets import budget_table, compute_text
from benchmark.report.circumstances import environment_tables, problem_table, run_table, timing_table
from benchmark.report.citation import Origin, origin
from benchmark.report.curves import score_figure
from benchmark.report.described import ExperimentSection, experiment_section
from benchmark.report.figure import Figure
from benchmark.report.history import History
from benchmark.report.losses import Losses, losses
from benchmark.report.overview import Overview, overview
from benchmark.report.samples import Strip, strips
from benchmark.report.scores import Comparison, comparisons, score_table
from benchmark.report.speed import tables as speed_tables
from benchmark.report.stability import stability_table
from benchmark.report.starts import Starts
from benchmark.report.starts import compare as compare_starts
from benchmark.report.table import Table
from benchmark.report.verdicts import Papers, comparable, papers

SPREAD = (
    "± is the sample standard deviation (n − 1) over training seeds, not an interval and not a standard "
    "error. A seed decides the initial weights, the order of the data, all noise of training and the latents "
    "that are scored; settings, data and budget are fixed."
)


@dataclass(frozen=True)
class ScoreSection:
    """One comparable set of cells: its table and its curves."""

    comparison: Comparison
    table: Table
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Content:
    """The report, independent of its format."""

    title: str
    overview: Overview
    summary: str
    warnings: tuple[str, ...]
    compute: str
    papers: Papers
    scores: tuple[ScoreSection, ...]
    stability: Table | None
    starts: Starts | None
    losses: Losses
    history: History | None
    strips: tuple[Strip, ...]
    problems: Table | None
    budgets: Table | None
    experiments: tuple[ExperimentSection, ...]
    environments: tuple[Table, ...]
    timing: Table | None
    speed: tuple[Table, ...]
    runs: Table | None
    command: str
    origin: Origin
    bibtex: str
    spread: str = SPREAD
    """Which variability the report's ± are about, and as what."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every chart in order."""
        start = self.starts.figure if self.starts else None
        return (
            *(f for s in self.scores for f in s.figures),
            *self.losses.figures,
            *(self.history.figures if self.history else ()),
            *([start] if start else ()),
        )


def compose(
    runs: Sequence[LoadedRecord],
    missing: Sequence[MissingRun],
    *,
    suite: str,
    command: str,
    bibtex: str = "",
    planned: Collection[int] = (),
    reference: Sequence[Mapping[str, Any]] = (),
    claims: Sequence[Claim] | None = None,
    axes: Sequence[Axis] = AXES,
    notes: Sequence[str] = (),
    note: str = "",
    history: History | None = None,
    speeds: Mapping[str, Any] | None = None,
) -> Content:
    """Group, summarise and draw, against each of `axes`; without any, nothing is drawn.

    The result does not depend on the order of the records.
    """
    grouping = group(runs, missing)
    cells = grouping.cells
    compared = comparisons(cells)
    found = _papers(cells, missing, planned=planned, reference=reference, claims=claims)
    stem = unique_stems()
    sections = _sections(grouping, compared, found, axes, stem)
    source = origin(suite, cells)
    return Content(
        title=f"GAN benchmark: suite {suite}",
        overview=overview(grouping, compared, found, note),
        summary=_summary(suite, grouping, compared),
        warnings=(*_comparability(compared), *grouping.notes, *_mixed_environments(cells), *notes),
        compute=compute_text(cells),
        papers=found,
        scores=sections,
        stability=stability_table(compared),
        starts=compare_starts(cells, reference) if axes else None,
        losses=losses([(cell, stem(f"losses-{cell.label}")) for cell in (cells if axes else ())]),
        strips=strips(cells),
        history=history if axes else None,
        problems=problem_table(grouping),
        budgets=budget_table(cells),
        experiments=tuple(map(experiment_section, cells)),
        environments=environment_tables(cells),
        timing=timing_table(cells),
        speed=_speed(cells, speeds or {}),
        runs=run_table(cells),
        command=command,
        origin=source,
        bibtex="\n\n".join(entry for entry in (bibtex.strip(), source.bibtex()) if entry),
    )


def _speed(cells: Sequence[Cell], speeds: Mapping[str, Any]) -> tuple[Table, ...]:
    shown = {cell.first["experiment"] for cell in cells}
    shown |= {protocol["name"] for cell in cells for protocol in cell.first["spec"]["protocols"]}
    return tuple(t for model, block in speeds.items() for t in speed_tables(model, block, shown))


def _papers(cells: Sequence[Cell], missing: Sequence[MissingRun], **given: Any) -> Papers:
    absent = sorted(m.experiment for m in missing)
    experiments = dict.fromkeys([*(cell.first["experiment"] for cell in cells), *absent])
    return papers(against_paper(cells, experiments, **given), statements(experiments), cells)


def _sections(
    grouping: Grouping,
    compared: Sequence[Comparison],
    found: Papers,
    axes: Sequence[Axis],
    stem: Callable[[str], str],
) -> tuple[ScoreSection, ...]:
    # A run without a record has no dataset or budget: it gets a row only where there is just one of each.
    one_frame = len({(c.where, c.dataset["digest"], c.gen_iters) for c in compared}) == 1
    return tuple(
        ScoreSection(
            c,
            score_table(c, grouping.absent if one_frame else ()),
            tuple(
                score_figure(
                    c,
                    metric,
                    stem(f"{metric}-{c.name}"),
                    {cell.label: comparable(found, cell, c.name, metric) for cell in c.cells},
                    axes,
                )
                for metric in (c.metrics if axes else ())
            ),
        )
        for c in compared
    )


def unique_stems() -> Callable[[str], str]:
    """Names of files from texts: `fid-digits`, and `fid-digits-2` where the same text comes again."""
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
        + f". Scores: {'; '.join(dict.fromkeys(c.in_words() for c in compared)) or 'none'}. "
        "The number reported is the one at the end of the budget, not the best one on the way."
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
