"""Runs from which nothing can be concluded, whatever their numbers are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from benchmark.judging import comparability, statistics
from benchmark.records.quantities import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

Excluded = Literal["not-comparable", "missing", "unstable", "inconclusive"]


def excluded(sides: Sequence[comparability.Side]) -> tuple[Excluded, str] | None:
    """Why nothing can be concluded whatever the numbers are, or None.

    Two of the reasons hold whatever is known of the spread beforehand: a single seed cannot contradict that,
    and equal values of several seeds are what runs leave whose seed does nothing.
    """
    reasons = dict.fromkeys(reason for side in sides for reason in side.reasons)
    if len(sides) == 2 and all(side.records for side in sides):
        first, second = sides
        if comparability.fields(first.protocol) != comparability.fields(second.protocol):
            reasons["the two were scored by different protocols"] = None
        if first.records[0]["gen_iters"] != second.records[0]["gen_iters"]:
            reasons["the two have different budgets"] = None
    if reasons:
        return "not-comparable", "; ".join(reasons)
    if absent := [side.name for side in sides if not side.records]:
        return "missing", f"no finished run of {' and '.join(absent)}"
    for side in sides:
        n = len(side.records)
        if statistics.too_many_lost(len(side.lost), n) or not side.values:
            return "unstable", f"{side.name}: {len(side.lost)} of {plural(n, 'seed')} without a result"
    if any(len(side.values) == 1 for side in sides):
        return "inconclusive", "a single seed tells nothing of the spread over seeds; needs at least 2"
    if all(len(set(side.values)) == 1 for side in sides):
        return (
            "inconclusive",
            "all seeds gave the same value: no spread to judge by. Does the seed matter?",
        )
    return None
