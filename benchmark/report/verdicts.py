"""What the runs say about the numbers, orderings and other statements of the papers, as tables."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from baselines.claims import Claim
from benchmark.judging.against_paper import Judged
from benchmark.judging.comparability import METRICS
from benchmark.judging.verdict import Outcome, Verdict
from benchmark.records.cells import Cell
from benchmark.records.quantities import DASH, plural, signed
from benchmark.records.summary import Spread, decimals_for
from benchmark.report.scores import seeds_text
from benchmark.report.sources import metric_of, printed, source, spread_over, statement_table
from benchmark.report.table import Column, Row, Table, numbers, words

OUTCOMES: dict[Outcome, str] = {
    "reproduced": "✓ reproduced",
    "below": "▼ below the paper",
    "above": "▲ above the paper",
    "inconclusive": "? inconclusive",
    "unstable": "✗ unstable",
    "not-comparable": "≠ not comparable",
    "missing": "○ not run",
}
"""Every outcome as a symbol and words, in the order of a table: what was decided first."""
COMPARABLE: tuple[Outcome, ...] = ("reproduced", "below", "above", "inconclusive", "unstable")
"""Outcomes of runs with the paper's protocol, data, experiment and budget."""
_TEXTS = tuple(OUTCOMES.values())
_CONTRARY = "▼ the contrary"
_UNCONFIRMED = " (claim unconfirmed)"


