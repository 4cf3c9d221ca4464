"""Scores of committed runs' generators by protocols that the runs did not have: `results/evaluations/*.json`.

A file is what `ganbench evaluate RUN --protocol NAME --json` prints. It belongs to the committed record whose
``digests`` have its ``weights_sha256``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.records.quantities import DASH, count, metric_with_unit
from benchmark.report.table import Column, Row, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from baselines.claims import Claim


@dataclass(frozen=True)
class Evaluation:
    """Scores by one protocol of the generator at the end of a run."""

    experiment: str
    gen_iters: int
    seed: int
    protocol: str
    scores: Mapping[str, float]
    record_sha256: str


def load(folder: Path, records: Iterable[Mapping[str, Any]]) -> tuple[Evaluation, ...]:
    """Those in a folder that are of the records' generators, by name of the file."""
    by_weights = {record["digests"]["generator_weights"]: record for record in records}
    found = []
    for path in sorted(folder.glob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        record = by_weights.get(said["images"]["weights_sha256"])
        if record is None:
            continue
        about = record["experiment"], record["gen_iters"], record["seed"]
        for result in said["results"]:
            name = result["protocol"]["name"]
            found.append(Evaluation(*about, name, result["scores"], record["record_sha256"]))
    return tuple(found)


def table(evaluations: Sequence[Evaluation], printed: Mapping[tuple[str, str, str], Claim]) -> Table:
    """One row per evaluation and metric that a paper prints.

    Args:
        evaluations: of `load`.
        printed: claims by experiment, protocol and metric.

    """
    columns = (
        Column("Experiment"),
        Column("G-iterations", numeric=True),
        Column("Seed", numeric=True),
        Column("Protocol"),
        Column("Metric"),
        Column("Ours", numeric=True),
        Column("Paper printed", numeric=True),
        Column("Printed in"),
        Column("Record"),
    )
    rows = []
    for e in evaluations:
        for metric, value in e.scores.items():
            if claim := printed.get((e.experiment, e.protocol, metric)):
                where = f"{claim.paper}, {claim.table}" + ("" if claim.grade != "low" else " (unconfirmed)")
                of = count(e.gen_iters), str(e.seed), e.protocol, metric_with_unit(metric), f"{value:.2f}"
                rows.append(Row((e.experiment, *of, claim.printed or DASH, where, e.record_sha256[:12])))
    return Table("Scored by protocols that the runs did not have, of one seed each.", columns, tuple(rows))
