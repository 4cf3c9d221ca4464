"""How long was trained, beside what the papers trained, and what it cost."""

from collections.abc import Sequence
from typing import Any

from benchmark.records.cells import Cell
from benchmark.records.quantities import DASH, count, count_range, duration, plural
from benchmark.records.summary import mean
from benchmark.report.table import Row, Table, numbers, words


def budget_table(cells: Sequence[Cell]) -> Table | None:
    """The paper's G-iterations, ours, and what they come to; None when there is no cell."""
    columns = (
        *words("Experiment"),
        *numbers("paper", "ours", "share", group="G-iterations"),
        *numbers("critic updates", "images seen", group="Ours, at the end"),
        *words("Where the paper's comes from"),
    )
    rows = tuple(map(_row, cells))
    note = (
        "Images seen: real images given to the critic. Papers count steps differently; where a paper's "
        "number had to be converted, the last column says how."
    )
    return Table("Budgets, the paper's and ours.", columns, rows, (note,)) if rows else None


def _row(cell: Cell) -> Row:
    ours = cell.first["gen_iters"]
    budget: dict[str, Any] = cell.experiment.get("budget") or {}
    printed = budget.get("gen_iters")
    last = [r["curve"][-1] for r in cell.finished if r["curve"]]
    source = "; ".join(str(budget[key]) for key in ("arithmetic", "source") if budget.get(key))
    if budget.get("confidence") in ("suite", "own"):
        source = "the paper has no such run"
    return Row.of(
        cell.label,
        count(printed) if printed else DASH,
        count(ours),
        f"{100 * ours / printed:.3g} %" if printed else DASH,
        count_range(p["critic_updates"] for p in last),
        count_range(p["images_seen"] for p in last),
        source or "not printed",
    )


def compute_text(cells: Sequence[Cell]) -> str:
    """Device, time per run and in all, in a sentence; empty without a record."""
    records = [r for cell in cells for r in cell.records]
    if not records:
        return ""
    walls = [float(r["timing"]["wall_s"]) for r in records]
    devices = sorted({_device(r) for r in records})
    memory = max(float(r["peak_memory_mib"]) for r in records)
    spread = f" ({duration(min(walls))} to {duration(max(walls))})" if len(walls) > 1 else ""
    return (
        f"Compute: {plural(len(records), 'run')} on {' and '.join(devices)}; {duration(mean(walls))} per run "
        f"on average{spread}, {duration(sum(walls))} in all; at most {count(memory)} MiB per run."
    )


def _device(record: dict[str, Any]) -> str:
    provenance = record["provenance"]
    if provenance.get("gpu"):
        return str(provenance["gpu"])
    threads = provenance.get("threads")
    return f"{provenance.get('cpu') or 'CPU'}" + (f" ({plural(threads, 'thread')})" if threads else "")
