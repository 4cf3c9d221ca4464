"""Everything `ganbench check` says of a suite's runs: one case a rule, and what they come to.

The rules themselves are in `gate` (against the reference) and `against_paper`; here are the troubles that are
no statistics (failed runs, seeds that were not run, waivers), and the exit code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from benchmark.errors import shown
from benchmark.judging import gate
from benchmark.judging.against_paper import against_paper
from benchmark.judging.cases import (
    MARKS,
    Case,
    decision,
    diverged,
    expired,
    is_told,
    no_result,
    not_run,
    values,
    verdict,
)
from benchmark.records import identity
from benchmark.records.cells import group
from benchmark.records.quantities import plural
from benchmark.suites.waivers import read_waivers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from benchmark.judging.selection import Selection
    from benchmark.suites import Suite

    Record = Mapping[str, Any]

Against = Literal["reference", "paper"]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found: cases, the worst first; remarks; what the command ends with; what the values are."""

    suite: str
    against: Against
    cases: tuple[Case, ...]
    notes: tuple[str, ...]
    exit_code: int
    conclusion: str
    details: Mapping[str, Any]
    values: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON types; `gate` or `verdicts` hold every number."""
        return {
            "suite": self.suite,
            "against": self.against,
            "exit_code": self.exit_code,
            "conclusion": self.conclusion,
            "notes": list(self.notes),
            "values": self.values,
            "cases": [vars(case) for case in self.cases],
            **self.details,
        }


@dataclass(frozen=True)
class Rules:
    """What the user may set; `today` is the date that waivers expire by."""

    today: date
    waivers: Sequence[Mapping[str, Any]] = ()
    strict: bool = False


def against_reference(
    suite: Suite, selection: Selection, reference: Sequence[Record] | None, rules: Rules
) -> Checked:
    """Are the suite's runs still what was accepted? `reference` is None where nothing was."""
    records = [run.record for run in selection.runs]
    cases = [no_result(broken) for broken in selection.broken if is_told(broken, suite)]
    notes, details, why = list(selection.notes), {}, ""
    if not records:
        why = _no_record(suite, selection)
    elif not reference:
        why = f"no reference of the suite '{suite.name}' was accepted yet"
    else:
        found = gate.gate(
            reference,
            records,
            suite.gate,
            today=rules.today,
            confirm_with=suite.confirmation(),
            waivers=rules.waivers,
            strict=rules.strict,
        )
        details = {"gate": found.as_dict()}
        if all(d.outcome == "no-evidence" and d.p is None and not d.starts for d in found.decisions):
            why = f"nothing can be compared: {found.decisions[0].reason}"
        sides = (records, reference)
        cases += [decision(d, rules.strict, *values(d, sides, suite)) for d in found.decisions]
        accepted = {record["experiment"] for record in reference}
        cases += [
            c for c in not_run(suite, selection, rules.strict) if c.experiment not in accepted or c.cell
        ]
        cases += diverged(suite, records, reference)
        notes += [*_few_seeds(reference), *_of_other_suites(suite, reference)]
    return _concluded(suite, "reference", cases, notes, rules, details, why)


def against_papers(
    suite: Suite, selection: Selection, reference: Sequence[Record] | None, rules: Rules
) -> Checked:
    """What became of the papers' claims? The reference, if any, only says what spread to expect."""
    runs = [run for run in selection.runs if run.record["seed"] in suite.seeds]
    cases = [no_result(broken) for broken in selection.broken if is_told(broken, suite)]
    cells = group(runs).cells
    judged = against_paper(cells, suite.experiments, planned=suite.seeds, reference=reference or ())
    cell_ids = {cell.label: cell.first["cell_id"] for cell in cells}
    verdicts = [{"cells": list(j.cells), **j.verdict.as_dict()} for j in judged]
    why = ""
    if not runs:
        why = _no_record(suite, selection)
    elif not judged:
        why = "no paper prints a number about these experiments"
    elif all(j.verdict.outcome in ("not-comparable", "missing") for j in judged):
        why = f"none of {plural(len(judged), 'claim')} is comparable with these runs"
    if runs:
        cases += [verdict(j, cell_ids, rules.strict) for j in judged]
        cases += not_run(suite, selection, rules.strict)
        cases += diverged(suite, [run.record for run in runs], reference or ())
    return _concluded(suite, "paper", cases, list(selection.notes), rules, {"verdicts": verdicts}, why)


