"""`ganbench probe`: whether experiments still compute the same numbers, in minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmark.cli import complete
from benchmark.cli.options import as_json, experiments_of, out
from benchmark.cli.streams import echo, print_json
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmark.judging.probes import Finding

_STYLES = {"unchanged": "green", "equal": "green", "new": "dim", "same sources": "dim"}
_JOBS = 2
"""A probe of the widest networks takes 4 GB."""


@click.command()
@click.argument("what", nargs=-1, metavar="[SUITE | GLOB...]", shell_complete=complete.suites_and_experiments)
@click.option("--accept", "accepting", is_flag=True, help="Write what is computed now as the reference.")
@click.option(
    "--equal-to",
    "rev",
    metavar="REV",
    help="Compare with another commit's code, here and now, and write down which sources are equivalent.",
)
@click.option(
    "--reference",
    "reference_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The accepted probes; default: OUT/reference/probes.json, or those that came with ganbench.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Processes; default: one per core, at most 2."
)
@out
@as_json
def probe(
    what: tuple[str, ...],
    accepting: bool,
    rev: str | None,
    reference_file: Path | None,
    jobs: int | None,
    out: Path,
    json_: bool,
) -> int:
    r"""Compute a few G-iterations of every experiment (of a SUITE; that a GLOB matches) and compare them.

    Full width, small batches, drawn images: needs no data, weights or GPU. Half of it is computed in portable
    numerics, which give the same bits on every machine, so any difference there is a change of our code. The
    other half is computed by the library as in a run; where only this one differs, the library or the machine
    computes something else. Runs of networks also start late (schedules, decay) and from a checkpoint, and
    images are generated and scored. What a probe cannot see: docs/gate.md.

    \b
    ganbench probe                        every registered experiment, also third parties'
    ganbench probe quick                  those of a suite, also its [[variants]]
    ganbench probe 'wgan*' dcgan/digits   some
    ganbench probe --accept               afterwards commit results/reference/probes.json
    ganbench probe --equal-to HEAD~1      did a refactoring change a bit? If not, earlier runs stay current

    \b
    0  nothing changed
    1  something did, or a probe failed
    2  usage or configuration
    4  nothing accepted to compare with
    """
    from benchmark.engines.base import default_jobs

    if accepting and rev is not None:
        raise UserError("--accept and --equal-to exclude each other", where="ganbench probe")
    if rev is not None and reference_file is not None:
        raise UserError("--reference does not go with --equal-to", where="ganbench probe")
    names = experiments_of(what, "ganbench probe")
    jobs = jobs or min(_JOBS, default_jobs("cpu"))
    if rev is not None:
        return _equal_to(names, rev, jobs, json_)
    return _check(
        names, complete=not what, accepting=accepting, given=reference_file, jobs=jobs, out=out, json_=json_
    )


def _check(
    names: Sequence[str],
    *,
    complete: bool,
    accepting: bool,
    given: Path | None,
    jobs: int,
    out: Path,
    json_: bool,
) -> int:
    from benchmark.engines.probing import pool
    from benchmark.judging import probe_file, probes
    from benchmark.judging.equal_to import SCORES
    from benchmark.records import environment, shipped

    own = probe_file.path_of(out)
    where = (given or own) if accepting else shipped.find(own, given)
    blocks, environments = probe_file.read(where) or ({}, {})
    if not accepting and not given and (ours := shipped.folder() / own.name) != where:
        # One's own file need not have our experiments.
        blocks = {**(probe_file.read(ours) or ({}, {}))[0], **blocks}
    plans = {
        name: blocks[name].get("plan") if name in blocks and not accepting else None
        for name in [*names, SCORES]
    }
    progress = _Progress(len(plans))
    results = pool.compute(plans, jobs, progress.told)
    here = environment.describe("cpu")
    gone = [name for name in blocks if complete and name not in results and not _is_variant(name)]
    findings = [probes.judge(name, blocks.get(name), results.get(name), here) for name in [*results, *gone]]
    _print(findings, where, json_, accepting, results)
    if accepting:
        if failed := [f for f in findings if f.outcome == "failed"]:
            raise UserError(failed[0].reason, where=failed[0].experiment, do="Nothing was accepted")
        new = {name: probe_file.block(result, here) for name, result in results.items()}
        kept = {name: block for name, block in blocks.items() if not complete or _is_variant(name)}
        probe_file.write(where, {**kept, **new}, {**environments, probe_file.environment_id(here): here})
        echo(f"{len(new)} probes accepted: {where}. Commit it.", err=json_)
        return 0
    code = probes.exit_code(findings)
    if code == 4:
        do = "Accept what you believe in: ganbench probe --accept"
        raise NothingToJudge("no probe was accepted that could be compared", where=str(where), do=do)
    return code


def _is_variant(name: str) -> bool:
    """Whether an experiment is of a suite: without the suite it is neither computed nor missing."""
    return "+" in name


def _print(
    findings: Sequence[Finding],
    where: Path,
    json_: bool,
    accepting: bool,
    results: Mapping[str, Mapping[str, Any]],
) -> None:
    from benchmark.cli.text import print_table, print_text
    from benchmark.judging.probes import FAILING, WORDS

    seconds = {name: result["cpu_s"] for name, result in results.items() if "cpu_s" in result}
    if json_:
        print_json(
            {
                "reference": str(where),
                "findings": [{**f.as_dict(), "cpu_s": seconds.get(f.experiment)} for f in findings],
            }
        )
        return
    rows = [
        (f.experiment, f.outcome, f"{WORDS[f.outcome]}{': ' if f.reason else ''}{f.reason}") for f in findings
    ]
    _table(print_table, ("experiment", "outcome", "what"), rows, f"Probes against {where}")
    counts = {o: sum(f.outcome == o for f in findings) for o in dict.fromkeys(f.outcome for f in findings)}
    tally = ", ".join(f"{n} {WORDS[o]}" for o, n in counts.items())
    bad = any(f.outcome in FAILING for f in findings) and not accepting
    print_text(
        f"{tally}. {sum(seconds.values()):.0f} s of CPU time.", style="bold red" if bad else "bold green"
    )


def _equal_to(names: Sequence[str], rev: str, jobs: int, json_: bool) -> int:
    from benchmark.cli.text import print_table, print_text
    from benchmark.judging import equal_to
    from benchmark.records import equivalence

    progress = _Progress(0)
    found = equal_to.compare(names, rev, jobs, progress.told, progress.planned)
    proofs = [proof for c in found for proof in c.proofs]
    file = equivalence.add(proofs) if proofs else None
    if json_:
        print_json(
            {"rev": rev, "file": str(file) if file else None, "comparisons": [c.as_dict() for c in found]}
        )
    else:
        rows = [
            (c.experiment, c.outcome, f"{equal_to.WORDS[c.outcome]}{'; ' if c.reason else ''}{c.reason}")
            for c in found
        ]
        _table(print_table, ("experiment", "outcome", "what"), rows, f"Probes of this code and of {rev}")
        if file:
            print_text(f"{len(proofs)} proofs written: {file}. Commit it.")
    return 1 if any(c.outcome in ("different", "unseen", "failed") for c in found) else 0


def _table(print_table: Any, headers: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich.text import Text

    styled = [
        (name, Text(outcome, style=_STYLES.get(outcome, "red")), *rest) for name, outcome, *rest in rows
    ]
    print_table(headers, styled, title=title)


class _Progress:
    """A line on stderr for each probe, with the time that is left."""

    def __init__(self, n: int) -> None:
        self._n, self._done, self._begin = n, 0, time.monotonic()

    def planned(self, n: int) -> None:
        """So many will come."""
        self._n = n

    def told(self, result: Mapping[str, Any]) -> None:
        """One came."""
        from benchmark.cli.text import note
        from benchmark.records.quantities import duration

        self._done += 1
        left = (time.monotonic() - self._begin) / self._done * (self._n - self._done)
        said = f"failed ({result['error']})" if "error" in result else f"{result['cpu_s']:.0f} s of CPU time"
        rest = f"; about {duration(left)} left" if self._done < self._n else ""
        note(f"[{self._done}/{self._n}] {result['experiment']}: {said}{rest}")
