"""The report of a suite, made from records alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark import escape
from benchmark.errors import UserError, did_you_mean
from benchmark.records import places
from benchmark.records.loaded import LoadedRecord, MissingRun

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from baselines.claims import Claim
    from benchmark.judging.history import Story
    from benchmark.report.content import Content

__all__ = ["FORMATS", "LoadedRecord", "MissingRun", "write_report"]

FORMATS = ("html", "md", "tex", "csv", "json")
_MARKS = {".csv": b"suite,experiment,baseline,", ".json": b'"records_sha256"'}
"""What a report's files of a kind have in them; others name ganbench."""


def write_report(
    records: Sequence[LoadedRecord],
    out: Path,
    *,
    suite: str,
    command: str,
    formats: Sequence[str] = FORMATS,
    missing: Sequence[MissingRun] = (),
    bibtex: str = "",
    planned: Collection[int] = (),
    reference: Sequence[Mapping[str, Any]] = (),
    claims: Sequence[Claim] | None = None,
    notes: Sequence[str] = (),
    note: str = "",
    history: tuple[Sequence[Story], Sequence[str]] | None = None,
    speeds: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write the report's files: results/README.md has the list.

    Equal records in any order give equal bytes. Files of formats not asked for are not written; curves/
    belongs to HTML and Markdown, curves/print/ to TeX, citations.bib to all.

    Args:
        records: what the report is about.
        out: the folder.
        suite: its name.
        command: what a reader types to make the report again.
        formats: of `FORMATS`.
        missing: planned runs without a record.
        bibtex: entries of the papers, to which the report adds its own.
        planned: seeds that each cell should have.
        reference: accepted records, from which the spread over seeds may be known, and how runs start.
        claims: what to judge against; all that the papers print, unless given.
        notes: sentences that a reader has to know before the numbers.
        note: what the suite says about itself.
        history: what was accepted over time, with remarks (`judging.history.read`).
        speeds: what was measured by device model (`records.throughput.read`).

    Returns:
        The files written.

    Raises:
        UserError: an unknown format, a folder among the runs, or a file that cannot be written.

    """
    places.refuse_among((run.directory for run in records), out, "--to")
    if not formats:
        raise UserError("names no format", where="--format", do=f"Choose of: {', '.join(FORMATS)}")
    for name in formats:
        if name not in FORMATS:
            raise UserError(
                f"unknown report format {name!r}", where="--format", do=did_you_mean(name, FORMATS)
            )
    # Imported here: the command line imports this package, and must not wait for pandas and matplotlib.
    from benchmark.report import axes, content
    from benchmark.report.history import history as drawn

    report = content.compose(
        records,
        missing,
        suite=suite,
        command=command,
        bibtex=bibtex,
        planned=planned,
        reference=reference,
        claims=claims,
        axes=axes.AXES if "html" in formats else axes.AXES[:1] if "md" in formats else (),
        notes=notes,
        note=note,
        history=drawn(*history) if history else None,
        speeds=speeds,
    )
    files = _files(report, records, suite, formats)
    _refuse_to_replace(out / name for name in files if "/" not in name)
    return [_write(out / name, content) for name, content in files.items()]


def _files(
    report: Content, records: Sequence[LoadedRecord], suite: str, formats: Sequence[str]
) -> dict[str, str | bytes]:
    """Name → content, the one to open first."""
    from benchmark.report import html, latex, markdown, print_curves, tidy

    files: dict[str, str | bytes] = {}
    if "html" in formats:
        files["report.html"] = html.render(report)
    if "md" in formats:
        files["report.md"] = markdown.render(report)
    if "tex" in formats:
        files["tables.tex"] = latex.render(report)
        files["tables-wide.tex"] = latex.render(report, wide=True)
        printed = print_curves.files([section.comparison for section in report.scores])
        files |= {f"curves/print/{name}": content for name, content in printed.items()}
    if "csv" in formats:
        files["results.csv"] = tidy.to_csv(records, suite)
    if "json" in formats:
        verdicts = {"suite": suite, "records_sha256": report.origin.digest, **report.papers.as_dict()}
        files["verdicts.json"] = escape.json_text(verdicts) + "\n"
    if {"html", "md"} & set(formats):
        files |= {f"curves/{figure.stem}.svg": figure.svg for figure in report.figures}
    files["citations.bib"] = report.bibtex + "\n"
    return files


def _refuse_to_replace(paths: Iterable[Path]) -> None:
    """Raise `UserError` where a file of somebody else's would be lost."""
    for path in paths:
        try:
            foreign = path.is_file() and _MARKS.get(path.suffix, b"ganbench") not in path.read_bytes()
        except OSError:
            continue  # writing says why
        if foreign:
            do = "Choose another folder, or move it away"
            raise UserError("is there, and of no report of ganbench", where=str(path), do=do)


def _write(path: Path, content: str | bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise UserError(f"the report cannot be written ({error.strerror})", where=str(path)) from error
    return path
