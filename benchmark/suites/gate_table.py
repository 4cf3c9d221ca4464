"""The tables `[gate]` and `[[waiver]]` of a suite file: how its runs are compared with the reference."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError, did_you_mean, shown
from benchmark.records.quantities import METRICS
from benchmark.suites.seeds import parse_seeds
from benchmark.suites.waivers import read_waivers

if TYPE_CHECKING:
    from collections.abc import Mapping

ALPHA = 0.05
"""Probability of any false alarm in a nightly run, all cells and metrics together."""
EFFECTS = {"fid": 0.03, "is": 0.015, "classification_error": 0.1, "parzen_ll": 0.005}
"""δ_r: what a difference must exceed, as a share of the reference's mean. Others are not gated."""
PER_PIXEL = ("parzen_ll",)
"""Those whose δ_r is per pixel of an image instead: of a log-likelihood, which has no zero, in nats."""
POINTS = 3
"""Last evaluations of a run that are averaged."""


@dataclass(frozen=True)
class GateTable:
    """Rules of a suite's gate; `benchmark.judging.gate` says what they do.

    Attributes:
        alpha: probability of any false alarm, between 0 and 1.
        effects: metric → minimum effect as a share of the reference's mean, or `PER_PIXEL`; others are not
            gated.
        points: last evaluations of a run that are averaged.
        confirm_with: seeds that confirm a regression; None for the two after the suite's last.

    """

    alpha: float = ALPHA
    effects: Mapping[str, float] = field(default_factory=lambda: dict(EFFECTS))
    points: int = POINTS
    confirm_with: tuple[int, ...] | None = None


def read_gate(table: Any, where: str) -> GateTable:
    """The table, checked; `UserError` for an unknown key or a value out of range."""
    if not isinstance(table, dict):
        raise UserError(f"must be a table, not {shown(table)}", where=where)
    known = [entry.name for entry in dataclasses.fields(GateTable)]
    for key in table:
        if key not in known:
            raise UserError(f"unknown key '{key}'", where=where, do=did_you_mean(key, known))
    found = dict(table)
    if "alpha" in found:
        found["alpha"] = share(found["alpha"], f"{where}: alpha")
    if "effects" in found:
        found["effects"] = _effects(found["effects"], f"{where}: effects")
    if "points" in found and (type(found["points"]) is not int or found["points"] < 1):
        raise UserError(
            f"must be a whole number of at least 1, not {shown(found['points'])}", where=f"{where}: points"
        )
    if "confirm_with" in found:
        found["confirm_with"] = confirmation_seeds(found["confirm_with"], f"{where}: confirm_with")
    return GateTable(**found)


def read_waiver_table(entries: Any, where: str) -> tuple[dict[str, Any], ...]:
    """Waivers as JSON types, checked as `waivers.read_waivers` does."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f"must be tables [[waiver]], not {shown(entries)}", where=f"{where}: waiver")
    try:
        read_waivers(entries)
    except UserError as error:
        raise UserError(error.what, where=f"{where}: {error.where}", do=error.do) from None
    return tuple(
        {k: v.isoformat()[:10] if isinstance(v, date) else v for k, v in entry.items()} for entry in entries
    )


def share(value: Any, where: str) -> float:
    """A number between 0 and 1, both excluded."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise UserError(f"must be a number between 0 and 1, not {shown(value)}", where=where)
    return float(value)


def confirmation_seeds(value: Any, where: str) -> tuple[int, ...]:
    """Seeds as suites write them; none for `none` or an empty list."""
    return () if value in ("none", []) else parse_seeds(value, where=where)


def check_confirmation(confirm_with: tuple[int, ...] | None, seeds: tuple[int, ...], where: str) -> None:
    """Refuse seeds that are to confirm what was found with them: they would be left out without a word."""
    if own := [seed for seed in confirm_with or () if seed in {*seeds}]:
        do = "Name other seeds, or none"
        raise UserError(f"seed {own[0]} is one that is to be confirmed", where=where, do=do)


def _effects(table: Any, where: str) -> dict[str, float]:
    if not isinstance(table, dict) or not table:
        raise UserError(f"must be a table, not {shown(table)}", where=where, do="Write { fid = 0.03 }")
    for metric in table:
        if metric not in METRICS:
            raise UserError(f"unknown metric '{metric}'", where=where, do=did_you_mean(metric, METRICS))
    return {metric: share(value, f"{where}: {metric}") for metric, value in table.items()}
