"""Do losses tell how good samples are? Figures 3 and 4 of Arjovsky et al. 2017 (WGAN), from a record's curve.

    Wasserstein estimate    Ŵ = E f(x) − E f(G(z)) = −(critic loss)                            Figure 3
    JS lower bound          ½·(E log D(x) + E log(1 − D(G(z)))) + log 2 ≤ JSD(P_r, P_g)        Figure 4

The paper claims that the first falls as samples improve, and that the second, of GANs with the −log D trick,
does not: it stays near log 2 = .69, its largest value, or rises. As a number: the rank correlation with FID
over the evaluation points. The scale of Ŵ depends on the critic: it compares runs of one critic only (§4.2).

A curve is `record["curve"]` (results/README.md): its losses are those of the last G-iteration before each
evaluation. The paper's median filter runs over every G-iteration; here it runs over evaluation points.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FILTER_WIDTH = 101
"""Points under the median filter of the paper's curves (README of the released code)."""


class Line(NamedTuple):
    """Values at G-iterations, both of one length."""

    gen_iters: tuple[int, ...]
    values: tuple[float, ...]


def wasserstein_estimate(curve: Sequence[Mapping[str, Any]]) -> Line:
    """Ŵ = −(critic loss) at the evaluation points that have one; for Wasserstein losses only (Figure 3).

    The critic loss must not contain a penalty; the one recorded under ``critic`` does not (of
    `wgan_gp`, the penalty is a loss of its own). Ŵ should be ≥ 0; it is not where the critic is poor.
    """
    at, losses = critic_loss(curve)
    return Line(at, tuple(-loss for loss in losses))


def js_lower_bound(curve: Sequence[Mapping[str, Any]], critic_loss_scale: float = 1.0) -> Line:
    """½·L + log 2 for L = −(critic loss)/scale, at most log 2 (Figure 4); for cross-entropy losses only.

    Args:
        curve: of a record.
        critic_loss_scale: what the critic's loss is times −log D(x) − log(1 − D(G(z))): 1 for the sum of
            both cross-entropies, .5 for their mean (the setting of that name; .5 for `gan`).

    Raises:
        ValueError: the scale is not positive.

    """
    if not critic_loss_scale > 0:
        raise ValueError(f"the scale of the critic's loss must be positive, not {critic_loss_scale}")
    at, losses = critic_loss(curve)
    return Line(at, tuple(math.log(2) - loss / critic_loss_scale / 2 for loss in losses))


def critic_loss(curve: Sequence[Mapping[str, Any]]) -> Line:
    """The critic's loss, without evaluation points before training or where it is not finite."""
    return _line(curve, lambda point: (point["losses"] or {}).get("critic"))


def score(curve: Sequence[Mapping[str, Any]], protocol: str, metric: str = "fid") -> Line:
    """A score of the generator, without evaluation points that do not have it."""
    return _line(curve, lambda point: point["scores"].get(protocol, {}).get(metric))


def median_filtered(values: Sequence[float], width: int = FILTER_WIDTH) -> list[float]:
    """Each value replaced by the median of those at most (width − 1)/2 places away; as many values as given.

    Towards the ends the window is cut off, not padded: the first value is the median of the first
    (width + 1)/2. The median of an even number is the mean of the middle two.

    Raises:
        ValueError: the width is even or below 1.

    """
    if width < 1 or width % 2 == 0:
        raise ValueError(f"the width of a median filter must be odd and positive, not {width}")
    reach = width // 2
    return [float(np.median(values[max(0, i - reach) : i + reach + 1])) for i in range(len(values))]


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Spearman's ρ in −1..1: Pearson's r of the ranks, equal values sharing their mean rank.

    None where it is not defined: with fewer than two pairs, or where one side is constant.

    Raises:
        ValueError: the lengths differ, or a value is not finite.

    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} values cannot be paired with {len(b)}")
    if not all(map(math.isfinite, (*a, *b))):
        raise ValueError("a value without a rank: NaN or infinity")
    if len(a) < 2:
        return None
    x, y = (ranks - ranks.mean() for ranks in (_ranks(a), _ranks(b)))
    spread = math.sqrt(float(x @ x) * float(y @ y))
    return max(-1.0, min(1.0, float(x @ y) / spread)) if spread else None


class Agreement(NamedTuple):
    """Spearman's ρ between two lines, None where not defined, over `n` common evaluation points."""

    rho: float | None
    n: int


def agreement(loss: Line, quality: Line) -> Agreement:
    """Rank correlation of a loss with a score over the evaluation points that have both.

    With FID, which falls as samples improve, the paper's claim is ρ near 1 for `wasserstein_estimate`, and
    ρ near or below 0 for `js_lower_bound`. A filtered line: `Line(at, tuple(median_filtered(values)))`.
    """
    known = dict(zip(*quality, strict=True))
    pairs = [(x, known[k]) for k, x in zip(*loss, strict=True) if k in known]
    return Agreement(rank_correlation([x for x, _ in pairs], [y for _, y in pairs]), len(pairs))


def _line(curve: Sequence[Mapping[str, Any]], value: Callable[[Mapping[str, Any]], float | None]) -> Line:
    found = [(point["gen_iters"], x) for point in curve if (x := value(point)) is not None]
    return Line(tuple(k for k, _ in found), tuple(x for _, x in found))


def _ranks(values: Sequence[float]) -> np.ndarray:
    """Mean rank of each value, from 1."""
    array = np.asarray(values, dtype=np.float64)
    below = (array[None] < array[:, None]).sum(1)
    equal = (array[None] == array[:, None]).sum(1)
    ranks: np.ndarray = below + (equal + 1) / 2
    return ranks
