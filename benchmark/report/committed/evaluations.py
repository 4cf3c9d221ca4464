"""Committed runs scored later, by protocols that they did not have: `results/evaluations/*.json`.

A file is what `ganbench evaluate RUN --protocol NAME --json` prints. It belongs to the committed record whose
``digests`` have its ``weights_sha256``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmark.records.quantities import named_seeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    Record = dict[str, Any]


def scored_later(folder: Path, records: Iterable[Mapping[str, Any]]) -> list[Record]:
    """The records that a file is about, as if their runs had been scored at the end, and so alone."""
    by_weights = {record["digests"]["generator_weights"]: record for record in records}
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        found.setdefault(said["images"]["weights_sha256"], []).extend(said["results"])
    return [
        _with(by_weights[weights], results) for weights, results in found.items() if weights in by_weights
    ]


def _with(record: Mapping[str, Any], results: list[dict[str, Any]]) -> Record:
    scores = {result["protocol"]["name"]: result["scores"] for result in results}
    return {
        **record,
        "spec": {**record["spec"], "protocols": [result["protocol"] for result in results]},
        "final": {**record["final"], "scores": scores},
    }


def sentence(later: Sequence[Record], records: Iterable[Mapping[str, Any]]) -> str:
    """Which they are, which other seeds of the same runs are not among them, and how they were scored."""
    made: dict[str, set[int]] = {}
    for record in records:
        if record["status"] == "done":
            made.setdefault(_runs_of(record), set()).add(record["seed"])
    by_protocol: dict[str, dict[str, list[int]]] = {}
    for record in later:
        who = _runs_of(record)
        for protocol in record["spec"]["protocols"]:
            by_protocol.setdefault(protocol["name"], {}).setdefault(who, []).append(record["seed"])
    of = [
        f"by {name} " + ", ".join(_said(who, seeds, made[who]) for who, seeds in runs.items())
        for name, runs in sorted(by_protocol.items())
    ]
    return (
        f"Scored later, by protocols that the runs did not have (`evaluations/`): {'; '.join(of)}. Again: "
        "`ganbench evaluate RUN --protocol NAME`, which prints the SHA-256 of the generator's weights; the "
        "record has it too."
    )


def _runs_of(record: Mapping[str, Any]) -> str:
    return f"{record['experiment']} of `{record['suite']}`"


def _said(who: str, seeds: Sequence[int], made: set[int]) -> str:
    left = made - {*seeds}
    return f"{who}, {named_seeds(seeds)}" + (f" (not {named_seeds(left)})" if left else "")
