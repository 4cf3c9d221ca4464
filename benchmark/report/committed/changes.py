"""What a suite of variants found: every experiment beside the first, of which each changes one thing.

Seeds are compared in pairs, as equal seeds start from equal networks. What was not run says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.judging import statistics
from benchmark.judging.comparability import fields
from benchmark.records.cells import score
from benchmark.records.quantities import DASH, count, higher_is_better, metric_title, named_seeds
from benchmark.records.summary import decimals_for, summarise
from benchmark.report.stability import best_point
from benchmark.report.table import Row, Table, numbers, words
from benchmark.suites import experiments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmark.suites import Suite

    Record = Mapping[str, Any]

_LIKE = ("dataset", "gen_iters", "evaluate_at", "numerics")
"""Parts of a spec that two runs must share, beside what their protocols compute, so that their difference is
that of the experiments."""
_LIKE_ON_THE_WAY = ("dataset", "numerics")
"""The same where their scores are compared before either ends."""
CONFIDENCE = 0.95
_FOR_ITS_ROW_ALONE = "Each 95 % interval is for its row alone; none is corrected for the number of rows."


def table(suite: Suite, records: Sequence[Record], others: Sequence[Record], metric: str) -> Table:
    """A row for each of the suite's experiments: the metric at the budget, and what its change makes of it.

    Args:
        suite: its first experiment is the one that the others change.
        records: the suite's own; at least one.
        others: records of other suites; those of the first experiment count where they are alike.
        metric: of the suite's first protocol.

    """
    base, protocol = suite.experiments[0], suite.protocols[0]
    comparable = alike((*others, *records), records[0])
    values = {name: by_seed(comparable, name, protocol, metric) for name in suite.experiments}
    decimals = decimals_for([x for own in values.values() for x in own.values()])
    rows = []
    for name, own in values.items():
        spread = summarise([*own.values()])
        diverged = sum(r["experiment"] == name and r["status"] == "diverged" for r in comparable)
        seeds = ", ".join([str(len(own))] * bool(own) + [f"{diverged} diverged"] * bool(diverged))
        found = (seeds or "not run", spread.text(decimals) if spread else DASH)
        against = (DASH,) * 3 if name == base else difference(values[base], own, decimals)
        rows.append(Row((name, _change(base, name), *found, *against)))
    columns = (
        *words("Experiment", "What is changed"),
        *numbers("Seeds (n)", f"{metric_title(metric)}, mean ± sd"),
        *numbers("Pairs", f"Minus {base}, same seeds", "95 % interval"),
    )
    caption = (
        f"One change at a time, at the budget; in brackets what {base} declares. The difference is over "
        f"pairs of runs with the same seed. {_FOR_ITS_ROW_ALONE}"
    )
    envs = {(r["experiment"], r["seed"]): r.get("env_id") for r in comparable}
    apart = [f"{n} seed {seed}" for (n, seed), env in envs.items() if envs.get((base, seed), env) != env]
    if apart:
        named = ", ".join(apart)
        caption += f" In another environment than its {base}, which rounds differently too: {named}."
    return Table(caption, columns, tuple(rows))


def of_runs_on_the_way(
    records: Sequence[Record], others: Sequence[Record], base: str, protocol: str, metric: str
) -> Table:
    """What the metric of runs is wherever it was taken, less what that of another experiment's was then.

    Args:
        records: finished runs of one experiment.
        others: those of `base` count where data, numerics and protocols are the same, whatever the budget.
        base: the experiment of which one thing is changed.
        protocol: of `records`.
        metric: of the protocol.

    """
    name = str(records[0]["experiment"])
    of_base = [r for r in alike(others, records[0], _LIKE_ON_THE_WAY) if r["experiment"] == base]
    points = sorted({int(point["gen_iters"]) for record in records for point in record["curve"]} - {0})
    both = [(k, _at(of_base, k, protocol, metric), _at(records, k, protocol, metric)) for k in points]
    decimals = decimals_for([x for _, before, own in both for x in (*before.values(), *own.values())])
    rows = []
    for k, before, own in both:
        each = ", ".join(f"{own[s] - before[s]:+.{decimals}f} (seed {s})" for s in own if s in before)
        rows.append(Row((count(k), *difference(before, own, decimals), each or DASH)))
    minus = f"{metric_title(metric)}, minus {base}, same seeds"
    caption = (
        f"{name} beside {base}, which went on to a longer budget: each seed after as many G-iterations. "
        f"{_FOR_ITS_ROW_ALONE}"
    )
    if {r["env_id"] for r in of_base} - {r["env_id"] for r in records}:
        caption += " They ran in different environments, which round differently too."
    columns = *numbers("G-iterations", "Pairs", minus, "95 % interval"), *words("Each")
    return Table(caption, columns, tuple(rows))


def alike(records: Iterable[Record], one: Record, parts: Sequence[str] = _LIKE) -> list[Record]:
    """Those of which only experiment and seed are others, or the words about a protocol."""
    wanted = _likeness(one, parts)
    return [r for r in records if _likeness(r, parts) == wanted]


def _likeness(record: Record, parts: Sequence[str]) -> tuple[object, ...]:
    spec = record["spec"]
    return *(spec[part] for part in parts), [fields(protocol) for protocol in spec["protocols"]]


def of_scores(records: Sequence[Record], otherwise: Sequence[Record], protocol: str, metric: str) -> Table:
    """What the metric of the same runs is when it is taken in another way, less what it is.

    Args:
        records: finished runs of one experiment.
        otherwise: some of them as scored by other protocols (`evaluations.scored_later`).
        protocol: of `records`.
        metric: of every protocol.

    """
    name = str(records[0]["experiment"])
    at_budget = by_seed(records, name, protocol, metric)
    decimals = decimals_for([*at_budget.values()])
    protocols = sorted({p["name"] for r in otherwise for p in r["spec"]["protocols"]})
    ways = {f"protocol {p}": by_seed(otherwise, name, p, metric) for p in protocols}
    rows = [Row((way, *difference(at_budget, own, decimals))) for way, own in ways.items()]
    caption = (
        f"The same runs of {name}, scored in other ways; nothing was trained again. {_FOR_ITS_ROW_ALONE}"
    )
    if best := _best(records, protocol, metric):
        # The last point is on the curve too, so the difference has one sign whatever the truth is: an
        # interval around its mean, which would ask whether it is 0, says nothing.
        *found, _ = difference(at_budget, best, decimals)
        rows.append(Row(("the best point on the curve, not the last", *found, DASH)))
        sign = "negative" if higher_is_better(metric) else "positive"
        caption += (
            f" The best point is chosen by the score that it is then given, and so its difference cannot be "
            f"{sign}: it has no interval."
        )
    minus = f"{metric_title(metric)}, minus {protocol} at the budget"
    columns = *words("Taken by"), *numbers("Pairs", minus, "95 % interval")
    return Table(caption, columns, tuple(rows))


def of_length(
    records: Sequence[Record], begun: Sequence[Record], budget: int, protocol: str, metric: str
) -> Table:
    """What the metric of longer runs is at multiples of a shorter budget, less what it was there.

    Args:
        records: finished runs of one experiment.
        begun: others of it, of other seeds, as far as they came.
        budget: G-iterations at which their curves have a point, as at its multiples.
        protocol: of `records`.
        metric: of the protocol.

    """
    runs = [*records, *begun]
    name, at_budget = str(records[0]["experiment"]), _at(runs, budget, protocol, metric)
    decimals = decimals_for([*at_budget.values()])
    rows = [
        Row((count(k), *difference(at_budget, _at(runs, k, protocol, metric), decimals)))
        for k in range(2 * budget, max(int(r["gen_iters"]) for r in records) + 1, budget)
    ]
    minus = f"{metric_title(metric)}, minus that at {count(budget)}"
    caption = f"What a longer run of {name} changes: each seed beside itself. {_FOR_ITS_ROW_ALONE}"
    if begun:
        whose = named_seeds(int(r["seed"]) for r in begun)
        caption += f" Not finished, and counted as far as it was scored: {whose}."
    return Table(caption, numbers("G-iterations", "Pairs", minus, "95 % interval"), tuple(rows))


def _at(records: Sequence[Record], gen_iters: int, protocol: str, metric: str) -> dict[int, float]:
    """The metric after so many G-iterations, by seed, of those that were scored then."""
    points = {int(r["seed"]): p for r in records for p in r["curve"] if p["gen_iters"] == gen_iters}
    found = {seed: score(point, protocol, metric) for seed, point in sorted(points.items())}
    return {seed: value for seed, value in found.items() if value is not None}


def _best(records: Sequence[Record], protocol: str, metric: str) -> dict[int, float]:
    """Of every run's curve, by seed; of none where it is not known which direction is better."""
    found = {int(r["seed"]): best_point(r, protocol, metric) for r in records}
    return {seed: best[1] for seed, best in found.items() if best is not None}


