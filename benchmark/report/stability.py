"""How steady the results are: over seeds, over training, and over environments."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.records.cells import Cell, score, sorted_json
from benchmark.records.quantities import (
    DASH,
    WITHOUT_A_ZERO,
    count,
    count_range,
    higher_is_better,
    metric_title,
    named_seeds,
)
from benchmark.records.summary import decimals_for, mean, summarise
from benchmark.report.scores import Comparison
from benchmark.report.table import Row, Table, numbers, words


def stability_table(compared: Sequence[Comparison]) -> Table | None:
    """One row per comparison, cell and metric; None when there is none."""
    columns = (
        *words("Experiment", "Metric"),
        *numbers("planned", "done", group="Seeds"),
        *words("diverged", group="Seeds"),
        *numbers("sd / mean", "max − min", group="Over seeds, at the budget"),
        *numbers("value", "at G-iteration", "final worse by", group="Best checkpoint (extra)"),
        *numbers("Environments"),
        *words("Same run, other environment"),
    )
    repeated = repeats({cell.label: cell for c in compared for cell in c.cells}.values())
    rows = tuple(
        _row(c, cell, metric, repeated, with_protocol=len({c.name for c in compared}) > 1)
        for c in compared
        for cell in c.cells
        for metric in c.metrics
    )
    if not rows:
        return None
    notes = (
        "Best checkpoint: per finished seed the best of all its evaluations, mean over seeds. It is chosen "
        "by the score that it is then given, so it is an extra: the result is the value at the budget.",
        "Same run, other environment: whether a run with equal settings, sources and seed gave equal weights "
        "elsewhere. Bits are only promised within one environment.",
    )
    table = Table("How steady the scores are.", columns, rows, notes)
    if repeated:
        return table
    never = "No run was repeated in another environment, so nothing is known of what that changes."
    return replace(table, notes=(notes[0], never)).select(range(len(columns) - 1))


def _row(c: Comparison, cell: Cell, metric: str, repeated: dict[str, str], *, with_protocol: bool) -> Row:
    values = c.final(cell, metric)
    spread = summarise(values)
    decimals = decimals_for(values)
    relative = (
        f"{100 * spread.sd / abs(spread.mean):.1f} %"
        if spread and spread.sd is not None and spread.mean and metric not in WITHOUT_A_ZERO
        else DASH
    )
    best = [found for r in cell.finished if (found := best_point(r, c.name, metric)) is not None]
    gap = [abs(value - final) for (_, value), final in zip(best, values, strict=False)]
    complete = len(best) == len(values) == len(cell.finished) > 0
    elsewhere = dict.fromkeys(repeated[r["run_id"]] for r in cell.records if r["run_id"] in repeated)
    return Row(
        (
            cell.label,
            metric_title(metric) + (f" ({c.name})" if with_protocol else ""),
            count(len({r["seed"] for r in cell.records} | {m.seed for m in cell.missing})),
            count(len(cell.finished)),
            _diverged(cell),
            relative,
            f"{max(values) - min(values):.{decimals}f}" if len(values) > 1 else DASH,
            f"{mean([value for _, value in best]):.{decimals}f}" if complete else DASH,
            count_range(at for at, _ in best) if complete else DASH,
            f"{mean(gap):.{decimals}f}" if complete else DASH,
            str(len(cell.env_ids)),
            "; ".join(elsewhere) or DASH,
        ),
        "result" if cell.finished else "absent",
    )


def best_point(record: Mapping[str, Any], protocol: str, metric: str) -> tuple[int, float] | None:
    """G-iteration and value of the best evaluation, the earliest of equal ones; None without a direction."""
    higher = higher_is_better(metric)
    points = [
        (p["gen_iters"], value) for p in record["curve"] if (value := score(p, protocol, metric)) is not None
    ]
    if higher is None or not points:
        return None
    return (max if higher else min)(points, key=lambda point: point[1])


def repeats(cells: Iterable[Cell]) -> dict[str, str]:
    """run_id → how its records from several environments compare; runs made in one are left out."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for cell in cells:
        for record in cell.records:
            found[record["run_id"]].append(record)
    out = {}
    for run_id, records in found.items():
        environments = len({r["env_id"] for r in records})
        if environments > 1:
            same = len({sorted_json([r["final"], r["digests"]["generator_weights"]]) for r in records}) == 1
            word = "equal" if same else "differs"
            out[run_id] = f"seed {records[0]['seed']}: {word} in {environments} environments"
    return out


def _diverged(cell: Cell) -> str:
    if not cell.diverged:
        return "0"
    at = [r["diverged_at"] for r in cell.diverged if r["diverged_at"] is not None]
    where = f", at G-iteration {count_range(at)}" if at else ""
    return f"{len(cell.diverged)} ({named_seeds(r['seed'] for r in cell.diverged)}{where})"
