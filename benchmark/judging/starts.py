"""Whether runs start as the accepted ones did, whatever machine made them.

Every draw is a pure function of (seed, purpose, k), so the first G-iterations of one seed agree between
machines up to rounding, and a bug moves them by orders of magnitude more. Three things are compared, of each
seed that both sides have, in this order:

    real data          scores of real images: metric, extractor, reference data
    scores at 0        of the untrained generator: latents, sampling, quantising
    the first losses   of G-iterations 1 to 10: everything else that an update does

Tolerances and what they were measured on: `docs/gate.md`. Rounding grows with every update, so a loss of
G-iteration k may differ by min(.3, 3e-3·2^(k−1)) of R, its largest change from its first value in the
accepted run's first ten; of a change, as losses near 0 or all near log 2 make a relative difference mean
nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.records.quantities import named_seeds, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Record = Mapping[str, Any]

GEN_ITERS = 10
"""G-iterations compared; after more than ten, chaos has saturated and nothing is added."""
FIRST_SHARE, LARGEST_SHARE = 3e-3, 0.3
"""Of R, the largest change: at k = 1, doubled with every G-iteration; never more."""
ROUNDING = 1e-6
"""Relative difference that is always let pass, where a loss hardly changes."""
AT_START, OF_REAL_DATA = 1e-5, 1e-6
"""Largest relative difference of scores of the untrained generator, and of real images."""
_SCALES = {"kid": 1.0, "precision": 100.0, "recall": 100.0, "parzen_ll": 10.0}
"""Values below these are compared with this instead of themselves: KID crosses 0; a precision counts images,
of which rounding may move a few (10⁻³ at 10⁻⁵ of 100)."""


@dataclass(frozen=True)
class Departure:
    """The first thing in which a seed's start differs, and how many times the tolerance that is."""

    seed: int
    what: str
    tolerances: float

    def text(self) -> str:
        """`seed 0: loss 'critic' of G-iteration 1, 23 tolerances off (0.69 was 0.71)`."""
        return f"seed {self.seed}: {self.what}"


@dataclass(frozen=True)
class Start:
    """How the runs of one experiment start.

    Attributes:
        cell: of the current runs.
        seeds: those compared.
        departures: one for each seed that departs.
        across: whether the two sides ran on different kinds of device.
        whole: whether losses were compared too; without them little is known of a start.

    """

    experiment: str
    cell: str
    seeds: tuple[int, ...]
    departures: tuple[Departure, ...]
    across: bool
    whole: bool

    def reason(self) -> str:
        """In one sentence."""
        if not self.departures:
            return f"starts as accepted ({named_seeds(self.seeds)})"
        worst = max(self.departures, key=lambda d: d.tolerances)
        n = f"{len(self.departures)} of {plural(len(self.seeds), 'seed')}"
        where = "; the reference was made on another kind of device" if self.across else ""
        return f"{n} start otherwise: {worst.text()}{where}"


def starts(reference: Sequence[Record], current: Sequence[Record]) -> dict[str, Start]:
    """By experiment, of those with a seed on both sides in the same data and numerics, whatever settings."""
    return {name: _start(name, both) for name, both in pairs(reference, current).items()}


def pairs(reference: Sequence[Record], current: Sequence[Record]) -> dict[str, list[tuple[Record, Record]]]:
    """By experiment, the accepted record of each seed and the current one; of the same cell if possible."""
    accepted: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in reference:
        accepted[_key(record)].append(record)
    found: dict[str, list[tuple[Record, Record]]] = defaultdict(list)
    for record in current:
        if twins := accepted.get(_key(record)):
            same_cell = (r for r in twins if r["cell_id"] == record["cell_id"])
            found[record["experiment"]].append((next(same_cell, twins[0]), record))
    return dict(found)


def _key(record: Record) -> tuple[Any, ...]:
    """What two runs must share for their starts to be comparable."""
    spec = record["spec"]
    data = spec.get("dataset", {}).get("digest", "")
    return record["experiment"], record["seed"], data, str(spec.get("numerics", {}).get("precision", ""))


def _start(experiment: str, pairs: Sequence[tuple[Record, Record]]) -> Start:
    found = [(pair, d) for pair in pairs if (d := departure(*pair))]
    departures = [d for _, d in found]
    of_devices = [_device(then) != _device(now) for (then, now), _ in found]
    return Start(
        experiment=experiment,
        cell=pairs[0][1]["cell_id"],
        seeds=tuple(sorted(now["seed"] for _, now in pairs)),
        departures=tuple(departures),
        whole=all(len(r.get("first_losses", ())) >= GEN_ITERS for pair in pairs for r in pair),
        across=bool(of_devices) and all(of_devices),
    )


