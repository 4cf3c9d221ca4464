"""What `ganbench run` tells of its runs when they are over: scores, report, what failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.streams import print_json
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.suites import Suite
    from benchmark.suites.plan import PlannedRun


def conclude(
    suite: Suite, runs: list[PlannedRun], out: Path, again: str | None, json_: bool, *, begun: bool
) -> int:
    """Print the scores, and write the report.

    Args:
        suite: of the runs.
        runs: planned again, so that their states are those of now.
        out: the results folder.
        again: what to type to make the results again, for the report; None for no report.
        json_: whether to print JSON.
        begun: whether there was something to do, so that all should be finished.

    Returns:
        The exit code.

    """
    from benchmark.cli.text import note

    written: Path | str | None = None
    try:
        written = None if again is None else _report(suite, runs, out, again)
    except (UserError, OSError) as error:  # a full disk, say: the scores are known all the same
        written = str(error)
    _scores(suite, runs, out, written, json_)
    bad = [r for r in runs if r.state.name != "done"]
    for r in bad:
        note(f"{r.label}: {r.state.text()}" + (f", see {r.directory}" if r.state.name == "failed" else ""))
    if written:
        note(f"Report: {written}")
    unexpected = {"failed", "diverged", "running"} | ({"interrupted", "not run"} if begun else set())
    return 3 if isinstance(written, str) or any(r.state.name in unexpected for r in bad) else 0


def _report(suite: Suite, runs: list[PlannedRun], out: Path, again: str) -> Path:
    from benchmark.cli.results import missing_runs, records_of, reference_of, speeds_of, write

    return write(
        suite,
        records_of(runs),
        missing_runs(runs),
        out / "reports" / suite.name,
        again,
        reference=reference_of(suite, out),
        speeds=speeds_of(out),
    )[0]


def _scores(suite: Suite, runs: list[PlannedRun], out: Path, report: Path | str | None, json_: bool) -> None:
    """Print them; `report` is its path, or in words why there is none."""
    from benchmark.cli.results import final_scores, missing_runs, print_scores, records_of, reference_of
    from benchmark.cli.verdicts import against_papers, print_verdicts

    records, missing = records_of(runs), missing_runs(runs)
    found = against_papers(suite, records, missing, reference_of(suite, out))
    if json_:
        print_json(
            {
                "suite": suite.name,
                "report": str(report) if isinstance(report, Path) else None,
                **({"report_error": report} if isinstance(report, str) else {}),
                "runs": [_summary(r) for r in runs],
                "scores": final_scores(records),
                "verdicts": found.as_dict()["verdicts"],
            }
        )
    else:
        print_scores(records, missing)
        print_verdicts(found)


def _summary(r: PlannedRun) -> dict[str, Any]:
    return {
        "experiment": r.experiment,
        "seed": r.seed,
        "state": r.state.name,
        "reason": r.state.reason,
        "directory": str(r.directory),
    }