def _few_seeds(reference: Sequence[Record]) -> list[str]:
    """One line where a cell has fewer accepted seeds than it should; portable runs are judged by bits."""
    by_scores = (r for r in reference if not identity.is_portable(r["spec"].get("numerics", {})))
    per_cell = Counter((record["experiment"], record["cell_id"]) for record in by_scores)
    few = [f"{name} ({n})" for (name, _), n in sorted(per_cell.items()) if n < gate.ENOUGH]
    if not few:
        return []
    return [f"fewer than {gate.ENOUGH} seeds in the reference, which lets much pass: {', '.join(few)}"]


def _of_other_suites(suite: Suite, reference: Sequence[Record]) -> list[str]:
    """One line where the reference may be another suite's, as where the wrong file was named."""
    others = sorted({record["suite"] for record in reference} - {suite.name})
    if not others:
        return []
    named = ", ".join(map(shown, others[:5]))
    return [f"the reference has records of the suite {named}, not of '{suite.name}' alone"]


# --- What they come to ----------------------------------------------------------------------------------


def _concluded(
    suite: Suite,
    against: Against,
    cases: Sequence[Case],
    notes: list[str],
    rules: Rules,
    details: Mapping[str, Any],
    why: str,
) -> Checked:
    """With waivers used up, in order, and the exit code; `why` says why nothing was judged, if so."""
    waivers = read_waivers(rules.waivers)
    live = [waiver for waiver in waivers if waiver.expires >= rules.today]
    used = {w for d in details.get("gate", {}).get("decisions", ()) for w in live if d["waiver"] == w.text()}
    done = []
    for case in cases:
        waiver = next((w for w in live if case.mark in ("error", "fail") and w.covers(case)), None)
        if waiver:
            used.add(waiver)
            case = replace(case, mark="skip", reason=f"waived: {waiver.text()}; {case.reason}")
        done.append(case)
    done += [expired(waiver) for waiver in waivers if waiver.expires < rules.today]
    done.sort(key=lambda c: MARKS.index(c.mark))
    if against == "reference" and not why:
        notes += [f"waiver not needed: {w.text()}" for w in live if w not in used]
    marks = {case.mark for case in done}
    code = 3 if "error" in marks else 1 if "fail" in marks else 4 if why else 0
    each = "the value at the budget"
    if against == "reference":
        each = f"each run's mean over its last {plural(suite.gate.points, 'evaluation')}"
    return Checked(
        suite=suite.name,
        against=against,
        cases=_distinct(done),
        notes=tuple(notes),
        exit_code=code,
        conclusion=_conclusion(suite, against, done, code, why),
        details=details,
        values=f"Mean ± sd over seeds of {each}.",
    )


def _no_record(suite: Suite, selection: Selection) -> str:
    stale = f"; {plural(selection.stale, 'run')} of other code" if selection.stale else ""
    return f"no current record of the suite '{suite.name}'{stale}"


def _conclusion(suite: Suite, against: Against, cases: Sequence[Case], code: int, why: str) -> str:
    head = f"{suite.name} against the {against}"
    counts: dict[str, int] = defaultdict(int)
    for case in cases:
        waived = " (waived)" if case.reason.startswith("waived: ") else ""
        counts[case.outcome + waived] += 1
    tally = ", ".join(f"{n} {_tallied(outcome, cases)}" for outcome, n in counts.items())
    word = {0: "passed", 1: "failed", 3: "failed, runs have no result", 4: "nothing to judge"}[code]
    if code == 0 and any(case.mark == "skip" for case in cases):
        word = "nothing failed"
    return f"{head}: {word}" + (f" ({why})" if why else "") + (f": {tally}." if tally else ".")


def _tallied(outcome: str, cases: Sequence[Case]) -> str:
    """The outcome for a headline: what was not decided is called so, and what is known of it all the same."""
    if outcome != "no-evidence":
        return outcome
    starts = [case.starts for case in cases if case.outcome == outcome]
    alike = sum(start is True for start in starts)
    if not alike:
        return "undecided"
    return f"undecided ({'all' if alike == len(starts) else alike} start as accepted)"


def _distinct(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Names made distinct, by the cell where two cells of one experiment have the same."""
    names = [(case.experiment, case.name) for case in cases]
    return tuple(
        replace(case, name=f"{case.name} [cell {case.cell[:8]}]")
        if names.count((case.experiment, case.name)) > 1 and case.cell
        else case
        for case in cases
    )
