"""Against the reference: is a cell still what was accepted? From records to one decision.

    unchanged          the same bits, or a difference whose 90 % interval is within twice the minimum effect
    improved           better by more than chance and than the minimum effect: accept it, or explain it
    regressed          worse by both, or seeds diverge that did not
    nondeterministic   the same run in the same environment gave other bits
    no-evidence        neither; or there is no reference
    missing            in the reference, not run

Rules and their error rates: design notes, `benchmark-suites.md` §2.7 and §2.8. Several cells and metrics are
several tests, so p-values are adjusted after Holm; and a regression has to be confirmed by more seeds, named
beforehand, where the caller names some.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from benchmark.judging import statistics
from benchmark.records.cells import score
from benchmark.records.quantities import integers
from benchmark.records.record import comparable_part
from benchmark.suites.gate_table import ALPHA, EFFECTS, POINTS
from benchmark.suites.waivers import Waiver, read_waivers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date

    from benchmark.judging.statistics import Interval

    Record = Mapping[str, Any]

Outcome = Literal["unchanged", "improved", "regressed", "nondeterministic", "no-evidence", "missing"]

ENOUGH = 5
"""Seeds of a reference with which the gate sees a change of 10 % (§2.7)."""
FAILING: tuple[Outcome, ...] = ("regressed", "nondeterministic", "missing")
LOWER_IS_BETTER = ("fid", "kid")
_NOT_RESULTS = ("schema_version", "run_id", "env_id", "spec")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What one metric of one cell came to.

    Attributes:
        cell, experiment, protocol, metric: what was compared.
        outcome: see above.
        reason: why, in words.
        reference, current: means over seeds of the last evaluations' mean; None where there is none.
        n_reference, n_current: seeds in these.
        worse_by: current − reference, positive where it is worse.
        interval: the 90 % interval of that.
        p: one-sided p of "it is not worse", adjusted after Holm.
        run_seeds: seeds to run before the regression may be believed; it fails as long as they are missing.
        waiver: the reason it is let pass for; empty if it is not.

    """

    cell: str
    experiment: str
    protocol: str
    metric: str
    outcome: Outcome
    reason: str
    reference: float | None = None
    current: float | None = None
    n_reference: int = 0
    n_current: int = 0
    worse_by: float | None = None
    interval: Interval | None = None
    p: float | None = None
    run_seeds: tuple[int, ...] = ()
    waiver: str = ""

    @property
    def name(self) -> str:
        """`sngan/cifar10-cnn fid-5k fid`."""
        return " ".join(part for part in (self.experiment, self.protocol, self.metric) if part)

    def fails(self, *, strict: bool = False) -> bool:
        """Whether this alone fails the gate; with `strict`, evidence is demanded."""
        return not self.waiver and (self.outcome in FAILING or (strict and self.outcome == "no-evidence"))


@dataclass(frozen=True)
class Gate:
    """All decisions, and what they come to.

    Attributes:
        decisions: by experiment, protocol and metric.
        expired: waivers past their date, each of which fails the gate, needed or not.
        unused: waivers that let nothing pass.
        strict: whether `no-evidence` fails.

    """

    decisions: tuple[Decision, ...]
    expired: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    strict: bool = False

    @property
    def failures(self) -> tuple[Decision, ...]:
        """What failed."""
        return tuple(d for d in self.decisions if d.fails(strict=self.strict))

    @property
    def failed(self) -> bool:
        """The overall decision."""
        return bool(self.failures or self.expired)

    @property
    def to_accept(self) -> tuple[Decision, ...]:
        """Improvements, which pass with a warning until they are accepted."""
        return tuple(d for d in self.decisions if d.outcome == "improved")

    def as_dict(self) -> dict[str, Any]:
        """JSON types, the overall decision included."""
        return {**dataclasses.asdict(self), "failed": self.failed}


