"""Do losses tell how good samples are? Figures 3 and 4 of Arjovsky et al. 2017 (WGAN), from a run's losses.

    Wasserstein estimate    Ŵ = E f(x) − E f(G(z)) = −(critic loss)                            Figure 3
    JS lower bound          ½·(E log D(x) + E log(1 − D(G(z)))) + log 2 ≤ JSD(P_r, P_g)        Figure 4

The paper claims that the first falls as samples improve, and that the second, of GANs with the −log D trick,
does not: it stays near log 2 = .69, its largest value, or rises. As a number: the rank correlation with FID
over the evaluation points. The scale of Ŵ depends on the critic: it compares runs of one critic only (§4.2).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from baselines.critic_losses import CriticLoss

FILTER_WIDTH = 101
"""G-iterations under the median filter of the paper's curves (README of the released code)."""

Quantity = Literal["Wasserstein estimate", "JS lower bound", "critic loss"]


class Line(NamedTuple):
    """Values [K] at G-iterations [K], counted from 1."""

    gen_iters: np.ndarray
    values: np.ndarray


def quantity(kind: CriticLoss | None) -> Quantity:
    """What the paper draws of such a loss; the loss itself where it draws none, as of a hinge."""
    if kind and kind.kind == "wasserstein":
        return "Wasserstein estimate"
    return "JS lower bound" if kind and kind.kind == "cross-entropy" else "critic loss"


def line(columns: Mapping[str, np.ndarray], kind: CriticLoss | None) -> Line:
    """The `quantity` at every G-iteration, from the critic's losses in float64; without those not finite.

    Args:
        columns: of `losses.safetensors`: float32 [K] per loss.
        kind: what the loss named ``critic`` is.

    Raises:
        KeyError: there is no such loss.

    """
    losses = columns["critic"].astype(np.float64)
    if kind and kind.kind == "wasserstein":
        losses = wasserstein_estimate(losses)
    elif kind and kind.kind == "cross-entropy":
        losses = js_lower_bound(losses, kind.scale)
    finite = np.isfinite(losses)
    return Line(np.flatnonzero(finite) + 1, losses[finite])


def wasserstein_estimate(losses: np.ndarray) -> np.ndarray:
    """Ŵ = −(critic loss), of Wasserstein losses without a penalty (Figure 3).

    It should be ≥ 0; it is not where the critic is poor.
    """
    return -losses


def js_lower_bound(losses: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """½·L + log 2 for L = −(critic loss)/scale, at most log 2 (Figure 4); of cross-entropy losses only.

    Args:
        losses: the critic's.
        scale: what they are times −log D(x) − log(1 − D(G(z))): 1 for the sum of both cross-entropies, .5
            for their mean.

    Raises:
        ValueError: the scale is not positive.

    """
    if not scale > 0:
        raise ValueError(f"the scale of the critic's loss must be positive, not {scale}")
    return math.log(2) - losses / scale / 2


def filtered(curve: Line, width: int = FILTER_WIDTH) -> Line:
    """The line under a median filter; raises like `median_filtered`."""
    return Line(curve.gen_iters, median_filtered(curve.values, width))


def median_filtered(values: np.ndarray, width: int = FILTER_WIDTH) -> np.ndarray:
    """Each value replaced by the median of those at most (width − 1)/2 places away; as many values as given.

    Towards the ends the window is cut off, not padded: the first value is the median of the first
    (width + 1)/2. The median of an even number is the mean of the middle two.

    Raises:
        ValueError: the width is even or below 1.

    """
    from scipy.ndimage import median_filter

    if width < 1 or width % 2 == 0:
        raise ValueError(f"the width of a median filter must be odd and positive, not {width}")
    n, reach = len(values), width // 2
    out = np.asarray(median_filter(values, size=width), dtype=np.float64) if n else values.astype(np.float64)
    for i in {*range(min(reach, n)), *range(max(0, n - reach), n)}:
        out[i] = np.median(values[max(0, i - reach) : i + reach + 1])
    return out


def score(curve: Sequence[Mapping[str, Any]], protocol: str, metric: str = "fid") -> Line:
    """A score of the generator over a record's evaluation points, without those that do not have it."""
    found = [
        (point["gen_iters"], x)
        for point in curve
        if (x := point["scores"].get(protocol, {}).get(metric)) is not None
    ]
    return Line(np.array([k for k, _ in found], dtype=np.int64), np.array([x for _, x in found], dtype=float))


def rank_correlation(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float | None:
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
    """Rank correlation of a loss with a score over the G-iterations that have both.

    With FID, which falls as samples improve, the paper's claim is ρ near 1 for the Wasserstein estimate, and
    ρ near or below 0 for the JS bound.
    """
    _, mine, theirs = np.intersect1d(loss.gen_iters, quality.gen_iters, return_indices=True)
    return Agreement(rank_correlation(loss.values[mine], quality.values[theirs]), len(mine))


def thinned(curve: Line, most: int) -> Line:
    """At most `most` of its points, evenly spaced, the last among them: for drawing."""
    n = len(curve.values)
    if n <= most:
        return curve
    kept = np.unique(np.linspace(0, n - 1, most).round().astype(np.int64))
    return Line(curve.gen_iters[kept], curve.values[kept])


def _ranks(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Mean rank of each value, from 1."""
    array = np.asarray(values, dtype=np.float64)
    below = (array[None] < array[:, None]).sum(1)
    equal = (array[None] == array[:, None]).sum(1)
    ranks: np.ndarray = below + (equal + 1) / 2
    return ranks
