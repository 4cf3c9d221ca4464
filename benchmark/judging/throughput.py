"""Whether experiments and protocols are as fast as accepted, by shares of the roof on the same device model.

What counts is the roof's work per unit: a step that needs more arithmetic for the same result is slower, even
if it keeps the machine as busy. So the accepted number of operations is the measure of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.records.throughput import MEASURES

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE = 0.3
"""Of the accepted share. From 6 to 17 processes on two cores, those on digits fell by up to 24 %."""
NAMES = dict(zip(MEASURES, ("G-iterations", "generated images", "scored images"), strict=True))


@dataclass(frozen=True)
class Finding:
    """One measurement against the accepted one.

    Attributes:
        name: of the experiment or protocol.
        measure: of `throughput.MEASURES`.
        outcome: ``slower``, ``faster``, ``unchanged``, or ``new`` where none was accepted, or
            one without products.
        ratio: to the accepted share of the roof; None if new.

    """

    name: str
    measure: str
    outcome: str
    ratio: float | None


def compare(
    now: Mapping[str, Any], accepted: Mapping[str, Any], tolerance: float = TOLERANCE
) -> list[Finding]:
    """Findings for every measurement of now; both are blocks of one device model.

    Slower is what lies below the accepted share by more than the tolerance in the median, and whose upper
    quartile lies below the accepted lower quartile; faster likewise.
    """
    found = []
    for kind in ("experiments", "protocols"):
        for name, entry in now[kind].items():
            before = accepted[kind].get(name, {})
            for measure in (m for m in MEASURES if m in entry):
                found.append(_compare(name, measure, entry[measure], before.get(measure), tolerance))
    return found


def _compare(
    name: str, measure: str, now: Mapping[str, Any], then: Mapping[str, Any] | None, tolerance: float
) -> Finding:
    if then is None or not then["share_of_roof"][1]:
        return Finding(name, measure, "new", None)
    scale = _work(then["gflop"]) / (_work(now["gflop"]) or 1.0) if _work(then["gflop"]) else 1.0
    low, middle, high = (scale * share for share in now["share_of_roof"])
    ratio = middle / then["share_of_roof"][1]
    if ratio < 1 - tolerance and high < then["share_of_roof"][0]:
        outcome = "slower"
    elif ratio > 1 + tolerance and low > then["share_of_roof"][2]:
        outcome = "faster"
    else:
        outcome = "unchanged"
    return Finding(name, measure, outcome, ratio)


def _work(gflop: Mapping[str, float]) -> float:
    return sum(gflop.values())


def exit_code(findings: list[Finding]) -> int:
    """1 if anything is slower, 4 if nothing could be compared, else 0."""
    if any(f.outcome == "slower" for f in findings):
        return 1
    return 0 if any(f.outcome != "new" for f in findings) else 4
