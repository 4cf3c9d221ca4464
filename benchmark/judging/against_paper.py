"""Every claim about the experiments of some runs, judged by the cells that these make up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from baselines import claims as printed
from benchmark.data import registry
from benchmark.judging import comparability, statistics, verdict
from benchmark.records.cells import Cell, score
from benchmark.suites.gate_table import PER_PIXEL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from baselines.claims import Claim
    from benchmark.data import DatasetInfo
    from benchmark.judging.statistics import Prior
    from benchmark.judging.verdict import Verdict

    Record = Mapping[str, Any]


@dataclass(frozen=True)
class Judged:
    """A claim, the cells it was held against (their labels; none where nothing was run) and its verdict."""

    claim: Claim
    cells: tuple[str, ...]
    verdict: Verdict


def against_paper(
    cells: Sequence[Cell],
    experiments: Collection[str],
    *,
    planned: Collection[int] = (),
    reference: Sequence[Record] = (),
    claims: Sequence[Claim] | None = None,
) -> tuple[Judged, ...]:
    """The verdicts on all numbers and orderings about `experiments`, in the order of the claims.

    A claim gets one verdict per cell of its experiment, since cells must not be averaged; an ordering is
    judged where both experiments are named, one verdict per pair of cells.

    Args:
        cells: of `records.cells.group`.
        experiments: those that were to be run; a claim about one without a cell is `missing`.
        planned: seeds that each cell should have.
        reference: accepted records, from which the spread over seeds may be known (`statistics.Prior`).
        claims: all that the papers print, unless given.

    """
    official = {name: known.info for name, known in registry.DEFINITIONS.items()}
    by_experiment: dict[str, list[Cell]] = {}
    for cell in cells:
        by_experiment.setdefault(cell.first["experiment"], []).append(cell)

    def cells_of(name: str) -> list[Cell | None]:
        return [*by_experiment.get(name, ())] or [None]

    out = []
    for claim in printed.load() if claims is None else claims:
        if claim.kind == "value" and claim.experiment in experiments:
            out += [
                _number(claim, cell, cells, reference, planned, official)
                for cell in cells_of(claim.experiment)
            ]
        elif claim.kind == "ordering" and {claim.above, claim.below} <= set(experiments):
            out += [
                Judged(
                    claim,
                    _labels(pair),
                    verdict.judge_ordering(claim, *map(_records, pair), official=official),
                )
                for pair in product(cells_of(claim.above), cells_of(claim.below))
            ]
    return tuple(out)


def statements(experiments: Iterable[str]) -> tuple[Claim, ...]:
    """What papers say about these experiments that is no number: that they print none, or contradict."""
    found = {claim.id: claim for name in experiments for claim in printed.of(name)}
    return tuple(claim for claim in found.values() if claim.kind not in ("value", "ordering"))


def _number(
    claim: Claim,
    cell: Cell | None,
    cells: Sequence[Cell],
    reference: Sequence[Record],
    planned: Collection[int],
    official: Mapping[str, DatasetInfo],
) -> Judged:
    records = _records(cell)
    own = comparability.side(claim, records, official, claim.experiment)
    protocol, metric = own.protocol, comparability.METRICS.get(claim.metric, claim.metric)

    def prior(mean: float) -> Prior | None:
        """Of accepted runs of the cell that are not these, else of the other cells."""
        ours = {record["digests"]["generator_weights"] for record in records}
        accepted = [
            r
            for r in reference
            if r["cell_id"] == records[0]["cell_id"] and r["digests"]["generator_weights"] not in ours
        ]
        before = statistics.prior_of_reference(_values(accepted, protocol, metric))
        if before or metric in PER_PIXEL:  # a share of what has no zero tells nothing of another cell
            return before
        others = [_values(c.records, protocol, metric) for c in cells if c is not cell]
        return statistics.prior_of_suite(others, mean)

    found = verdict.judge(claim, records, official=official, prior=prior, planned=planned)
    return Judged(claim, _labels([cell]), found)


def _values(records: Iterable[Record], protocol: Mapping[str, Any], metric: str) -> list[float]:
    """Final scores under exactly this protocol."""
    same = (
        r
        for r in records
        if comparability.fields(protocol) in map(comparability.fields, r["spec"]["protocols"])
    )
    values = (score(r["final"], str(protocol.get("name", "")), metric) for r in same)
    return [x for x in values if x is not None]


def _records(cell: Cell | None) -> Sequence[Record]:
    return cell.records if cell else ()


def _labels(cells: Iterable[Cell | None]) -> tuple[str, ...]:
    return tuple(cell.label for cell in cells if cell)
