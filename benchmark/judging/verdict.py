"""Against the paper: from a claim and the records of one cell to an outcome, in words.

    not-comparable   another protocol, data, experiment or budget: numbers are shown, nothing is concluded
    missing          nothing was run
    unstable         too many seeds have no result
    reproduced       the whole 90 % interval of the difference is within the margin
    below, above     the whole interval is worse, or better, than the margin
    inconclusive     anything else, with the number of seeds that would settle it

Margins, and why each is that wide: `margins`, `docs/gate.md`. "Above" is to be explained as much as "below".
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from benchmark.judging import comparability, sample_size, statistics
from benchmark.judging.exclusions import excluded
from benchmark.judging.margins import MARGINS
from benchmark.judging.margins import margin as declared_margin
from benchmark.judging.spread_within import spread_within
from benchmark.records.quantities import named_seeds
from benchmark.records.summary import Spread, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from baselines.claims import Claim
    from benchmark.data import DatasetInfo
    from benchmark.judging.statistics import Interval, Prior

    Record = Mapping[str, Any]

Outcome = Literal["reproduced", "below", "above", "inconclusive", "not-comparable", "unstable", "missing"]

VACUOUS = 0.25
"""A margin above this share of the paper's value says nothing."""
HARD = 3.5
"""With a margin below this many standard errors hardly anything can be reproduced."""
SPREADS = {
    "splits": "over splits of one network's images: not over seeds, so it does not enter",
    "eval_repeats": "over repeated evaluations of one network: not over seeds, so it does not enter",
    "test_examples": "over test examples: not over seeds, so it does not enter",
    "folds": "over folds of the data: not over seeds, so it does not enter",
    "seeds": "over training seeds",
    "none": "none is printed",
    "unknown": "of unknown meaning, so it does not enter",
}
"""What the ± of a claim is, by `spread_kind`, and what it does here (`uncertainty`)."""
_OUTCOMES: Mapping[statistics.Equivalence, Outcome] = {
    "equivalent": "reproduced",
    "worse": "below",
    "better": "above",
    "undecided": "inconclusive",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a claim came to.

    Attributes:
        claim: its id.
        outcome: see above.
        reason: why, in words; of an unconfirmed claim it says so first.
        confirmed: whether the claim is, that is of grade medium or high.
        experiment, metric: what the claim is about; of an ordering, the experiment above.
        protocol: the one of our runs that fits best; empty without runs.
        ours: mean and sample standard deviation over our seeds, and how many have a result.
        within: what the spread within one run is over, never seeds, and its mean over our runs.
        rival: the same of the experiment below, for an ordering.
        lost: seeds without a result: diverged, or with a score that is not finite.
        paper, value: the number as printed, and as a number; empty for an ordering.
        paper_spread: what its ± is.
        difference: in units of the metric; positive where we are worse than claimed.
        interval: the 90 % interval of `difference`.
        margin, margin_is: the difference that counts as none, and the rule it comes from.
        seeds_needed: seeds in all (of each experiment, for an ordering) that would settle it, if mean and
            spread stay as they are; None where it is settled, not known, or no number would.
        caveats: what else a reader must know.

    """

    claim: str
    outcome: Outcome
    reason: str
    confirmed: bool
    experiment: str
    metric: str
    protocol: str = ""
    ours: Spread | None = None
    rival: Spread | None = None
    within: tuple[str, float] | None = None
    lost: int = 0
    paper: str = ""
    value: float | None = None
    paper_spread: str = ""
    difference: float | None = None
    interval: Interval | None = None
    margin: float | None = None
    margin_is: str = ""
    seeds_needed: int | None = None
    caveats: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON types."""
        return dataclasses.asdict(self)


def judge(
    claim: Claim,
    records: Sequence[Record],
    *,
    official: Mapping[str, DatasetInfo],
    prior: Callable[[float], Prior | None] = lambda _: None,
    margin: float | None = None,
    planned: Collection[int] = (),
) -> Verdict:
    """The verdict on a number.

    Args:
        claim: one of `baselines.claims`; one that is no number is not comparable.
        records: of one cell and distinct seeds, or none.
        official: what is known of data sets, by name: size and digest of their official content.
        prior: from our mean to what was known of the spread (`statistics.prior_of_…`), from other runs than
            these.
        margin: δ in units of the metric; by default that of `margins`.
        planned: seeds that should be there.

    Raises:
        ValueError: the records are of several cells, or two of one seed.

    """
    own = comparability.side(claim, records, official, claim.experiment)
    absent = sorted(set(planned) - {record["seed"] for record in records})
    base = _base(claim, [own], [f"no record of {named_seeds(absent)}"] if absent else [])
    if claim.value is None:
        return _say(base, "not-comparable", f"the claim is no number: {claim.statement}")
    if own.values:
        within, suspect = spread_within(claim, own)
        base = replace(base, within=within, caveats=(*base.caveats, *suspect))
        base = replace(base, difference=_sign(claim) * (own.mean - claim.value))
    if stop := excluded([own]):
        return _say(base, *stop)
    delta, rule = margin, "as asked for"
    if delta is None:
        delta = declared_margin(claim.metric, claim.value, records[0], own.protocol)
        rule = MARGINS[claim.metric].rule if delta else ""
    if not delta:
        return _say(base, "inconclusive", f"no margin is declared for {claim.metric}")
    return _by_interval(claim, replace(base, margin=delta, margin_is=rule), own.values, prior(own.mean))


def judge_ordering(
    claim: Claim, above: Sequence[Record], below: Sequence[Record], *, official: Mapping[str, DatasetInfo]
) -> Verdict:
    """The verdict on "`claim.above` is better than `claim.below`", after the paper's budget, by Welch's t.

    D is how much worse the first one is. `reproduced` if its 90 % interval lies below 0, `below` (the
    contrary of the claim) if it lies above 0, else `inconclusive`: two one-sided tests at 5 %. There is no
    margin, as the claim is about a sign; and no rank test, as 3 against 3 have no p below .05.

    Raises:
        ValueError: the claim is no ordering, or one side has records of several cells, or two of one seed.

    """
    if claim.kind != "ordering":
        raise ValueError(f"{claim.id} is no ordering")
    sides = [
        comparability.side(claim, above, official, claim.above),
        comparability.side(claim, below, official, claim.below),
    ]
    base = _base(claim, sides, [])
    if claim.metric not in MARGINS:
        return _say(
            base, "not-comparable", f"the paper orders them by {claim.metric}, which is no number here"
        )
    if all(side.values for side in sides):
        base = replace(base, difference=_sign(claim) * (sides[0].mean - sides[1].mean))
    if stop := excluded(sides):
        return _say(base, *stop)
    first, second = sides[0].values, sides[1].values
    comparison = statistics.welch(second, first)
    worse_by = _sign(claim) * comparison.difference
    found = statistics.interval(worse_by, comparison.standard_error, comparison.df)
    outcome: Outcome = "reproduced" if found.high < 0 else "below" if found.low > 0 else "inconclusive"
    reason = f"{claim.above} is {_interval_text(worse_by, found)} than {claim.below}"
    needed = None
    if outcome == "inconclusive":
        needed = sample_size.seeds_to_order(first, second)
        reason += f"; {_needs(needed)}"
    return _say(base, outcome, reason, interval=found, seeds_needed=needed)


# --- Formulas -------------------------------------------------------------------------------------------


def uncertainty(claim: Claim, sd: float) -> float:
    """u², the variance of the paper's number as a mean over training seeds.

    `seeds`: spread²/k, and spread² where k is not printed. Any other: s̃², our own, since the paper shows one
    training, a draw from the distribution that ours are drawn from. Its ± has no part in that: generation
    noise is in s̃² already, and spread/√k is about a third of the noise of seeds.
    """
    if claim.spread_kind == "seeds" and claim.spread is not None:
        return claim.spread**2 / (claim.spread_n or 1)
    return sd**2


def _by_interval(claim: Claim, base: Verdict, values: Sequence[float], prior: Prior | None) -> Verdict:
    """The interval of D against the margin of `base`."""
    moderated = statistics.moderated(values, prior)
    if moderated is None or base.margin is None or base.difference is None or not claim.value:
        raise ValueError("nothing to judge")
    worse_by, margin, n = base.difference, base.margin, len(values)
    u2 = uncertainty(claim, moderated.sd)
    error = math.sqrt(moderated.sd**2 / n + u2)
    found = statistics.interval(worse_by, error, moderated.df)
    outcome = _OUTCOMES[statistics.equivalence(worse_by, error, moderated.df, margin)]
    reason = f"{_interval_text(worse_by, found)} than printed; margin {_number(margin)} ({base.margin_is})"
    caveats = [*base.caveats]
    if moderated.contradicted:
        caveats.append("the spread is larger than was known before, so only our own counts")
    if margin > VACUOUS * claim.value:
        caveats.append(f"a margin of {margin / claim.value:.0%} of the paper's value says nothing")
    if margin < HARD * error:
        caveats.append("the margin is small for this spread and number of seeds: hard to reproduce within")
    needed = None
    if outcome == "inconclusive":
        needed = sample_size.seeds_needed(worse_by, moderated.sd, moderated.df - (n - 1), u2, margin)
        reason += f"; {_needs(needed)}"
    return _say(base, outcome, reason, interval=found, seeds_needed=needed, caveats=tuple(caveats))


# --- Words ----------------------------------------------------------------------------------------------


def _base(claim: Claim, sides: Sequence[comparability.Side], caveats: Sequence[str]) -> Verdict:
    """All that is known before anything is concluded."""
    about = [claim.note] if claim.note else []
    if claim.provenance == "other_paper":
        about.append(f"stated by {claim.stated_by}, not by the method's own paper")
    return Verdict(
        claim=claim.id,
        outcome="missing",
        reason="",
        confirmed=claim.grade != "low",
        experiment=sides[0].name,
        metric=claim.metric,
        protocol=sides[0].protocol.get("name", ""),
        ours=summarise(sides[0].values),
        rival=summarise(sides[1].values) if len(sides) > 1 else None,
        lost=sum(len(side.lost) for side in sides),
        paper=claim.printed,
        value=claim.value,
        paper_spread=SPREADS[claim.spread_kind] if claim.kind == "value" else "",
        caveats=tuple(dict.fromkeys([*(c for side in sides for c in side.caveats), *caveats, *about])),
    )


def _say(base: Verdict, outcome: Outcome, reason: str, **more: Any) -> Verdict:
    unconfirmed = "" if base.confirmed else "the claim is unconfirmed: "
    return replace(base, outcome=outcome, reason=unconfirmed + reason, **more)


def _sign(claim: Claim) -> int:
    """+1 where lower is better."""
    return -1 if claim.direction == "higher" else 1


def _number(value: float) -> str:
    return f"{value:.3g}"


def _interval_text(worse_by: float, found: Interval) -> str:
    """`0.31 worse (90 % interval -0.1 to 0.72)`."""
    side = "worse" if worse_by >= 0 else "better"
    ends = sorted(found if worse_by >= 0 else (-found.low, -found.high))
    return f"{_number(abs(worse_by))} {side} (90 % interval {_number(ends[0])} to {_number(ends[1])})"


def _needs(n: int | None) -> str:
    if n is None:
        return f"no number of seeds up to {statistics.MOST_SEEDS} would settle it"
    return f"needs about {n} seeds, if mean and spread stay"
