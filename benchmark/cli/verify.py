"""`ganbench verify`: whether records can be believed."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import as_json
from benchmark.cli.streams import print_json


@click.command()
@click.argument("paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--no-rerun", is_flag=True, help="Compare digests only; compute nothing again.")
@click.option(
    "--other-environment-is-fine",
    "tolerant",
    is_flag=True,
    help="Do not fail for the environment alone, as long as numbers agree within the tolerance.",
)
@as_json
def verify(paths: tuple[Path, ...], no_rerun: bool, tolerant: bool, json_: bool) -> int:
    r"""Check the finished runs at RUN (a run directory, or all below a folder).

    Hashes record, spec, sample grids, checkpoints and code again; then computes the stretch from the last
    but one checkpoint (or the beginning) to the end again and compares every bit. In another environment
    than the run's, compares the first G-iterations within a tolerance instead. Exit code 1 when anything is
    not as recorded.

    \b
    ganbench verify results/runs/gan/digits/0123456789ab-01234567
    ganbench verify results --no-rerun
    """
    from benchmark.cli.text import print_text
    from benchmark.judging.verify import Check, checks, runs_at

    def passes(check: Check) -> bool:
        return check.ok or (tolerant and check.subject == "environment")

    found: list[dict[str, object]] = []
    directories = list(dict.fromkeys(run for path in paths for run in runs_at(path)))
    for i, directory in enumerate(directories, 1):
        if not json_:
            print_text(f"{directory} ({i} of {len(directories)})" if len(directories) > 1 else str(directory))
        for check in checks(directory, rerun=not no_rerun):
            found.append(
                {
                    "directory": str(directory),
                    "subject": check.subject,
                    "ok": passes(check),
                    "message": check.message,
                }
            )
            if not json_:
                print_text(f"  {'ok  ' if passes(check) else 'FAIL'}  {check.message}")
    if json_:
        print_json(found)
    return 0 if all(entry["ok"] for entry in found) else 1
