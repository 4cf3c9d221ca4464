"""One cell on both sides of the gate: what bits decide, and the comparison of means where they do not."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from benchmark.judging import statistics
from benchmark.judging.decision import Decision
from benchmark.records import equivalence
from benchmark.records.cells import score
from benchmark.records.quantities import higher_is_better, named_seeds, plural
from benchmark.records.record import differing_results
from benchmark.suites.gate_table import PER_PIXEL, POINTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from benchmark.judging.decision import Outcome
    from benchmark.suites.gate_table import GateTable

    Record = Mapping[str, Any]

PAIRS = 3
"""Seeds that both sides must have for a comparison by seed."""


@dataclass(frozen=True)
class Pair:
    """One cell on both sides. `tested` are the current records that p-values may be computed from."""

    cell: str
    reference: tuple[Record, ...]
    current: tuple[Record, ...]
    tested: tuple[Record, ...]
    elsewhere: bool
    """Whether there are current records of the same experiment in another cell."""

    @property
    def experiment(self) -> str:
        """``baseline/experiment``."""
        return str((self.reference or self.current)[0]["experiment"])

    def without(self, seeds: Collection[int]) -> Pair:
        """Tested without these seeds."""
        return replace(self, tested=tuple(r for r in self.tested if r["seed"] not in seeds))

    def absent(self, seeds: Collection[int]) -> tuple[int, ...]:
        """Those of the seeds of which there is no current record.

        An accepted one that was left in the folder is none, where the others ran in another environment.
        """
        environments = {r["env_id"] for r in fresh(self)}
        there = {r["seed"] for r in self.current if not environments or r["env_id"] in environments}
        return tuple(sorted(set(seeds) - there))

    def whole(self) -> Pair:
        """Tested with every seed there is."""
        return replace(self, tested=self.current)


@dataclass(frozen=True)
class Test:
    """A decision that is made, or the comparison it has to be made by and the effect it must exceed.

    `n_pairs`: seeds compared in pairs, 0 where the sides are compared as they are; `unpaired`: by how much
    the mean of the tested seeds that nobody accepted, and so are in no pair, is worse than the reference's,
    infinity where more than a quarter of them have no result, None without any; `for_pairs`: accepted seeds
    that, once run, would allow pairs; `left`: accepted seeds that were not tested.
    """

    decision: Decision
    comparison: statistics.Comparison | None = None
    effect: float = 0.0
    n_pairs: int = 0
    unpaired: float | None = None
    for_pairs: tuple[int, ...] = ()
    left: tuple[int, ...] = ()


def by_cell(reference: Sequence[Record], current: Sequence[Record]) -> Iterator[Pair]:
    """Every cell of either side; `ValueError` for two records of one seed on one side."""
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
        yield Pair(cell, then, now, now, (then or now)[0]["experiment"] in experiments)


def tests(pair: Pair, rules: GateTable) -> list[Test]:
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
            tests.append(Test(replace(base, outcome=same[0], reason=same[1])))
        else:
            tests.append(_by_values(pair, base, rules) if metric else Test(base))
    return tests


def _by_bits(pair: Pair) -> tuple[Outcome, str] | None:
    """What can be said without statistics of all metrics at once."""
    if not pair.reference:
        return "no-evidence", "there is no reference of this cell yet: accept one"
    if not pair.tested:
        other = "; those of this experiment have other settings, data, budget or protocols"
        return "missing", "no current record" + (other if pair.elsewhere and not pair.current else "")
    accepted = {(r["run_id"], r["env_id"]): r for r in pair.reference}
    for record in pair.current:
        twin = accepted.get((record["run_id"], record["env_id"]))
        if twin and (differs := differing_results(twin, record)):
            same_run = f"seed {record['seed']}: the same run in the same environment"
            return "nondeterministic", f"{same_run} differs in {', '.join(differs)}{_otherwise(twin, record)}"
    if not fresh(pair):
        return "unchanged", f"bit for bit the reference's: {named_seeds(r['seed'] for r in pair.tested)}"
    return None


def _otherwise(a: Record, b: Record) -> str:
    """What differs of how two runs computed though their environments have one id: vector instructions."""
    one, other = (r.get("provenance", {}).get("determinism", {}) for r in (a, b))
    changed = [f"{k}: {one[k]} then, {other[k]} now" for k in one if k in other and one[k] != other[k]]
    return f" ({'; '.join(changed)})" if changed else ""


def fresh(pair: Pair) -> list[Record]:
    """The tested records that are not bit for bit the accepted one of their seed, whatever code made them.

    Copies are no further draws, so they have no place in a two-sample test.
    """
    accepted = {r["seed"]: r for r in pair.reference}
    return [r for r in pair.tested if r["seed"] not in accepted or differing_results(accepted[r["seed"]], r)]


def _by_values(pair: Pair, base: Decision, rules: GateTable) -> Test:
    """The comparison of means, unless seeds without a result or too few forbid it."""
    sides = [
        [run_value(record, base.protocol, base.metric, rules.points) for record in side]
        for side in (pair.reference, pair.tested, fresh(pair))
    ]
    then, _, now = ([x for x in side if x is not None] for side in sides)
    was, seen = sides[0].count(None), sides[1].count(None)
    base = _with_means(base, then, now)
    said = f"{seen} of {len(sides[1])} seeds without a result, in the reference {was} of {len(sides[0])}"
    unstable_then = statistics.too_many_lost(was, len(sides[0]))
    unstable_now = statistics.too_many_lost(seen, len(sides[1]))
    expected = math.ceil(was / len(sides[0]) * len(sides[1]))
    if unstable_now and (not unstable_then or statistics.too_many_lost(seen - expected, len(sides[1]))):
        return Test(replace(base, outcome="regressed", reason=said))
    if unstable_then or not then or not now:
        return Test(replace(base, reason=said))
    if len(then) + len(now) < 3:
        return Test(replace(base, reason="one seed on each side tells nothing of the spread over seeds"))
    unit = abs(fmean(then))
    if base.metric in PER_PIXEL:
        unit = math.prod(pair.reference[0]["spec"]["experiment"]["image_shape"])
    comparison, in_pairs, for_pairs = _compared(pair, base, rules, then, now)
    if in_pairs:
        base = _with_means(base, *in_pairs)
    sign = -1 if higher_is_better(base.metric) else 1
    comparison = comparison._replace(difference=sign * comparison.difference)
    base = replace(
        base,
        worse_by=comparison.difference,
        interval=statistics.interval(*comparison),
        reason=f"; {said}" if was or seen else "",
    )
    tested = {r["seed"] for r in pair.tested}
    left = tuple(r["seed"] for r in pair.reference if r["seed"] not in tested)
    effect = rules.effects[base.metric] * unit
    if not in_pairs:
        return Test(base, comparison, effect, for_pairs=for_pairs, left=left)
    accepted = {r["seed"] for r in pair.reference}
    others = [
        run_value(r, base.protocol, base.metric, rules.points)
        for r in pair.tested
        if r["seed"] not in accepted
    ]
    finite = [x for x in others if x is not None]
    lost = statistics.too_many_lost(len(others) - len(finite), len(others))
    unpaired = math.inf if lost else sign * (fmean(finite) - fmean(then)) if finite else None
    return Test(base, comparison, effect, len(in_pairs[0]), unpaired, left=left)


def _with_means(base: Decision, then: Sequence[float], now: Sequence[float]) -> Decision:
    """With mean, standard deviation and number of what is compared."""
    return replace(
        base,
        reference=fmean(then) if then else None,
        current=fmean(now) if now else None,
        reference_sd=stdev(then) if len(then) > 1 else None,
        current_sd=stdev(now) if len(now) > 1 else None,
        n_reference=len(then),
        n_current=len(now),
    )


def _compared(
    pair: Pair, base: Decision, rules: GateTable, then: Sequence[float], now: Sequence[float]
) -> tuple[statistics.Comparison, list[tuple[float, ...]], tuple[int, ...]]:
    """By seed where enough are common and drawn alike, which is fixed before any value is looked at.

    Same seed, same draws, same data: final scores are correlated, so differences of pairs spread less. With
    both sides of the pairs, if it is by these, and the seeds that are lacking for pairs.
    """
    accepted = {r["seed"]: r for r in pair.reference}
    both = [(accepted[r["seed"]], r) for r in fresh(pair) if r["seed"] in accepted]
    alike = all(_draw_alike(then, now) for then, now in both)
    values = [
        [run_value(r, base.protocol, base.metric, rules.points) for r in side]
        for side in zip(*both, strict=True)
    ]
    finite = [(a, b) for a, b in zip(*values, strict=True) if a is not None and b is not None]
    if alike and len(finite) >= PAIRS:
        in_pairs = [*zip(*finite, strict=True)]
        return statistics.paired(*in_pairs), in_pairs, ()
    more = sorted(accepted.keys() - {r["seed"] for r in pair.tested})[: PAIRS - len(finite)]
    for_pairs = tuple(more) if both and alike and len(finite) + len(more) == PAIRS else ()
    return statistics.pooled(then, now), [], for_pairs


def _draw_alike(a: Record, b: Record) -> bool:
    """By the sources that decide draws, or by a proof that all of them compute the same."""
    proven = equivalence.chain(a["spec"]["sources"], b["spec"]["sources"], a["experiment"])
    return _draws(a) == _draws(b) != {} or bool(proven)


def _draws(record: Record) -> dict[str, str]:
    """The sources that decide what a seed draws."""
    sources = record["spec"]["sources"]
    if not isinstance(sources, dict):
        return {}
    return {name: digest for name, digest in sources.items() if "draws" in name}


def settled(test: Test, level: float) -> str:
    """What would decide a comparison that says nothing yet, if its difference and spread stay as they are.

    Within twice the minimum effect it takes a 90 % interval that is too; beyond, a p of at most `level`.
    """
    if test.for_pairs:
        return f"run {named_seeds(test.for_pairs)} to compare in pairs"
    d, comparison = test.decision, test.comparison
    assert comparison is not None
    n_then, n_now = d.n_reference, test.n_pairs or d.n_current
    sd = comparison.standard_error / math.sqrt(1 / n_now + (0 if test.n_pairs else 1 / n_then))
    far = abs(comparison.difference) > 2 * test.effect
    confidence = 1 - level if far else (1 + statistics.CONFIDENCE) / 2
    room = abs(comparison.difference) if far else 2 * test.effect - abs(comparison.difference)

    def half_width(n: int) -> float:
        error, df = (1 / n, n - 1) if test.n_pairs else (1 / n_then + 1 / n, n_then + n - 2)
        return statistics.t_quantile(confidence, df) * sd * math.sqrt(error)

    n = statistics.fewest(half_width, room)
    if n is None:
        return f"no number of seeds would settle the end with {n_then} in the reference"
    more = max(n - n_now, 1)
    said = f"{plural(more, 'more seed')} would settle the end"
    if not test.n_pairs:
        return said
    if more > len(test.left):
        return f"{said}, in pairs: accept {more - len(test.left)} more first"
    return f"{said}: of those accepted, {named_seeds(test.left[:more])}, with all of them in --seeds"


def run_value(record: Record, protocol: str, metric: str, points: int = POINTS) -> float | None:
    """The mean of a run's last evaluations, but for that at 0; None if one has no finite score."""
    if record["status"] != "done":
        return None
    curve = [point for point in record["curve"] if point["gen_iters"]] or record["curve"]
    values = [score(point, protocol, metric) for point in curve[-points:]]
    finite = [x for x in values if x is not None]
    return fmean(finite) if finite and len(finite) == len(values) else None
