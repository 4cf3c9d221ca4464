"""Against the reference: is a cell still what was accepted? From records to one decision.

    unchanged          the same bits, or a difference whose 90 % interval is within twice the minimum effect
    improved           better by more than chance and than the minimum effect: accept it, or explain it
    regressed          worse by both, or more seeds diverge than did
    nondeterministic   the same run in the same environment gave other bits
    departed           the first G-iterations differ by more than rounding does (`starts`)
    no-evidence        neither; or there is no reference
    missing            in the reference, not run

Rules and their error rates: `docs/gate.md`. Several cells and metrics are several tests, so p-values are
adjusted after Holm; and a regression has to be confirmed by more seeds, named beforehand, where the caller
names some.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmark.judging import statistics
from benchmark.judging.cell_test import by_cell, fresh, settled, tests
from benchmark.judging.decision import Decision, Gate
from benchmark.judging.starts import starts
from benchmark.records.quantities import named_seeds
from benchmark.suites.waivers import Waiver, read_waivers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from benchmark.judging.cell_test import Pair, Test
    from benchmark.judging.decision import Outcome
    from benchmark.judging.starts import Start
    from benchmark.suites.gate_table import GateTable

    Record = Mapping[str, Any]

ENOUGH = 5
"""Seeds of a reference with which the gate sees a change of 10 %; `check` tells of fewer."""


def gate(
    reference: Sequence[Record],
    current: Sequence[Record],
    rules: GateTable,
    *,
    today: date,
    confirm_with: Collection[int] = (),
    waivers: Sequence[Mapping[str, Any]] = (),
    strict: bool = False,
) -> Gate:
    """Compare every cell and metric of either side.

    Args:
        reference: the accepted records.
        current: the new ones; of a seed in two environments, give one.
        rules: the suite's.
        today: the date that waivers expire by.
        confirm_with: seeds that are looked at only where the others say `regressed`.
        waivers: see `read_waivers`.
        strict: whether `no-evidence` fails.

    Raises:
        UserError: a waiver is not well formed.
        ValueError: two records of one cell and seed on one side.

    """
    pairs = list(by_cell(reference, current))
    first = [pair.without(confirm_with) for pair in pairs]
    tested = [one for pair in first for one in tests(pair, rules)]
    decisions = _decided(tested, rules)
    doubtful = {d.cell for d in decisions if d.outcome == "regressed"} if confirm_with else set()
    if doubtful:
        both = zip(pairs, first, strict=True)
        second = [pair.whole() if pair.cell in doubtful else before for pair, before in both]
        again = [one for pair in second for one in tests(pair, rules)]
        absent = {pair.cell: pair.absent(confirm_with) for pair in pairs}
        rows = zip(decisions, _decided(again, rules), tested, again, strict=True)
        decisions = [
            _confirmed(a, b, absent[a.cell], after if after.n_pairs == before.n_pairs else None)
            for a, b, before, after in rows
        ]
    decisions = _with_starts(decisions, pairs, starts(reference, current))
    decisions.sort(key=lambda d: (d.experiment, d.protocol, d.metric, d.cell))
    return _waived(decisions, read_waivers(waivers), today, strict)


# --- How runs start ---------------------------------------------------------------------------------------


def _with_starts(
    decisions: Sequence[Decision], pairs: Sequence[Pair], found: Mapping[str, Start]
) -> list[Decision]:
    """A failure for each experiment that departs; to what stays undecided otherwise, that it starts alike.

    Where bits are equal nothing is added, and where they contradict each other the start is no news.
    """
    told = {
        d.experiment for d in decisions if d.outcome in ("regressed", "no-evidence", "missing", "improved")
    }
    told |= {pair.experiment for pair in pairs if fresh(pair)}
    told -= {d.experiment for d in decisions if d.outcome == "nondeterministic"}
    out = [_also_starts(d, found.get(d.experiment)) for d in decisions]
    for start in found.values():
        if start.experiment in told and start.departures:
            out.append(
                Decision(
                    cell=start.cell,
                    experiment=start.experiment,
                    protocol="",
                    metric="start",
                    outcome="departed",
                    reason=start.reason(),
                    n_current=len(start.seeds),
                    warns=start.across,
                    starts=False,
                )
            )
    return out


def _also_starts(d: Decision, start: Start | None) -> Decision:
    if d.outcome != "no-evidence" or start is None or start.departures or not start.whole:
        return d
    settled = f"; {d.settled}" if d.settled else ""
    return replace(d, reason=f"{start.reason()}{settled}: {d.reason}", starts=True)


# --- Waivers ------------------------------------------------------------------------------------------------


def _waived(decisions: Sequence[Decision], waivers: Sequence[Waiver], today: date, strict: bool) -> Gate:
    live = [waiver for waiver in waivers if waiver.expires >= today]
    used: set[Waiver] = set()
    out = []
    for decision in decisions:
        waiver = next((w for w in live if decision.fails(strict=strict) and w.covers(decision)), None)
        used |= {waiver} if waiver else set()
        out.append(replace(decision, waiver=waiver.text()) if waiver else decision)
    expired = tuple(w.text() for w in waivers if w.expires < today)
    return Gate(tuple(out), expired, tuple(w.text() for w in live if w not in used), strict)


# --- All cells ----------------------------------------------------------------------------------------------


def _decided(tests: Sequence[Test], rules: GateTable) -> list[Decision]:
    """All decisions, with p-values adjusted over all comparisons; for worse and for better apart."""
    open_ = [test.comparison for test in tests if test.comparison]
    worse = iter(statistics.holm([statistics.p_greater(c) for c in open_]))
    turned = [c._replace(difference=-c.difference) for c in open_]
    better = iter(statistics.holm([statistics.p_greater(c) for c in turned]))
    level = rules.alpha / max(1, len(open_))
    return [
        _by_p(test, next(worse), next(better), rules.alpha, level) if test.comparison else test.decision
        for test in tests
    ]


def _by_p(test: Test, p_worse: float, p_better: float, alpha: float, level: float) -> Decision:
    """Significance and effect size: `regressed` iff p ≤ α and D > δ_r; `level` is α for one test."""
    d, effect = test.decision, test.effect
    if d.interval is None or d.worse_by is None or d.reference is None:
        raise ValueError("nothing was compared")
    outcome: Outcome = "no-evidence"
    if p_worse <= alpha and d.worse_by > effect:
        outcome = "regressed"
    elif p_better <= alpha and d.worse_by < -effect:
        outcome = "improved"
    elif -2 * effect <= d.interval.low and d.interval.high <= 2 * effect:
        outcome = "unchanged"
    side = "worse" if d.worse_by >= 0 else "better"
    p = p_worse if d.worse_by >= 0 else p_better
    than = f"in {test.n_pairs} pairs of seeds" if test.n_pairs else f"than {d.reference:.4g}"
    reason = f"{abs(d.worse_by):.3g} {side} {than} (minimum effect {effect:.2g}, p = {p:.2g})"
    would = settled(test, level) if outcome == "no-evidence" else ""
    return replace(d, outcome=outcome, p=p_worse, reason=reason + d.reason, settled=would)


def _confirmed(
    first: Decision, second: Decision, absent: tuple[int, ...], same_pairs: Test | None
) -> Decision:
    """Two stages: a regression is one only if it is with the seeds for confirmation as well.

    That halves false alarms. Without these seeds it fails too, and asks for them: a gate that nobody finishes
    must not open. Seeds that nobody accepted add no pair. Then the `same_pairs` stay the test, as both sides
    as they are tell less, and these seeds confirm it by being worse by more than the minimum effect too.
    """
    if first.outcome != "regressed":
        return first
    if absent:
        ask = f"{first.reason}; to be confirmed by {named_seeds(absent)}"
        return replace(first, run_seeds=absent, reason=ask)
    if second.outcome != "regressed":
        said = f"worse at first ({first.reason}), not with more seeds"
        return replace(second, reason=f"{second.reason}; {said}")
    if same_pairs is None or (by := same_pairs.unpaired) is None:
        return replace(second, reason=f"{second.reason}; confirmed by more seeds")
    confirmed = by > same_pairs.effect
    outcome: Outcome = "regressed" if confirmed else "no-evidence"
    said = f"seeds that nobody accepted {'confirm it' if confirmed else 'do not confirm it'}"
    by_them = f"{abs(by):.3g} {'worse' if by > 0 else 'better'} than the reference's mean"
    by_them = by_them if math.isfinite(by) else "more than a quarter of them have no result"
    return replace(second, outcome=outcome, reason=f"{second.reason}; {said}: {by_them}")