def gate(
    reference: Sequence[Record],
    current: Sequence[Record],
    *,
    today: date,
    alpha: float = ALPHA,
    effects: Mapping[str, float] = EFFECTS,
    confirm_with: Collection[int] = (),
    waivers: Sequence[Mapping[str, Any]] = (),
    points: int = POINTS,
    strict: bool = False,
) -> Gate:
    """Compare every cell and metric of either side.

    Args:
        reference: the accepted records.
        current: the new ones; of a seed in two environments, give one.
        today: the date that waivers expire by.
        alpha: probability of any false alarm.
        effects: metric → δ_r as a share of the reference's mean; what is not in it is not gated.
        confirm_with: seeds that are looked at only where the others say `regressed`.
        waivers: see `read_waivers`.
        points: last evaluations of a run that are averaged.
        strict: whether `no-evidence` fails.

    Raises:
        UserError: a waiver is not well formed.
        ValueError: two records of one cell and seed on one side.

    """
    rules = _Rules(alpha, effects, points)
    pairs = list(_by_cell(reference, current))
    first = [pair.without(confirm_with) for pair in pairs]
    decisions = _decided([one for pair in first for one in _tests(pair, rules)], rules)
    doubtful = {d.cell for d in decisions if d.outcome == "regressed"} if confirm_with else set()
    if doubtful:
        both = zip(pairs, first, strict=True)
        second = [whole if whole.cell in doubtful else before for whole, before in both]
        again = _decided([one for pair in second for one in _tests(pair, rules)], rules)
        absent = {pair.cell: pair.absent(confirm_with) for pair in pairs}
        decisions = [_confirmed(a, b, absent[a.cell]) for a, b in zip(decisions, again, strict=True)]
    decisions.sort(key=lambda d: (d.experiment, d.protocol, d.metric, d.cell))
    return _waived(decisions, read_waivers(waivers), today, strict)


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


# --- One cell -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rules:
    alpha: float
    effects: Mapping[str, float]
    points: int


@dataclass(frozen=True)
class _Pair:
    """One cell on both sides. `tested` are the current records that p-values may be computed from."""

    cell: str
    reference: tuple[Record, ...]
    current: tuple[Record, ...]
    tested: tuple[Record, ...]
    elsewhere: bool
    """Whether there are current records of the same experiment in another cell."""

    def without(self, seeds: Collection[int]) -> _Pair:
        return replace(self, tested=tuple(r for r in self.tested if r["seed"] not in seeds))

    def absent(self, seeds: Collection[int]) -> tuple[int, ...]:
        return tuple(sorted(set(seeds) - {r["seed"] for r in self.current}))


@dataclass(frozen=True)
class _Test:
    """A decision that is made, or the comparison it has to be made by and the effect it must exceed."""

    decision: Decision
    comparison: statistics.Comparison | None = None
    effect: float = 0.0


def _by_cell(reference: Sequence[Record], current: Sequence[Record]) -> Iterator[_Pair]:
    sides: list[dict[str, list[Record]]] = []
    for records in (reference, current):
        cells: dict[str, list[Record]] = defaultdict(list)
        for record in sorted(records, key=lambda r: int(r["seed"])):
            cells[record["cell_id"]].append(record)
        for cell, own in cells.items():
            if len({r["seed"] for r in own}) < len(own):
                raise ValueError(f"two records of one seed in cell {cell[:12]}")
        sides.append(cells)
    experiments = {record["experiment"] for record in current}
    for cell in sorted(set(sides[0]) | set(sides[1])):
        then, now = tuple(sides[0].get(cell, ())), tuple(sides[1].get(cell, ()))
        yield _Pair(cell, then, now, now, (then or now)[0]["experiment"] in experiments)


def _tests(pair: _Pair, rules: _Rules) -> list[_Test]:
    """One per gated metric of the cell; always as many, whatever seeds are tested."""
    first = (pair.reference or pair.current)[0]
    metrics = [(p["name"], m) for p in first["spec"]["protocols"] for m in p["metrics"] if m in rules.effects]
    same = _by_bits(pair)
    tests = []
    for protocol, metric in metrics or [("", "")]:
        base = Decision(
            cell=pair.cell,
            experiment=first["experiment"],
            protocol=protocol,
            metric=metric,
            outcome="no-evidence",
            reason="it has no metric that is gated",
        )
        if same:
            tests.append(_Test(replace(base, outcome=same[0], reason=same[1])))
        else:
            tests.append(_by_values(pair, base, rules) if metric else _Test(base))
    return tests


def _by_bits(pair: _Pair) -> tuple[Outcome, str] | None:
    """What can be said without statistics (§2.7, "exact path first"), of all metrics at once."""
    if not pair.reference:
        return "no-evidence", "there is no reference of this cell yet: accept one"
    if not pair.tested:
        other = "; those of this experiment have other settings, data, budget or protocols"
        return "missing", "no current record" + (other if pair.elsewhere and not pair.current else "")
    accepted = {(r["run_id"], r["env_id"]): r for r in pair.reference}
    for record in pair.current:
        twin = accepted.get((record["run_id"], record["env_id"]))
        if twin and (differs := _difference(twin, record)):
            same_run = f"seed {record['seed']}: the same run in the same environment"
            return "nondeterministic", f"{same_run} gave another {', '.join(differs)}"
    if not _fresh(pair):
        return "unchanged", f"bit for bit the reference's: seeds {integers(r['seed'] for r in pair.tested)}"
    return None