def _device(record: Record) -> str:
    return str(record["spec"].get("device", "cpu")).split(":")[0]


def departure(then: Record, now: Record) -> Departure | None:
    """The first difference beyond its tolerance between an accepted record and another of its seed."""
    for what, tolerances in differences(then, now):
        if tolerances > 1:
            return Departure(now["seed"], what, tolerances)
    return None


def differences(then: Record, now: Record) -> Iterator[tuple[str, float]]:
    """Everything that is compared, in words, as a multiple of its tolerance.

    What was not finite is null: alike where both sides are, infinitely far off where one is.
    """
    yield from _scores("of real data", then.get("real_data", {}), now.get("real_data", {}), OF_REAL_DATA)
    yield from _scores("of the untrained generator", _untrained(then), _untrained(now), AT_START)
    old, new = (list(r.get("first_losses", ()))[:GEN_ITERS] for r in (then, now))
    if len(old) < GEN_ITERS:  # the largest change of fewer is no yardstick
        return
    for name in sorted({*old[0], *(new[0] if new else old[0])}):
        if name not in old[0] or (new and name not in new[0]):
            yield f"loss '{name}' is only in {'one' if name in old[0] else 'the other'} of them", float("inf")
    for k, (a, b) in enumerate(zip(old, new, strict=False), 1):
        for name in a.keys() & b.keys():
            was, is_ = a[name], b[name]
            off = _off(was, is_, tolerance(old, name, k))
            change = f"{_shown(is_)} was {_shown(was)}"
            yield f"loss '{name}' of G-iteration {k} is {_times(off)} off ({change})", off


def tolerance(accepted: Sequence[Mapping[str, float | None]], name: str, k: int) -> float:
    """Largest difference of a loss at G-iteration k, from the first ten rows of the accepted run."""
    column = [row[name] for row in accepted[:GEN_ITERS]]
    return max(
        share(k) * largest_change(column),
        ROUNDING * max((abs(x) for x in column if x is not None), default=0.0),
    )


def share(k: int) -> float:
    """Of a loss's largest change R, that it may differ by at G-iteration k, from 1."""
    return min(LARGEST_SHARE, FIRST_SHARE * 2.0 ** (k - 1))


def by_range(then: Record, now: Record) -> list[float | None]:
    """At G-iteration 1, 2 … 10, the largest |difference| / R of a loss that both report and that changes.

    None where one of them is not finite on one side only.
    """
    old, new = (list(r.get("first_losses", ()))[:GEN_ITERS] for r in (then, now))
    ranges = {
        name: spread
        for name in (old[0].keys() & new[0].keys() if old and new else ())
        if (spread := largest_change([row[name] for row in old]))
    }
    found: list[float | None] = []
    for a, b in zip(old, new, strict=False):
        shares = [_off(a[name], b[name], spread) for name, spread in ranges.items()]
        largest = max(shares, default=0.0)
        found.append(largest if math.isfinite(largest) else None)
    return found


def largest_change(values: Sequence[float | None]) -> float:
    """R: max |x − x₁| of those that are finite; up to half of max − min where they go both ways."""
    finite = [x for x in values if x is not None]
    return max((abs(x - finite[0]) for x in finite), default=0.0)


def _scores(
    whose: str, then: Mapping[str, Any], now: Mapping[str, Any], share: float
) -> Iterator[tuple[str, float]]:
    for protocol in then.keys() & now.keys():
        for metric in then[protocol].keys() & now[protocol].keys():
            was, is_ = then[protocol][metric], now[protocol][metric]
            off = _off(was, is_, share * scale(metric, was, is_))
            change = f"{_shown(is_, '.7g')} was {_shown(was, '.7g')}"
            yield f"{metric} ({protocol}) {whose} is {_times(off)} off ({change})", off


def scale(metric: str, *values: float | None) -> float:
    """What a difference of two scores is a share of."""
    return max(_SCALES.get(metric, 0.0), *(abs(x or 0.0) for x in values))


def _untrained(record: Record) -> Mapping[str, Any]:
    first = next((point for point in record["curve"] if point["gen_iters"] == 0), None)
    return first["scores"] if first else {}


def _off(was: float | None, is_: float | None, tolerance: float) -> float:
    if was is None or is_ is None:
        return 0.0 if was is is_ else float("inf")
    return 0.0 if was == is_ else abs(is_ - was) / tolerance if tolerance else float("inf")


def _shown(value: float | None, digits: str = "") -> str:
    return "not finite" if value is None else format(value, digits)


def _times(off: float) -> str:
    return f"{off:.3g} tolerances"
