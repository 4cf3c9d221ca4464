"""The tidy long form: one measured value per line."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from benchmark import escape
from benchmark.records.loaded import LoadedRecord
from benchmark.records.quantities import finite

COLUMNS = (
    "suite",
    "experiment",
    "baseline",
    "cell_id",
    "run_id",
    "env_id",
    "seed",
    "status",
    "diverged_at",
    "dataset",
    "budget_gen_iters",
    "gen_iters",
    "critic_updates",
    "images_seen",
    "wall_s",
    "protocol",
    "extractor",
    "metric",
    "value",
    "real_data",
    "is_final",
)


def frame(runs: Sequence[LoadedRecord], suite: str | None = None) -> pd.DataFrame:
    """One row per experiment × seed × gen_iters × protocol × metric, sorted so; diverged runs included.

    `suite` is what the rows are said to be of; the suite that each record was made for unless given.
    """
    rows = [row for run in runs for row in _rows(run.record, suite)]
    order = ["experiment", "cell_id", "run_id", "env_id", "seed", "gen_iters", "protocol", "metric"]
    df = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"diverged_at": "Int64"})
    return df.sort_values(order, kind="stable").drop_duplicates(ignore_index=True)


def to_csv(runs: Sequence[LoadedRecord], suite: str) -> str:
    """Give the frame as CSV; floats in the shortest form that reads back to the same bits."""
    table = frame(runs, suite)
    texts = table.select_dtypes(["object", "string"]).columns
    return table.assign(**{name: table[name].map(cell) for name in texts}).to_csv(
        index=False, lineterminator="\n"
    )


def cell(value: Any) -> Any:
    """What a CSV file holds for a value: text that no spreadsheet takes for a formula, the rest as it is."""
    return escape.csv(value) if isinstance(value, str) else value


def _rows(record: dict[str, Any], suite: str | None) -> list[dict[str, Any]]:
    extractors = {p["name"]: p["extractor"] for p in record["spec"]["protocols"]}
    shared = {
        key: record[key]
        for key in ("experiment", "baseline", "cell_id", "run_id", "env_id", "seed", "status", "diverged_at")
    }
    return [
        {
            **shared,
            "suite": record["suite"] if suite is None else suite,
            "dataset": record["spec"]["dataset"]["name"],
            "budget_gen_iters": record["gen_iters"],
            **{key: point[key] for key in ("gen_iters", "critic_updates", "images_seen", "wall_s")},
            "protocol": protocol,
            "extractor": extractors.get(protocol, ""),
            "metric": metric,
            "value": finite(value),
            "real_data": finite(record["real_data"].get(protocol, {}).get(metric)),
            "is_final": record["status"] == "done" and point["gen_iters"] == record["gen_iters"],
        }
        for point in record["curve"]
        for protocol, scores in (point["scores"] or {}).items()
        for metric, value in scores.items()
    ]
