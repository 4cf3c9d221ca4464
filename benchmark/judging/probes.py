"""What a probe says against the accepted one: nothing changed, our code did, or what it runs on.

The half in `portable` numerics is exact on every machine: any difference is in our code. The faithful half
is computed by the library on this machine and agrees up to rounding (`TOLERANCES`). Where only this half
differs, the library or the machine computes something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from benchmark.judging import starts
from benchmark.judging.probe_file import block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Block = Mapping[str, Any]

TOLERANCES = {"float32": (0.05, 0.5), "float64": (1e-8, 1e-6, 1e-3)}
"""Of a loss in the 1st, 2nd and 3rd G-iteration: in float32 a share of its largest change from its first
value (`starts.largest_change`), in float64 of itself.

Later ones are not compared. Batches of 4 or 2 are more chaotic than those of `starts`: where a gradient is
next to 0, Adam divides it by next to 0, and differences of rounding were seen to become 10⁴ times larger in
one G-iteration (docs/gate.md)."""
OF_WEIGHTS, OF_IMAGES = 2e-3, 0.5
"""Of float32 values that are no losses: norms of the weights, and means over the images, after the last
G-iteration; those of float64 may differ as its losses do."""
_FLOOR = 1e-3
"""Values below it are compared with this instead of themselves: some cross 0."""

Outcome = Literal["unchanged", "ours", "theirs", "changed", "failed", "missing", "new"]

WORDS: Mapping[Outcome, str] = {
    "unchanged": "as accepted",
    "ours": "our code changed",
    "theirs": "the library or the machine computes something else",
    "changed": "our code, the library or the machine changed",
    "failed": "the probe failed",
    "missing": "accepted, but there is no such experiment",
    "new": "no accepted probe",
}
FAILING: tuple[Outcome, ...] = ("ours", "theirs", "changed", "failed", "missing")


@dataclass(frozen=True)
class Finding:
    """What became of one experiment's probe: outcome, and in what it shows."""

    experiment: str
    outcome: Outcome
    reason: str

    def as_dict(self) -> dict[str, str]:
        """JSON types."""
        return {**vars(self), "words": WORDS[self.outcome]}


def judge(
    experiment: str, accepted: Block | None, result: Mapping[str, Any] | None, environment: Mapping[str, Any]
) -> Finding:
    """One experiment: its accepted block, and what was computed now in `environment`."""
    if result is None:
        return Finding(experiment, "missing", "")
    if "error" in result:
        return Finding(experiment, "failed", result["error"])
    if result.get("resumes") is False:
        reason = "a run that is continued from a checkpoint ends otherwise than one that is not"
        return Finding(experiment, "ours", reason)
    if accepted is None:
        return Finding(experiment, "new", "")
    now = block(result, environment)
    if accepted.get("plan") != now.get("plan"):
        return Finding(experiment, "new", "the accepted probe computes something else: accept this one")
    ours = list(_exact(accepted, now))
    theirs = list(_faithful(accepted, now))
    edited = "sources" not in accepted or accepted["sources"] != now.get("sources")  # scores name none
    unedited = "; the sources did not: does this machine compute as IEEE 754 says?"
    if ours:
        return Finding(experiment, "ours", ours[0] + ("" if edited else unedited))
    if not theirs:
        return Finding(experiment, "unchanged", "")
    exact = all("late" in side.get("portable", {}) for side in (accepted, now))
    also = "; our sources changed too, but compute the same in portable numerics" if exact and edited else ""
    return Finding(experiment, "theirs" if exact else "changed", theirs[0] + also)


