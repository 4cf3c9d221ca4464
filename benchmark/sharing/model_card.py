"""The texts of a published folder: what it is, how to check it, how to cite it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import __version__
from benchmark.escape import markdown as escape
from benchmark.escape import visible
from benchmark.records import store
from benchmark.records.cells import group
from benchmark.records.quantities import metric_with_unit, plural
from benchmark.records.summary import summarise
from benchmark.report.citation import AUTHOR, TITLE
from benchmark.report.scores import comparisons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.records.loaded import LoadedRecord

_TASK = "unconditional-image-generation"


def card(records: Sequence[LoadedRecord], title: str, licence: str | None) -> str:
    """README.md, with the YAML header of the Hugging Face Hub; its values are JSON, which YAML includes."""
    index, scores, notes = _scores(records)
    header: dict[str, Any] = {
        "library_name": "ganbench",
        "pipeline_tag": _TASK,
        "tags": ["gan", "image-generation", "ganbench"],
        **({"license": licence.lower()} if licence else {}),
        "model-index": index,
    }
    return "\n".join(
        [
            "---",
            *(f"{key}: {json.dumps(value)}" for key, value in header.items()),
            "---",
            f"# {escape(title)}",
            "",
            "Runs of [ganbench](https://github.com/ganbench/ganbench), a reproducibility benchmark for GANs: "
            "records, generator weights, checkpoints, losses and sample grids. "
            + (f"Licence: {escape(licence)}." if licence else "No licence is stated."),
            "",
            "## Scores at the end of the budget",
            "",
            *_table(("Experiment", "Protocol", "Score", "Mean ± sd over seeds", "n"), scores),
            "",
            *(f"- {escape(note)}" for note in notes),
            "",
            "## Runs",
            "",
            *_table(("Experiment", "Seed", "Data", "G-iterations", "State", "Folder"), map(_run, records)),
            "",
            *_pictures(records),
            "## Check it, score it",
            "",
            f"With ganbench {__version__} (each run's `spec.json` has the SHA-256 of its sources):",
            "",
            "```",
            "ganbench verify .",
            *(f"ganbench evaluate {path}" for path in _weights(records)[:1]),
            "```",
            "",
            f"`{store.GENERATOR}` has the generator's tensors alone; `ganbench show EXPERIMENT` its network, "
            "every hyper-parameter with its source, and how it deviates from the paper. `citations.bib` has "
            "the papers.",
            "",
        ]
    )


def citation(records: Sequence[LoadedRecord], title: str, authors: Sequence[str], licence: str | None) -> str:
    """CITATION.cff, version 1.2.0."""
    finished = max(run.record["provenance"]["finished_utc"] for run in records)[:10]
    lines = [
        "cff-version: 1.2.0",
        f"message: {_yaml('If you use these runs, please cite them, and the papers in citations.bib.')}",
        f"title: {_yaml(title)}",
        "type: dataset",
        f"date-released: {_yaml(finished)}",
        *([f"license: {_yaml(licence)}"] if licence else []),
        "authors:",
        *(f"  - name: {_yaml(author)}" for author in authors),
        "references:",
        "  - type: software",
        f"    title: {_yaml(TITLE)}",
        f"    version: {_yaml(__version__)}",
        "    authors:",
        f"      - name: {_yaml(AUTHOR)}",
        "",
    ]
    return "\n".join(lines)


def folder(run: LoadedRecord) -> Path:
    """Where the run lies in the published folder, whatever its directory is called here."""
    r = run.record
    return store.run_directory(Path(), r["experiment"], r["run_id"], r["env_id"])


def _scores(
    records: Sequence[LoadedRecord],
) -> tuple[list[dict[str, Any]], list[tuple[str, ...]], list[str]]:
    """The model index, a row per cell and metric, and what a reader must know of the protocols."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    for comparison in comparisons(group(records).cells):
        notes.append(f"{comparison.name}: {comparison.protocol['note']}")
        for cell in comparison.cells:
            dataset = cell.records[0]["spec"]["dataset"]
            metrics = []
            for metric in comparison.metrics:
                values = comparison.final(cell, metric)
                if (spread := summarise(values)) is None:
                    continue
                sd = "" if spread.sd is None else f" ± {spread.sd:.4g}"
                row = (cell.label, comparison.name, metric_with_unit(metric), f"{spread.mean:.6g}{sd}")
                rows.append((*row, str(len(values))))
                name = (
                    f"{metric_with_unit(metric)} ({comparison.name}), mean over {plural(len(values), 'seed')}"
                )
                metrics.append({"type": metric, "name": name, "value": spread.mean})
            found.setdefault(cell.label, []).append(
                {
                    "task": {"type": _TASK},
                    "dataset": {"name": dataset["title"], "type": dataset["name"]},
                    "metrics": metrics,
                }
            )
    return [{"name": name, "results": results} for name, results in found.items()], rows, notes


def _run(run: LoadedRecord) -> tuple[str, ...]:
    r = run.record
    data, place = r["spec"]["dataset"]["title"], folder(run).as_posix()
    return r["experiment"], str(r["seed"]), data, str(r["gen_iters"]), r["status"], place


def _weights(records: Sequence[LoadedRecord]) -> list[str]:
    finished = (run for run in records if run.record["status"] == "done")
    return [f"{_run(run)[-1]}/{store.GENERATOR}" for run in finished]


def _pictures(records: Sequence[LoadedRecord]) -> list[str]:
    """The last grid of the first seed of each experiment."""
    firsts = {run.record["experiment"]: run for run in reversed(records) if run.record["samples"]}
    lines = []
    for name, run in reversed(firsts.items()):
        lines += [
            f"![{escape(name)}, seed {run.record['seed']}]({_run(run)[-1]}/{run.record['samples'][-1]})",
            "",
        ]
    return lines


def _table(headers: Sequence[str], rows: Any) -> list[str]:
    lines = [f"| {' | '.join(headers)} |", f"|{'---|' * len(headers)}"]
    return [*lines, *(f"| {' | '.join(map(escape, row))} |" for row in rows)]


def _yaml(text: str) -> str:
    """A scalar of YAML in quotes."""
    return json.dumps(visible(text), ensure_ascii=False)
