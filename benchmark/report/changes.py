"""What a suite of variants found: every experiment beside the first, of which each changes one thing.

Seeds are compared in pairs, as equal seeds start from equal networks. What was not run says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.judging import statistics
from benchmark.records.cells import score
from benchmark.records.quantities import DASH, higher_is_better, metric_title
from benchmark.records.summary import decimals_for, summarise
from benchmark.report.table import Column, Row, Table
from benchmark.suites import experiments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmark.suites import Suite

    Record = Mapping[str, Any]

_LIKE = ("dataset", "gen_iters", "evaluate_at", "protocols", "numerics")
"""Parts of a spec that two runs must share, so that their difference is that of the experiments."""
CONFIDENCE = 0.95


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
    values = {name: _values(comparable, name, protocol, metric) for name in suite.experiments}
    decimals = decimals_for([x for own in values.values() for x in own.values()])
    rows = []
    for name, own in values.items():
        spread = summarise([*own.values()])
        diverged = sum(r["experiment"] == name and r["status"] == "diverged" for r in comparable)
        seeds = ", ".join([str(len(own))] * bool(own) + [f"{diverged} diverged"] * bool(diverged))
        found = (seeds or "not run", spread.text(decimals) if spread else DASH)
        against = (DASH, DASH) if name == base else _difference(values[base], own, decimals)
        rows.append(Row((name, _change(base, name), *found, *against)))
    columns = (
        Column("Experiment"),
        Column("What is changed"),
        Column("Seeds (n)", numeric=True),
        Column(f"{metric_title(metric)}, mean ± sd", numeric=True),
        Column(f"Minus {base}, same seeds", numeric=True),
        Column("95 % interval", numeric=True),
    )
    return Table("One change at a time, at the budget; in brackets what is declared.", columns, tuple(rows))


def alike(records: Iterable[Record], one: Record) -> list[Record]:
    """Those of which only experiment and seed are others."""
    return [r for r in records if all(r["spec"][part] == one["spec"][part] for part in _LIKE)]


def of_scores(records: Sequence[Record], otherwise: Sequence[Record], protocol: str, metric: str) -> Table:
    """What the metric of the same runs is when it is taken in another way, less what it is.

    Args:
        records: finished runs of one experiment.
        otherwise: some of them as scored by other protocols (`evaluations.scored_later`).
        protocol: of `records`.
        metric: of every protocol.

    """
    name = str(records[0]["experiment"])
    at_budget = _values(records, name, protocol, metric)
    decimals = decimals_for([*at_budget.values()])
    protocols = sorted({p["name"] for r in otherwise for p in r["spec"]["protocols"]})
    ways = {f"protocol {p}": _values(otherwise, name, p, metric) for p in protocols}
    ways["the best point on the curve, not the last"] = _best(records, protocol, metric)
    rows = [Row((way, str(len(own)), *_difference(at_budget, own, decimals))) for way, own in ways.items()]
    columns = (
        Column("Taken by"),
        Column("Seeds (n)", numeric=True),
        Column(f"{metric_title(metric)}, minus {protocol} at the budget", numeric=True),
        Column("95 % interval", numeric=True),
    )
    return Table(
        f"The same runs of {name}, and nothing changed but how they are scored.", columns, tuple(rows)
    )


def _best(records: Sequence[Record], protocol: str, metric: str) -> dict[int, float]:
    """Of every run's curve, by seed."""
    better = max if higher_is_better(metric) else min
    curves = {int(r["seed"]): (score(point, protocol, metric) for point in r["curve"]) for r in records}
    return {seed: better(x for x in curve if x is not None) for seed, curve in curves.items()}


def _values(records: Sequence[Record], experiment: str, protocol: str, metric: str) -> dict[int, float]:
    """Of finished runs, by seed."""
    own = sorted((r for r in records if r["experiment"] == experiment), key=lambda r: int(r["seed"]))
    found = ((int(r["seed"]), score(r["final"], protocol, metric)) for r in own)
    return {seed: value for seed, value in found if value is not None}


def _difference(base: Mapping[int, float], own: Mapping[int, float], decimals: int) -> tuple[str, str]:
    """Mean over the seeds that both have, and its interval where two or more tell of a spread."""
    seeds = [seed for seed in own if seed in base]
    if not seeds:
        return DASH, DASH
    if len(seeds) == 1:
        return f"{own[seeds[0]] - base[seeds[0]]:+.{decimals}f}", DASH
    found = statistics.paired([base[s] for s in seeds], [own[s] for s in seeds])
    low, high = statistics.interval(*found, CONFIDENCE)
    return f"{found.difference:+.{decimals}f}", f"{low:+.{decimals}f} to {high:+.{decimals}f}"


def _change(base: str, name: str) -> str:
    """The settings that are others, else the title of what is an experiment of its own."""
    if name == base:
        return DASH
    described, declared = experiments.describe(name), experiments.describe(base)["settings"]
    if not name.startswith(f"{base}+"):
        return str(described["title"])
    pairs = ((key, entry["value"], declared[key]["value"]) for key, entry in described["settings"].items())
    return ", ".join(f"{key} = {value} ({before})" for key, value, before in pairs if value != before)
