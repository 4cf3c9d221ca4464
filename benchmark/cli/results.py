"""From runs on disk to the report's input, and the final scores on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.evaluation.protocol import OF_PIXELS
from benchmark.records import store
from benchmark.report import FORMATS, LoadedRecord, MissingRun, write_report
from benchmark.suites import experiments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmark.judging.history import Story
    from benchmark.suites import Suite
    from benchmark.suites.plan import PlannedRun


def load(directories: Iterable[Path]) -> list[LoadedRecord]:
    """The readable records among these run directories."""
    found = ((store.read_record(directory), directory) for directory in directories)
    return [LoadedRecord(record, directory) for record, directory in found if record is not None]


def records_of(runs: Sequence[PlannedRun]) -> list[LoadedRecord]:
    """The records of the planned runs that have one."""
    return load(run.directory for run in runs if run.state.finished)


def equivalent(runs: Sequence[PlannedRun]) -> list[str]:
    """Which runs other, equivalent sources made."""
    texts = (f"{run.experiment}: runs {run.equivalent}" for run in runs if run.equivalent)
    return list(dict.fromkeys(texts))


def note_equivalent(runs: Sequence[PlannedRun]) -> None:
    """Say so on stderr."""
    from benchmark.cli.text import note

    for text in equivalent(runs):
        note(text)


def missing_runs(runs: Sequence[PlannedRun]) -> list[MissingRun]:
    """The planned runs without a record, and why."""
    return [MissingRun(r.experiment, r.seed, r.state.text()) for r in runs if not r.state.finished]


def write(
    suite: Suite,
    records: Sequence[LoadedRecord],
    missing: Sequence[MissingRun],
    folder: Path,
    command: str,
    formats: Sequence[str] = FORMATS,
    reference: Sequence[Mapping[str, Any]] = (),
    notes: Sequence[str] = (),
    history: tuple[Sequence[Story], Sequence[str]] | None = None,
    speeds: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write the report of a suite; the first of the files is the one to open."""
    return write_report(
        records,
        folder,
        suite=suite.name,
        command=command,
        formats=formats,
        missing=missing,
        bibtex=bibtex(records),
        planned=suite.seeds,
        reference=reference,
        notes=notes,
        note=suite.note,
        history=history,
        speeds=speeds,
    )


def reference_of(suite: Suite, out: Path) -> Sequence[Mapping[str, Any]]:
    """The accepted records, which tell verdicts what spread to expect; none where there is no usable file."""
    from benchmark.cli.text import note
    from benchmark.judging import accepted

    try:
        return accepted.read(accepted.find(suite, out)) or ()
    except UserError as error:
        note(f"The reference is left out of the verdicts: {error}")
        return ()


def speeds_of(out: Path) -> Mapping[str, Any]:
    """What `ganbench bench` measured; nothing where there is no usable file."""
    from benchmark.cli.text import note
    from benchmark.records import throughput

    try:
        return throughput.read(throughput.path_of(out))
    except UserError as error:
        note(f"Measured speeds are left out: {error}")
        return {}


def first_screen(suite: Suite, runs: Sequence[LoadedRecord], reference: Sequence[Mapping[str, Any]]) -> str:
    """How far each method got, as the report's first screen has it, in Markdown; empty without runs."""
    from benchmark.judging.against_paper import against_paper
    from benchmark.records.cells import group
    from benchmark.report import markdown
    from benchmark.report.overview import overview
    from benchmark.report.scores import comparisons
    from benchmark.report.verdicts import papers

    if not runs:
        return ""
    grouping = group(runs)
    cells = grouping.cells
    names = dict.fromkeys(cell.first["experiment"] for cell in cells)
    judged = against_paper(cells, names, planned=suite.seeds, reference=reference)
    screen = overview(grouping, comparisons(cells), papers(judged, (), cells), suite.note)
    return f"### How far each method got\n\n{markdown.overview_table(screen)}"


def bibtex(records: Sequence[LoadedRecord]) -> str:
    """The papers of the records."""
    return experiments.bibtex(r.record["spec"]["experiment"]["paper"] for r in records)


def final_scores(records: Sequence[LoadedRecord]) -> list[dict[str, Any]]:
    """Mean, sd and n over the finished seeds per experiment, protocol and metric."""
    from benchmark.records.cells import group
    from benchmark.records.summary import summarise
    from benchmark.report.scores import comparisons

    out = []
    for comparison in comparisons(group(records).cells):
        for cell in comparison.cells:
            for metric in comparison.metrics:
                values = comparison.final(cell, metric)
                spread = summarise(values)
                out.append(
                    {
                        "experiment": cell.label,
                        "protocol": comparison.name,
                        "gen_iters": comparison.gen_iters,
                        "metric": metric,
                        "mean": spread.mean if spread else None,
                        "sd": spread.sd if spread else None,
                        "n": len(values),
                        "values": values,
                    }
                )
    return out


def print_scores(records: Sequence[LoadedRecord], missing: Sequence[MissingRun]) -> None:
    """The report's score tables on the terminal, without the columns on cost."""
    from benchmark.cli.text import print_table, print_text
    from benchmark.records.cells import group
    from benchmark.report.scores import comparisons, score_table

    grouping = group(records, missing)
    for comparison in comparisons(grouping.cells):
        whole = score_table(comparison, grouping.absent)
        kept = [
            i for i, c in enumerate(whole.columns) if c.group != "Parameters" and c.header != "images seen"
        ]
        table = whole.select(kept)
        print_text("")
        print_table(
            [column.full_header.removeprefix("Per run ") for column in table.columns],
            [row.cells for row in table.rows],
            title=table.caption,
            right=[i for i, column in enumerate(table.columns) if column.numeric],
        )
        if not comparison.protocol["comparable_with_papers"]:
            source = comparison.protocol["extractor"]
            name = comparison.name if source in OF_PIXELS else source
            print_text(f"{name} scores are not comparable with any paper.")