def by_seed(records: Sequence[Record], experiment: str, protocol: str, metric: str) -> dict[int, float]:
    """The metric at the budget of finished runs, by seed."""
    own = sorted((r for r in records if r["experiment"] == experiment), key=lambda r: int(r["seed"]))
    found = ((int(r["seed"]), score(r["final"], protocol, metric)) for r in own)
    return {seed: value for seed, value in found if value is not None}


def difference(base: Mapping[int, float], own: Mapping[int, float], decimals: int) -> tuple[str, str, str]:
    """How many seeds both have, the mean of own − base over these, its interval if they are two or more."""
    seeds = [seed for seed in own if seed in base]
    if not seeds:
        return "0" if own else DASH, DASH, DASH
    if len(seeds) == 1:
        return "1", f"{own[seeds[0]] - base[seeds[0]]:+.{decimals}f}", DASH
    found = statistics.paired([base[s] for s in seeds], [own[s] for s in seeds])
    low, high = statistics.interval(*found, CONFIDENCE)
    ends = f"{low:+.{decimals}f} to {high:+.{decimals}f}"
    return str(len(seeds)), f"{found.difference:+.{decimals}f}", ends


def _change(base: str, name: str) -> str:
    """The settings that are others, else the title of what is an experiment of its own."""
    if name == base:
        return DASH
    described, declared = experiments.describe(name), experiments.describe(base)["settings"]
    if not name.startswith(f"{base}+"):
        return str(described["title"])
    pairs = ((key, entry["value"], declared[key]["value"]) for key, entry in described["settings"].items())
    return ", ".join(f"{key} = {value} ({before})" for key, value, before in pairs if value != before)
