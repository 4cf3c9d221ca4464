"""What the gate says: one decision for each metric of each cell, and what they come to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from benchmark.judging.statistics import Interval

Outcome = Literal[
    "unchanged", "improved", "regressed", "nondeterministic", "departed", "no-evidence", "missing"
]
FAILING: tuple[Outcome, ...] = ("regressed", "nondeterministic", "departed", "missing")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What one metric of one cell came to.

    Attributes:
        cell, experiment, protocol, metric: what was compared.
        outcome: see above.
        reason: why, in words.
        reference, current: means over the compared seeds of the last evaluations' mean; None for none.
        reference_sd, current_sd: sample standard deviations over them; None for fewer than two.
        n_reference, n_current: seeds in these.
        worse_by: current − reference, positive where it is worse.
        interval: the 90 % interval of that.
        p: one-sided p of "it is not worse", adjusted after Holm.
        run_seeds: seeds to run before the regression may be believed; it fails as long as they are missing.
        warns: a failing outcome that only warns, since the two sides ran on different kinds of device.
        starts: whether its runs were found to start as the accepted ones; None where that was not compared.
        settled: what would decide what is `no-evidence`: so many more seeds, or seeds in pairs.
        waiver: the reason it is let pass for; empty if it is not.

    """

    cell: str
    experiment: str
    protocol: str
    metric: str
    outcome: Outcome
    reason: str
    reference: float | None = None
    current: float | None = None
    reference_sd: float | None = None
    current_sd: float | None = None
    n_reference: int = 0
    n_current: int = 0
    worse_by: float | None = None
    interval: Interval | None = None
    p: float | None = None
    run_seeds: tuple[int, ...] = ()
    warns: bool = False
    starts: bool | None = None
    settled: str = ""
    waiver: str = ""

    @property
    def name(self) -> str:
        """`sngan/cifar10-cnn fid-5k fid`."""
        return " ".join(part for part in (self.experiment, self.protocol, self.metric) if part)

    def fails(self, *, strict: bool = False) -> bool:
        """Whether this alone fails the gate; with `strict`, evidence is demanded."""
        failing = self.outcome in FAILING and not self.warns
        return not self.waiver and (failing or (strict and self.outcome == "no-evidence"))


@dataclass(frozen=True)
class Gate:
    """All decisions, and what they come to.

    Attributes:
        decisions: by experiment, protocol and metric.
        expired: waivers past their date, each of which fails the gate, needed or not.
        unused: waivers that let nothing pass.
        strict: whether `no-evidence` fails.

    """

    decisions: tuple[Decision, ...]
    expired: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    strict: bool = False

    @property
    def failures(self) -> tuple[Decision, ...]:
        """What failed."""
        return tuple(d for d in self.decisions if d.fails(strict=self.strict))

    @property
    def failed(self) -> bool:
        """The overall decision."""
        return bool(self.failures or self.expired)

    def as_dict(self) -> dict[str, Any]:
        """JSON types, the overall decision included."""
        return {**dataclasses.asdict(self), "failed": self.failed}