def _fresh(pair: _Pair) -> list[Record]:
    """The tested records that are not bit for bit the accepted one of their seed, whatever code made them.

    Copies are no further draws, so they have no place in a two-sample test.
    """
    accepted = {r["seed"]: r for r in pair.reference}
    return [r for r in pair.tested if r["seed"] not in accepted or _difference(accepted[r["seed"]], r)]


def _difference(a: Record, b: Record) -> list[str]:
    """The parts of two records that differ although the computation may have been the same."""
    one, other = comparable_part(a), comparable_part(b)
    return [k for k in one if k not in _NOT_RESULTS and one[k] != other.get(k)]


def _by_values(pair: _Pair, base: Decision, rules: _Rules) -> _Test:
    """The comparison of means (§2.7), unless seeds without a result or too few forbid it."""
    sides = [
        [run_value(record, base.protocol, base.metric, rules.points) for record in side]
        for side in (pair.reference, pair.tested, _fresh(pair))
    ]
    then, _, now = ([x for x in side if x is not None] for side in sides)
    was, seen = sides[0].count(None), sides[1].count(None)
    base = replace(
        base,
        reference=fmean(then) if then else None,
        current=fmean(now) if now else None,
        n_reference=len(then),
        n_current=len(now),
    )
    said = f"{seen} of {len(sides[1])} seeds without a result, in the reference {was} of {len(sides[0])}"
    unstable_then = statistics.too_many_lost(was, len(sides[0]))
    unstable_now = statistics.too_many_lost(seen, len(sides[1]))
    if unstable_now and not unstable_then:
        return _Test(replace(base, outcome="regressed", reason=said))
    if unstable_then or not then or not now:
        return _Test(replace(base, reason=said))
    if len(then) + len(now) < 3:
        return _Test(replace(base, reason="one seed on each side tells nothing of the spread over seeds"))
    comparison = statistics.pooled(then, now)
    sign = 1 if base.metric in LOWER_IS_BETTER else -1
    comparison = comparison._replace(difference=sign * comparison.difference)
    base = replace(
        base,
        worse_by=comparison.difference,
        interval=statistics.interval(*comparison),
        reason=f"; {said}" if was or seen else "",
    )
    return _Test(base, comparison, rules.effects[base.metric] * abs(fmean(then)))


def run_value(record: Record, protocol: str, metric: str, points: int = POINTS) -> float | None:
    """The mean of a run's last evaluations, but for that at 0; None if one has no finite score."""
    if record["status"] != "done":
        return None
    curve = [point for point in record["curve"] if point["gen_iters"]] or record["curve"]
    values = [score(point, protocol, metric) for point in curve[-points:]]
    finite = [x for x in values if x is not None]
    return fmean(finite) if finite and len(finite) == len(values) else None


# --- All cells ----------------------------------------------------------------------------------------------


def _decided(tests: Sequence[_Test], rules: _Rules) -> list[Decision]:
    """All decisions, with p-values adjusted over all comparisons; for worse and for better apart."""
    open_ = [test.comparison for test in tests if test.comparison]
    worse = iter(statistics.holm([statistics.p_greater(c) for c in open_]))
    turned = [c._replace(difference=-c.difference) for c in open_]
    better = iter(statistics.holm([statistics.p_greater(c) for c in turned]))
    return [
        _by_p(test, next(worse), next(better), rules.alpha) if test.comparison else test.decision
        for test in tests
    ]


def _by_p(test: _Test, p_worse: float, p_better: float, alpha: float) -> Decision:
    """Significance and effect size (§2.7): `regressed` iff p ≤ α and D > δ_r."""
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
    reason = f"{abs(d.worse_by):.3g} {side} than {d.reference:.4g} (minimum effect {effect:.2g}, p = {p:.2g})"
    weak = f"; {d.n_reference} seeds in the reference are few" if d.n_reference < ENOUGH else ""
    return replace(d, outcome=outcome, p=p_worse, reason=reason + d.reason + weak)


def _confirmed(first: Decision, second: Decision, absent: tuple[int, ...]) -> Decision:
    """Two stages (§2.7): a regression is one only if it is with the seeds for confirmation as well.

    Without these seeds it fails too, and asks for them: a gate that nobody finishes must not open.
    """
    if first.outcome != "regressed":
        return first
    if absent:
        ask = f"{first.reason}; to be confirmed by seeds {integers(absent)}"
        return replace(first, run_seeds=absent, reason=ask)
    if second.outcome == "regressed":
        return replace(second, reason=f"{second.reason}; confirmed by more seeds")
    return replace(second, reason=f"{second.reason}; worse at first ({first.reason}), not with more seeds")
