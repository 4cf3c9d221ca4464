"""The cases of a check: from a decision, a verdict, or a run without result to one line each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from benchmark.judging.cell_test import run_value
from benchmark.judging.comparability import METRICS
from benchmark.records.quantities import named_seeds
from benchmark.records.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmark.judging.against_paper import Judged
    from benchmark.judging.decision import Decision, Outcome
    from benchmark.judging.selection import Broken, Selection
    from benchmark.judging.statistics import Interval
    from benchmark.records.summary import Spread
    from benchmark.suites import Suite
    from benchmark.suites.waivers import Waiver

    Record = Mapping[str, Any]

Mark = Literal["error", "fail", "warn", "skip", "pass"]
"""`error`: a run gave no result. `fail`: the rule failed. `warn`: passes, and somebody should look. `skip`:
nothing could be said, or it was waived."""
MARKS: tuple[Mark, ...] = ("error", "fail", "warn", "skip", "pass")

_GATE: Mapping[Outcome, Mark] = {
    "unchanged": "pass",
    "improved": "warn",
    "no-evidence": "skip",
    "regressed": "fail",
    "nondeterministic": "fail",
    "departed": "fail",
    "missing": "fail",
}
_PAPER: Mapping[str, Mark] = {
    "reproduced": "pass",
    "above": "warn",
    "below": "fail",
    "unstable": "fail",
    "inconclusive": "skip",
    "not-comparable": "skip",
    "missing": "skip",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One rule about one thing. `difference` is positive where it is worse, with its 90 % interval.

    `starts`: whether its runs start as the accepted ones, where that was compared.
    """

    experiment: str
    name: str
    outcome: str
    mark: Mark
    reason: str
    cell: str = ""
    metric: str = ""
    ours: str = ""
    theirs: str = ""
    difference: str = ""
    starts: bool | None = None


def values(d: Decision, sides: Sequence[Sequence[Record]], suite: Suite) -> tuple[str, str]:
    """What was compared, ours and the reference's; where bits decided, all seeds that there are."""
    if d.current is not None or d.reference is not None:
        return (
            _mean(d.current, d.current_sd, d.n_current),
            _mean(d.reference, d.reference_sd, d.n_reference),
        )
    values = [
        [run_value(r, d.protocol, d.metric, suite.gate.points) for r in side if r["cell_id"] == d.cell]
        for side in sides
    ]
    ours, theirs = (_spread(summarise([x for x in side if x is not None])) for side in values)
    return ours, theirs


def decision(d: Decision, strict: bool, ours: str, theirs: str) -> Case:
    """Of the gate."""
    mark: Mark = "fail" if d.fails(strict=strict) else "skip" if d.waiver else _GATE[d.outcome]
    if d.warns and not d.waiver:
        mark = "warn"
    return Case(
        experiment=d.experiment,
        name=d.name,
        outcome=d.outcome,
        mark=mark,
        reason=f"waived: {d.waiver}; {d.reason}" if d.waiver else d.reason,
        cell=d.cell,
        metric=d.metric,
        ours=ours,
        theirs=theirs,
        difference=_difference(d.worse_by, d.interval),
        starts=d.starts,
    )


def verdict(j: Judged, cell_ids: Mapping[str, str], strict: bool) -> Case:
    """Of a claim; one that is not confirmed never fails."""
    v = j.verdict
    mark = _PAPER[v.outcome]
    if not v.confirmed and mark == "fail":
        mark = "warn"
    if strict and v.confirmed and v.outcome == "inconclusive":
        mark = "fail"
    ordering = v.rival is not None or j.claim.kind == "ordering"
    return Case(
        experiment=v.experiment,
        name=" ".join([v.claim, *j.cells]),
        outcome=v.outcome,
        mark=mark,
        reason="; ".join([v.reason, *v.caveats]),
        cell=cell_ids.get(j.cells[0], "") if j.cells else "",
        metric=METRICS.get(v.metric, v.metric),  # one name under both rules, so that waivers cover both
        ours=_spread(v.ours),
        theirs=_spread(v.rival) if ordering else v.paper,
        difference=_difference(v.difference, v.interval),
    )


def no_result(broken: Broken) -> Case:
    """Of a run without a result that can be used."""
    mark: Mark = "fail" if broken.trouble == "nondeterministic" else "error"
    return Case(
        experiment=broken.experiment,
        name=f"{broken.experiment} seed {'unknown' if broken.seed is None else broken.seed}",
        outcome=broken.trouble,
        mark=mark,
        reason=broken.reason,
        cell=broken.cell,
    )


def is_told(broken: Broken, suite: Suite) -> bool:
    """Whether it is a case of its own: unfinished runs are not, their seeds are simply not run."""
    return broken.trouble != "unfinished" and (broken.seed is None or broken.seed in suite.seeds)


def not_run(suite: Suite, selection: Selection, strict: bool) -> list[Case]:
    """Seeds of the suite that no cell of their experiment has; `cell` is empty where there is none at all."""
    seeds: dict[str, set[int]] = defaultdict(set)
    cells: dict[str, str] = {}
    for run in selection.runs:
        seeds[run.record["experiment"]].add(run.record["seed"])
        cells[run.record["experiment"]] = run.record["cell_id"]
    for broken in selection.broken:
        if broken.trouble != "unfinished" and broken.seed is not None:
            seeds[broken.experiment].add(broken.seed)
    cases = []
    for name in suite.experiments:
        if absent := sorted(set(suite.seeds) - seeds[name]):
            states = [
                f"seed {b.seed} {b.reason}"
                for b in selection.broken
                if b.experiment == name and b.trouble == "unfinished" and b.seed in absent
            ]
            cases.append(
                Case(
                    experiment=name,
                    name=f"{name} all seeds run",
                    outcome="not-run",
                    mark="fail" if strict else "warn",
                    reason="; ".join([f"no record of {named_seeds(absent)}", *states]),
                    cell=cells.get(name, ""),
                )
            )
    return cases


def diverged(suite: Suite, records: Iterable[Record], reference: Iterable[Record]) -> list[Case]:
    """Runs of the suite's seeds that diverged in a cell of which no accepted run did."""
    accepted: dict[str, set[str]] = defaultdict(set)
    for record in reference:
        accepted[record["cell_id"]].add(record["status"])
    return [
        Case(
            experiment=r["experiment"],
            name=f"{r['experiment']} seed {r['seed']}",
            outcome="diverged",
            mark="error",
            reason=f"diverged at G-iteration {r['diverged_at']}; no run of the reference did",
            cell=r["cell_id"],
        )
        for r in records
        if r["status"] == "diverged" and r["seed"] in suite.seeds and accepted.get(r["cell_id"]) == {"done"}
    ]


def expired(waiver: Waiver) -> Case:
    """Of a waiver past its date."""
    return Case(
        experiment="waivers",
        name=waiver.text(),
        outcome="expired",
        mark="fail",
        reason="the waiver has expired: solve it, or give it another date",
    )


def _mean(value: float | None, sd: float | None, n: int) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" + ("" if sd is None else f" ± {sd:.2g}") + f" (n = {n})"


def _spread(spread: Spread | None) -> str:
    return "" if spread is None else _mean(spread.mean, spread.sd, spread.n)


def _difference(worse_by: float | None, interval: Interval | None) -> str:
    if worse_by is None:
        return ""
    ends = f" [{interval.low + 0.0:.3g}, {interval.high + 0.0:.3g}]" if interval else ""  # no -0
    return f"{worse_by + 0.0:+.3g}{ends}"
