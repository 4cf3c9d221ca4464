"""How numbers, durations, seeds and metrics are written, wherever people read them."""

import math
from collections.abc import Iterable
from typing import Any

NARROW_SPACE = "\u202f"
DASH = "–"
_TITLES = {
    "is": "IS ↑",
    "fid": "FID ↓",
    "kid": "KID ↓",
    "precision": "Precision ↑",
    "recall": "Recall ↑",
    "parzen_ll": "Parzen LL ↑",
    "classification_accuracy": "Accuracy ↑",
    "classification_error": "Error ↓",
}
METRICS = tuple(_TITLES)
"""Those of which it is known which side is better."""
WITHOUT_A_ZERO = ("parzen_ll",)
"""Metrics no share of which can be taken: the 0 of a log-likelihood of real values is of no meaning."""
_UNITS = {"parzen_ll": "nats", "classification_accuracy": "%", "classification_error": "%"}


def metric_title(metric: str) -> str:
    """`fid` → `FID ↓`: the metric's usual name and the direction that is better (none if unknown)."""
    return _TITLES.get(metric, metric.upper())


def metric_name(metric: str) -> str:
    """`metric_title` without the arrow."""
    return metric_title(metric).rstrip(" ↑↓")


def metric_with_unit(metric: str) -> str:
    """`Parzen LL ↑, nats`; a score without a unit as `metric_title` has it."""
    unit = _UNITS.get(metric)
    return metric_title(metric) + (f", {unit}" if unit else "")


def higher_is_better(metric: str) -> bool | None:
    """The direction of `metric_title`; None if unknown."""
    return {"↑": True, "↓": False}.get(metric_title(metric)[-1:])


def count(value: float) -> str:
    """1234567 → `1 234 567` with narrow no-break spaces, rounded to an integer."""
    return f"{round(value):,}".replace(",", NARROW_SPACE)


def count_range(values: Iterable[float]) -> str:
    """One count if all agree, else `smallest–largest`; a dash if there are none."""
    distinct = sorted(set(values))
    if not distinct:
        return DASH
    return count(distinct[0]) if len(distinct) == 1 else f"{count(distinct[0])}–{count(distinct[-1])}"


def duration(seconds: float) -> str:
    """`12.3 s`, `4 min 05 s`, `2 h 03 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    if round(seconds) < 3600:
        return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def integers(values: Iterable[int]) -> str:
    """{0, 1, 2, 5} → `0–2, 5`."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ", ".join(
        str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" if len(r) > 2 else f"{r[0]}, {r[1]}" for r in runs
    )


def named_seeds(values: Iterable[int]) -> str:
    """{0, 1, 2} → `seeds 0–2`; {3} → `seed 3`."""
    chosen = set(values)
    return f"seed{'' if len(chosen) == 1 else 's'} {integers(chosen)}"


def signed(value: float, decimals: int) -> str:
    """`+0.50`, `−1.20`; what rounds to nothing has no sign."""
    text = f"{value:+z.{decimals}f}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]


def plural(n: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count(n)} {noun}" + ("" if n == 1 else "s")


def finite(value: Any) -> float | None:
    """Value as a float, or None where it is absent, not a number, or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
