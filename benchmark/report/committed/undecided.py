"""Printed numbers that no committed run decides, with the command that would, and its hours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import baselines
from baselines import claims
from benchmark import suites
from benchmark.evaluation import protocols
from benchmark.judging import comparability
from benchmark.records.quantities import DASH, count
from benchmark.report.sources import metric_of, printed, spread_over
from benchmark.report.table import Row, Table, numbers, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from baselines.claims import Claim
    from benchmark.judging.against_paper import Judged


def table(judged: Iterable[Judged], rates_file: Path) -> Table:
    """Of those about an experiment of ours; `rates_file` has measured G-iterations per second."""
    rates = json.loads(rates_file.read_text(encoding="utf-8"))
    columns = (
        *words("Experiment", "Printed in", "Metric"),
        *numbers("Value"),
        *words("± over"),
        *numbers("G-iterations"),
        *words("G-iterations from"),
        *numbers("Hours a seed"),
        *words("Command"),
    )
    values = (j for j in judged if j.claim.kind == "value" and j.claim.experiment)
    rows = dict.fromkeys(_row(j, rates["experiments"]) for j in values)  # runs of two budgets: one number
    caption = (
        f"Hours: training alone at the rate measured on one {rates['gpu']} (docs/gpu.md); {DASH} where none "
        "was measured or no length is known."
    )
    return Table(caption, columns, tuple(rows))


def other_suites() -> list[str]:
    """Those that no printed number asks for, and so no row of the table."""
    asked = {_suite_of(c) for c in claims.load() if c.kind == "value" and c.experiment}
    return [name for name in suites.names() if name not in asked]


def _row(judged: Judged, rates: dict[str, Any]) -> Row:
    """Of a claim that no committed run decides; such runs may be there, and scored by another protocol."""
    claim, verdict = judged.claim, judged.verdict
    length = baselines.described(claim.experiment)["budget"]
    budget = length["gen_iters"]
    rate = rates.get(claim.experiment)
    hours = f"{budget / rate['gen_iters_per_s'][1] / 3600:.2g}" if budget and rate else DASH
    suite = _suite_of(claim)
    command = f"ganbench run {suite} --experiment {claim.experiment}" if suite else DASH
    if claim.protocol.extractor == "unstated":
        hours, command = DASH, "cannot be compared: the paper does not say what the score was computed with"
    if verdict.outcome != "missing":
        wanted = _protocol_of(claim)
        is_left = wanted not in (DASH, verdict.protocol)
        hours = DASH
        command = f"ganbench evaluate RUN --protocol {wanted}" if is_left else f"trained; {verdict.reason}"
    where = f"{claim.paper}, {claim.table}: {claim.row}"
    number = (metric_of(claim), printed(claim), spread_over(claim) or DASH)
    gen_iters = (count(budget), _source(length)) if budget else (DASH, DASH)
    return Row((claim.experiment, where, *number, *gen_iters, hours, command))


def _source(length: Mapping[str, str]) -> str:
    sure = length["confidence"]
    return length["source"] + ("" if sure == "high" else f" ({sure} confidence)")


def _suite_of(claim: Claim) -> str:
    """The first that trains as long as the paper, else none."""
    length = baselines.described(claim.experiment)["budget"]["gen_iters"]
    with_it = [s for s in map(suites.load, suites.names()) if claim.experiment in s.experiments]
    return next((s.name for s in with_it if length in (None, s.budget(claim.experiment))), "")


def _protocol_of(claim: Claim) -> str:
    """One that generates as many images as the claim, for its metric."""
    metric = comparability.METRICS.get(claim.metric, claim.metric)
    found = (protocols.get(name) for name in protocols.names())
    wanted = claim.protocol.n_generated
    return next((p.name for p in found if p.n_generated == wanted and metric in p.metrics), DASH)
