"""What an experiment is, out of its records: paper, networks, settings with sources, deviations."""

from dataclasses import dataclass
from typing import Any

from benchmark.records.cells import Cell, paper_text
from benchmark.records.quantities import count
from benchmark.report.table import Row, Table, words


@dataclass(frozen=True)
class ExperimentSection:
    """What an experiment is: paper, networks, settings with sources, deviations."""

    label: str
    title: str
    paper: str
    summary: str
    budget: str
    settings: Table | None
    deviations: Table | None


def experiment_section(cell: Cell) -> ExperimentSection:
    """Of what a cell fixes."""
    spec = cell.experiment
    settings = tuple(
        Row.of(key, _value(entry["value"]), entry["source"], entry["confidence"])
        for key, entry in spec["settings"].items()
    )
    deviations = tuple(Row.of(d["what"], d["why"], d["effect"]) for d in spec["deviations"])
    return ExperimentSection(
        cell.label,
        spec["title"],
        paper_text(spec),
        spec["summary"],
        paper_budget(spec.get("budget")),
        Table(
            "Settings, each with its source.",
            words("Setting", "Value", "Source", "Confidence"),
            settings,
        )
        if settings
        else None,
        Table("Deviations from the paper.", words("What", "Why", "Effect"), deviations)
        if deviations
        else None,
    )


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} {_value(v)}" for k, v in value.items())
    return str(value)


def paper_budget(budget: dict[str, Any] | None) -> str:
    """The paper's training length in a sentence; empty where none was recorded."""
    if not budget:
        return ""
    if budget["confidence"] == "own":
        return "Of no paper: its training length is the suite's."
    if budget["confidence"] == "suite":
        return "The paper has no such run: its training length is the suite's."
    length = f"{count(n)} G-iterations" if (n := budget["gen_iters"]) else "not printed"
    source = f"[{budget['source']}]" if budget["source"] else ""
    return f"Training length: {length}. {budget['arithmetic']} {source}".strip()
