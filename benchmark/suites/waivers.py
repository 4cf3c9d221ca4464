"""Failures of the gate that are let pass until a date."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.errors import UserError, did_you_mean, shown
from benchmark.records.quantities import METRICS
from benchmark.suites import experiments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Failure(Protocol):
    """What a waiver may be about."""

    @property
    def cell(self) -> str:
        """Its `cell_id`."""

    @property
    def experiment(self) -> str:
        """``baseline/experiment``."""

    @property
    def metric(self) -> str:
        """As records call it; empty where it is about none."""


@dataclass(frozen=True)
class Waiver:
    """A failure that is let pass until a date: which, why, until when."""

    cell: str
    reason: str
    expires: date
    metric: str = ""
    issue: str = ""

    def covers(self, failure: Failure) -> bool:
        """Whether it is about this: by a pattern of experiments, or 8 or more first digits of a cell."""
        digits = len(self.cell) >= 8 and failure.cell.startswith(self.cell)
        return (digits or fnmatchcase(failure.experiment, self.cell)) and self.metric in ("", failure.metric)

    def text(self) -> str:
        """`wgan/digits fid until 2026-12-01: flaky driver`."""
        return f"{' '.join(filter(None, (self.cell, self.metric)))} until {self.expires}: {self.reason}"


def read_waivers(entries: Sequence[Mapping[str, Any]]) -> list[Waiver]:
    """Waivers as data: `cell`, `reason`, `expires` (the last day it holds); perhaps `metric`, `issue`.

    Raises:
        UserError: a key is missing, unknown or not of its type, a metric unknown, or a pattern too long.

    """
    return [_waiver(entry, f"waiver {i + 1}") for i, entry in enumerate(entries)]


def _waiver(entry: Mapping[str, Any], where: str) -> Waiver:
    known = [field.name for field in dataclasses.fields(Waiver)]
    for key in entry:
        if key not in known:
            raise UserError(f"unknown key '{key}'", where=where, do=did_you_mean(key, known))
    for key in ("cell", "reason", "expires"):
        if not entry.get(key) or not str(entry[key]).strip():
            raise UserError(f"'{key}' is missing", where=where, do="Say what, why and until when")
    expires = entry["expires"]
    try:
        day = date.fromisoformat(expires if isinstance(expires, str) else expires.isoformat()[:10])
    except (ValueError, AttributeError):
        raise UserError(
            f"'expires' is no date: {shown(expires)}", where=where, do="Write 2026-12-31"
        ) from None
    texts = {key: value for key, value in entry.items() if key != "expires"}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise UserError(f"'{key}' must be a text, not {shown(value)}", where=where)
    known = [*METRICS, "start"]  # in place of a metric, of a failure about how runs start
    if (metric := texts.get("metric")) and metric not in known:
        raise UserError(f"unknown metric {shown(metric)}", where=where, do=did_you_mean(metric, known))
    experiments.check_pattern(texts["cell"], f"{where}: cell")
    return Waiver(**texts, expires=day)
