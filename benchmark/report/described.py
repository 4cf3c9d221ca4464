"""What an experiment is, out of its records: paper, networks, settings with sources, deviations."""

from dataclasses import dataclass
from typing import Any

from benchmark.records.cells import Cell, paper_text
from benchmark.records.quantities import count
from benchmark.report.table import Column, Row, Table


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
        Row((key, _value(entry.get("value")), str(entry.get("source", "")), str(entry.get("confidence", ""))))
        for key, entry in spec.get("settings", {}).items()
    )
    deviations = tuple(
        Row(tuple(str(d.get(k, "")) for k in ("what", "why", "effect"))) for d in spec.get("deviations", ())
    )
    return ExperimentSection(
        cell.label,
        str(spec.get("title", "")),
        paper_text(spec),
        str(spec.get("summary", "")),
        paper_budget(spec.get("budget")),
        Table(
            "Settings, each with its source.",
            (Column("Setting"), Column("Value"), Column("Source"), Column("Confidence")),
            settings,
        )
        if settings
        else None,
        Table("Deviations from the paper.", (Column("What"), Column("Why"), Column("Effect")), deviations)
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
    if budget.get("confidence") == "own":
        return "Of no paper: its training length is the suite's."
    if budget.get("confidence") == "suite":
        return "The paper has no such run: its training length is the suite's."
    printed = budget.get("gen_iters")
    length = f"{count(printed)} G-iterations" if printed else "not printed"
    arithmetic, source = budget.get("arithmetic", ""), budget.get("source", "")
    return f"Training length in the paper: {length}. {arithmetic} {f'[{source}]' if source else ''}".strip()
