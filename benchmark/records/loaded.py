"""What is judged and reported: finished records with their places, and the runs that have none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class LoadedRecord:
    """One `record.json` and the run directory it lies in."""

    record: dict[str, Any]
    directory: Path


@dataclass(frozen=True)
class MissingRun:
    """A planned run without a record; `state` says why: "not run", "interrupted", "failed: …"."""

    experiment: str
    seed: int
    state: str