def _exact(then: Block, now: Block) -> Iterator[str]:
    """Everything that differs of settings, initial weights and the portable half, in words."""
    if then.get("settings") != now.get("settings"):
        yield "its settings changed"
    if then.get("initial_weights") != now.get("initial_weights"):
        yield "its initial weights are others"
    if then.get("portable_scores") != now.get("portable_scores"):
        yield "portable scores differ"
    old, new = then.get("portable"), now.get("portable")
    if old is None or new is None or "machine" in (old.get("by"), new.get("by")):
        return
    if (was := old.get("refused")) != (is_ := new.get("refused")):  # what has no rule has no exact half
        yield (
            f"portable numerics refuse it ({is_})"
            if is_
            else f"portable numerics no longer refuse it ({was})"
        )
    if was or is_:
        return
    for where, was, is_ in _runs(old, new):
        for what in sorted(was.keys() | is_.keys()):
            if was.get(what) != is_.get(what):
                yield f"portable {what} {where} differ"


def _faithful(then: Block, now: Block) -> Iterator[str]:
    """Every value of the faithful half that is off by more than its tolerance, in words.

    From initial weights that are rounded by the library themselves, float64 differs as float32 does.
    """
    same_start = "initial_weights" in then
    for precision in ("float64", "float32"):
        if precision not in then:
            continue
        for where, was, is_ in _runs(then[precision], now[precision]):
            for name, old, new, tolerance in _values(was, is_, precision if same_start else "float32"):
                if _off(old, new, tolerance):
                    yield f"{precision}: {name} {where} is {_shown(new)}, was {_shown(old)}"
    for protocol, scores in then.get("scores", {}).items():
        for metric, old in scores.items():
            new = now.get("scores", {}).get(protocol, {}).get(metric)
            if _off(old, new, starts.AT_START * starts.scale(metric, old, new)):
                yield f"{metric} is {_shown(new)}, was {_shown(old)}"


def _runs(then: Block, now: Block) -> Iterator[tuple[str, Block, Block]]:
    if "full" in then:
        yield "from the beginning", then["full"], now["full"]
    for start in sorted(then.get("late", {}), key=int):
        yield f"from G-iteration {start}", then["late"][start], now["late"][start]


def _values(
    was: Block, is_: Block, precision: str
) -> Iterator[tuple[str, float | None, float | None, float]]:
    """Name, both values and tolerance of everything in the probe of one starting point."""
    losses: Mapping[str, list[float | None]] = was["losses"]
    exact, shares = precision == "float64", TOLERANCES[precision]
    for name, old in losses.items():
        new = is_["losses"].get(name, [])
        spread = starts.largest_change(old)
        for k, (x, share) in enumerate(zip(old, shares, strict=False)):
            y = new[k] if k < len(new) else None
            unit = max(abs(x or 0.0), _FLOOR)
            tolerance = share * unit if exact else max(share * spread, starts.ROUNDING * unit)
            yield f"loss '{name}' of the {_ordinal(k + 1)} G-iteration", x, y, tolerance
    last = shares[min(max(map(len, losses.values()), default=1), len(shares)) - 1]
    for kind, share in (("weights", OF_WEIGHTS), ("images", OF_IMAGES)):
        for name, x in was.get(kind, {}).items():
            tolerance = (last if exact else share) * max(abs(x), _FLOOR)
            what = (
                f"norm of the {name}'s weights" if kind == "weights" else f"images' {name.replace('_', ' ')}"
            )
            yield what, x, is_.get(kind, {}).get(name), tolerance


def _off(was: float | None, is_: float | None, tolerance: float) -> bool:
    if was is None or is_ is None:
        return was is not is_
    return abs(is_ - was) > tolerance


def _shown(x: float | None) -> str:
    return "not finite" if x is None else f"{x:.12g}"


def _ordinal(n: int) -> str:
    return f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n, 'th') }"


SCORES = "scores"
"""Name of the probe of the scores' networks, which is of no experiment."""


def exit_code(findings: Iterable[Finding]) -> int:
    """1 if something changed, 4 if no experiment could be compared, else 0."""
    found = [(finding.experiment, finding.outcome) for finding in findings]
    if any(outcome in FAILING for _, outcome in found):
        return 1
    return 0 if any(outcome == "unchanged" for name, outcome in found if name != SCORES) else 4