@dataclass(frozen=True)
class Papers:
    """The first section: a sentence, and the tables that there is something to put in.

    Attributes:
        summary: how many of the claims came to what, or that there are none.
        numbers, orderings: the verdicts.
        statements: what papers say that is neither.
        judged, said: what the tables were made from.

    """

    summary: str
    numbers: Table | None
    orderings: Table | None
    statements: Table | None
    judged: tuple[Judged, ...]
    said: tuple[Claim, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """Those that there are."""
        return tuple(t for t in (self.numbers, self.orderings, self.statements) if t is not None)

    def as_dict(self) -> dict[str, Any]:
        """JSON types: every claim with its source, the cells it was held against and its verdict."""
        return {
            "verdicts": [
                {"claim": j.claim.as_dict(), "cells": list(j.cells), "verdict": j.verdict.as_dict()}
                for j in self.judged
            ],
            "statements": [claim.as_dict() for claim in self.said],
        }


def papers(judged: Sequence[Judged], said: Sequence[Claim], cells: Sequence[Cell]) -> Papers:
    """The section of these verdicts: what could be judged first, then by experiment."""
    order = {cell.label: i for i, cell in enumerate(cells)}
    rank = list(OUTCOMES)
    ordered = sorted(
        judged,
        key=lambda j: (
            j.verdict.outcome not in COMPARABLE,
            min((order[label] for label in j.cells), default=len(order)),
            j.verdict.experiment,
            rank.index(j.verdict.outcome),
        ),
    )
    numbers = [j for j in ordered if j.claim.kind == "value"]
    orderings = [j for j in ordered if j.claim.kind == "ordering"]
    by_label = {cell.label: cell for cell in cells}
    return Papers(
        _summary(numbers, orderings),
        _numbers(numbers, by_label) if numbers else None,
        _orderings(orderings) if orderings else None,
        statement_table(said) if said else None,
        tuple(ordered),
        tuple(said),
    )


def comparable(found: Papers, cell: Cell, protocol: str, metric: str) -> tuple[Claim, ...]:
    """The numbers that may be drawn into the curves of a cell: those that its runs were judged by."""
    return tuple(
        j.claim
        for j in found.judged
        if j.claim.kind == "value"
        and j.cells == (cell.label,)
        and j.verdict.outcome in COMPARABLE
        and (j.verdict.protocol, METRICS.get(j.claim.metric, j.claim.metric)) == (protocol, metric)
    )


def _summary(numbers: Sequence[Judged], orderings: Sequence[Judged]) -> str:
    if not numbers and not orderings:
        return "No paper prints a number or an ordering for these experiments: nothing to compare with."
    parts = []
    for noun, group in (("printed number", numbers), ("printed ordering", orderings)):
        if group:
            tally = Counter(outcome_text(j) for j in group)
            texts = (text + more for text in (*_TEXTS, _CONTRARY) for more in ("", _UNCONFIRMED))
            words = ", ".join(f"{tally[text]} {text[2:]}" for text in texts if tally[text])
            claims = len({j.claim.id for j in group})  # each is judged once per cell of its experiment
            verdicts = f", in {len(group)} verdicts" if len(group) > claims else ""
            parts.append(f"Of {plural(claims, noun)}{verdicts}: {words}.")
    return " ".join(parts)


def outcome_text(j: Judged) -> str:
    """The outcome as a symbol and words: an ordering is not below a paper, but contrary to it.

    Where something was concluded from an unconfirmed claim, that is said with it wherever it stands.
    """
    contrary = j.claim.kind == "ordering" and j.verdict.outcome == "below"
    text = _CONTRARY if contrary else OUTCOMES[j.verdict.outcome]
    return text if j.verdict.confirmed or j.verdict.outcome not in COMPARABLE else text + _UNCONFIRMED


def _numbers(judged: Sequence[Judged], cells: dict[str, Cell]) -> Table:
    decimals = _decimals(j.verdict for j in judged)
    columns = (
        *words("Experiment", "Metric"),
        Column("Verdict", badge=True),
        *numbers("mean ± sd over seeds", group="Ours", spread=True),
        *words("seeds (n)", "within one run", group="Ours"),
        *numbers("printed", group="Paper"),
        *words("± over", group="Paper"),
        *numbers("worse by", "90 % interval", "margin", group="Against the paper"),
    )
    notes = (
        "Worse by: in units of the metric, negative where ours is better. "
        "✓ reproduced: the whole interval lies within ± margin. ▼ ▲: the whole interval is worse, or "
        "better, than the margin; both call for an explanation. ? inconclusive: neither, with the number of "
        "seeds that would settle it. ≠ not comparable: the numbers are shown and nothing is concluded.",
        "The interval is one of two one-sided 5 % t tests, and counts the paper's number as one training "
        "run unless its ± is over seeds. A ± over splits or repeated evaluations of one network says "
        "nothing of seeds: it is to be read beside “within one run”, never beside ours over seeds.",
    )
    rows = tuple(_number_row(j, cells, decimals) for j in judged)
    caption = "Printed numbers, and what was found. Ours is the value at the budget."
    return Table(caption, columns, rows, notes)


def _number_row(j: Judged, cells: dict[str, Cell], decimals: int) -> Row:
    v, claim = j.verdict, j.claim
    drawn = v.outcome in COMPARABLE
    cell = cells[j.cells[0]] if j.cells else None
    return Row(
        (
            cell.label if cell else v.experiment,
            metric_of(claim) + (f" ({v.protocol})" if v.protocol else ""),
            _verdict_text(j),
            _spread(v.ours, decimals),
            seeds_text(cell) if cell else "0",
            f"± {v.within[1]:.{decimals}f} {v.within[0]}" if v.within else DASH,
            printed(claim),
            spread_over(claim) or DASH,
            signed(v.difference, decimals) if drawn and v.difference is not None else DASH,
            _interval(v, decimals),
            f"{v.margin:.{decimals}f}" if v.margin is not None else DASH,
        ),
        v.outcome,
        (*_sentences(v), source(claim)),
    )


def _orderings(judged: Sequence[Judged]) -> Table:
    decimals = _decimals(j.verdict for j in judged)
    columns = (
        *words("The paper says", "Metric"),
        Column("Verdict", badge=True),
        *numbers("better one", "other one", group="Ours, mean ± sd over seeds", spread=True),
        *numbers("worse by", "90 % interval", group="Better one against the other"),
    )
    rows = tuple(
        Row(
            (
                f"{j.claim.above} is better than {j.claim.below}",
                metric_of(j.claim),
                _verdict_text(j),
                _spread(j.verdict.ours, decimals, with_n=True),
                _spread(j.verdict.rival, decimals, with_n=True),
                signed(j.verdict.difference, decimals)
                if j.verdict.outcome in COMPARABLE and j.verdict.difference is not None
                else DASH,
                _interval(j.verdict, decimals),
            ),
            j.verdict.outcome,
            (*_sentences(j.verdict), f"{source(j.claim)} “{j.claim.statement}”"),
        )
        for j in judged
    )
    note = "Worse by: negative as the paper says. ✓ reproduced: the whole interval (Welch's t) is below 0."
    return Table("Printed orderings, and what was found.", columns, rows, (note,))


def _verdict_text(j: Judged) -> str:
    needed = j.verdict.seeds_needed
    return outcome_text(j) + (f", needs about {needed} seeds" if needed else "")


def _sentences(v: Verdict) -> tuple[str, ...]:
    return tuple(map(_sentence, (v.reason, *v.caveats)))


def _sentence(text: str) -> str:
    """With a capital and a full stop; names of experiments stay as they are."""
    whole = f"{text.rstrip('.')}."
    return whole if "/" in text.split(" ", 1)[0] else whole[:1].upper() + whole[1:]


def _spread(spread: Spread | None, decimals: int, *, with_n: bool = False) -> str:
    if spread is None:
        return DASH
    return spread.text(decimals) + (f" (n = {spread.n})" if with_n else "")


def _interval(v: Verdict, decimals: int) -> str:
    if v.interval is None:
        return DASH
    return f"{signed(v.interval.low, decimals)} to {signed(v.interval.high, decimals)}"


def _decimals(verdicts: Any) -> int:
    return decimals_for([x for v in verdicts for x in (v.value, v.ours and v.ours.mean) if x is not None])


def brief(table: Table) -> Table:
    """Without the columns that only a wide page has room for."""
    kept = [i for i, c in enumerate(table.columns) if c.header not in ("within one run", "± over")]
    return replace(table, notes=()).select(kept)
