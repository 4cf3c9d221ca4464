"""The report of a suite, made from records alone."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import UserError, did_you_mean
from benchmark.report.loaded import LoadedRecord, MissingRun

__all__ = ["FORMATS", "LoadedRecord", "MissingRun", "write_report"]

FORMATS = ("html", "md", "tex", "csv")


def write_report(
    records: Sequence[LoadedRecord],
    out: Path,
    *,
    suite: str,
    command: str,
    formats: Sequence[str] = FORMATS,
    missing: Sequence[MissingRun] = (),
    bibtex: str = "",
) -> list[Path]:
    """Write report.html, report.md, tables.tex, results.csv, curves/*.svg and citations.bib below `out`.

    `command` is what a reader types to make the report again; `missing` are planned runs without a record;
    citations.bib is written when `bibtex` is not empty, curves/ when HTML or Markdown is asked for. Equal
    records in any order give equal bytes. Returns the files written. Raises UserError for an unknown format.
    """
    for name in formats:
        if name not in FORMATS:
            raise UserError(
                f"unknown report format {name!r}", where="--format", do=did_you_mean(name, FORMATS)
            )
    # Imported here: the command line imports this package, and must not wait for pandas and matplotlib.
    from benchmark.report import content, html, latex, markdown, tidy

    report = content.compose(records, missing, suite=suite, command=command, bibtex=bibtex)
    files: dict[str, str] = {}
    if "html" in formats:
        files["report.html"] = html.render(report)
    if "md" in formats:
        files["report.md"] = markdown.render(report)
    if "tex" in formats:
        files["tables.tex"] = latex.render(report)
    if "csv" in formats:
        files["results.csv"] = tidy.to_csv(records, suite)
    if {"html", "md"} & set(formats):
        files |= {f"curves/{figure.stem}.svg": figure.svg for figure in report.figures}
    if report.bibtex:
        files["citations.bib"] = report.bibtex + "\n"
    return [_write(out / name, text) for name, text in files.items()]


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
