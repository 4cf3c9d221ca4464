"""Under which circumstances the numbers arose: environments, time, runs, and what is missing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.records.cells import Cell, Grouping
from benchmark.records.loaded import LoadedRecord
from benchmark.records.quantities import DASH, count, named_seeds
from benchmark.records.summary import mean
from benchmark.report.citation import revision
from benchmark.report.table import Row, Table, numbers, words

# An allow-list: a host or user name that found its way into a record must not reach the report.
_PROVENANCE = ("python", "os", "cpu", "threads", "gpu", "gpu_driver", "cuda", "cudnn")
_PACKAGES = ("ganbench", "torch", "torchvision", "torch-fidelity", "numpy", "pillow", "safetensors")


def problem_table(grouping: Grouping) -> Table | None:
    """Every planned run that contributed nothing to a mean, with the reason; None when there is none."""
    rows = [
        Row((cell.label, str(r["seed"]), _divergence(r))) for cell in grouping.cells for r in cell.diverged
    ]
    missing = [m for cell in grouping.cells for m in cell.missing] + [*grouping.unplaced, *grouping.absent]
    rows += [Row((m.experiment, str(m.seed), m.state or "not run")) for m in missing]
    if not rows:
        return None
    columns = *words("Experiment"), *numbers("Seed"), *words("State")
    return Table("Runs that are in no mean.", columns, tuple(rows))


def _divergence(record: dict[str, Any]) -> str:
    at = record["diverged_at"]
    return (
        "diverged"
        if at is None
        else f"diverged (non-finite numbers) at G-iteration {count(at)} of {count(record['gen_iters'])}"
    )


def environment_tables(cells: Sequence[Cell]) -> tuple[Table, ...]:
    """One table per env_id; runs within it differ at most in the code revision."""
    records = [r for cell in cells for r in cell.records]
    out = []
    for env_id in sorted({r["env_id"] for r in records}):
        own = [r for r in records if r["env_id"] == env_id]
        rows = [(key, _distinct(r["provenance"].get(key) for r in own)) for key in _PROVENANCE]
        rows.append(("packages", _distinct(_pairs(_main_packages(r["provenance"])) for r in own)))
        rows.append(("determinism", _distinct(_pairs(r["provenance"].get("determinism")) for r in own)))
        rows.append(("code revision", _distinct(revision(r, 12) or None for r in own)))
        used = [
            f"{c.label} ({named_seeds(r['seed'] for r in c.records if r['env_id'] == env_id)})"
            for c in cells
            if env_id in c.env_ids
        ]
        out.append(
            Table(
                f"Environment {env_id[:8]}, used by {', '.join(used)}.",
                words("What", "Value"),
                tuple(Row(row) for row in rows),
            )
        )
    return tuple(out)


def _distinct(values: Any) -> str:
    texts = dict.fromkeys("none" if v is None else str(v) for v in values)
    return "; ".join(sorted(texts))


def _pairs(mapping: dict[str, Any] | None) -> str | None:
    return ", ".join(f"{k} {v}" for k, v in sorted(mapping.items())) if mapping else None


def _main_packages(provenance: dict[str, Any]) -> dict[str, str]:
    """Of the many installed ones, those that ganbench names; the record has them all."""
    installed = provenance["packages"]
    return {name: installed[name] for name in _PACKAGES if name in installed}


def timing_table(cells: Sequence[Cell]) -> Table | None:
    """Mean seconds per finished run; None when no run finished."""
    names = ("wall_s", "startup_s", "train_s", "evaluate_s", "checkpoint_s")
    rows = []
    for cell in cells:
        if not cell.finished:
            continue
        times = {name: [float(r["timing"][name]) for r in cell.finished] for name in names}
        memory = max(float(r["peak_memory_mib"]) for r in cell.finished)
        sessions = max(int(r["timing"].get("sessions", 1)) for r in cell.finished)
        rows.append(
            Row.of(
                cell.label,
                *(f"{mean(times[name]):.1f}" for name in names),
                DASH if (share := overhead(times)) is None else f"{100 * share:.1f} %",
                count(memory),
                str(sessions),
            )
        )
    if not rows:
        return None
    columns = (
        *words("Experiment"),
        *numbers("wall", "startup", "train", "evaluate", "checkpoint", group="Seconds per run (mean)"),
        *numbers("Suite overhead", "Peak memory, MiB", "Sessions (most)"),
    )
    note = (
        "Suite overhead = (wall − train − evaluate − startup) / train, from sums over the finished runs; it "
        "contains the checkpoints. More than one session means that a run was resumed."
    )
    return Table("Where the time went, finished runs only.", columns, tuple(rows), (note,))


def overhead(times: dict[str, list[float]]) -> float | None:
    """(Σ wall − Σ train − Σ evaluate − Σ startup) / Σ train, a fraction; None where nothing was trained."""
    train = sum(times["train_s"])
    rest = sum(times["wall_s"]) - train - sum(times["evaluate_s"]) - sum(times["startup_s"])
    return rest / train if train > 0 else None


def run_table(cells: Sequence[Cell]) -> Table | None:
    """Every record used, with ids and where it lies below the results folder; None when there is none."""
    rows = [
        Row.of(
            cell.label,
            str(run.record["seed"]),
            run.record["status"],
            run.record["run_id"][:12],
            run.record["cell_id"][:12],
            run.record["env_id"][:8],
            shown_path(run),
        )
        for cell in cells
        for run in cell.runs
    ]
    ids = words("Status", "Run", "Cell", "Environment", "Directory")
    columns = *words("Experiment"), *numbers("Seed"), *ids
    return Table("Runs this report was made from.", columns, tuple(rows)) if rows else None


def shown_path(run: LoadedRecord) -> str:
    """`runs/gan/mnist/<leaf>`, or the leaf alone in another layout.

    What stands before `runs/` differs between machines and may name a user.
    """
    parts = run.directory.absolute().parts
    experiment = Path(run.record["experiment"]).parts
    start = len(parts) - 1 - len(experiment)
    if parts[start:-1] != experiment:
        return parts[-1]
    return "/".join(parts[start - 1 :] if parts[start - 1] == "runs" else parts[start:])
