"""exp, log, tanh and their like from single IEEE operations in float64; roots that are the same everywhere.

Torch takes them from the maths library or the SIMD level of the machine, and its square root on x86 from
MKL, which does not round correctly; NumPy's is the processor's, which does. All but `sqrt` are of float64.
Errors are below 2^-39 relative, far below half a unit of float32; NaN and infinities go where IEEE puts them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

_LN2_HIGH, _LN2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
"""ln 2 in two parts, the first of 33 bits, as fdlibm's e_exp.c has them."""
_EXP = [1.0 / math.factorial(i) for i in range(12)]
_ARTANH = [1.0 / (2 * i + 1) for i in range(12)]
"""artanh s = s·Σ s²ⁱ/(2i+1); |s| < .172 of the logarithm leaves 2^-60, |s| ≤ 1/3 of `log1p_unit` 2^-40."""
_LARGEST_EXP = 708.0
_HALF_PI_HIGH, _HALF_PI_LOW = 1.57079632673412561417, 6.07710050650619224932e-11
"""π/2 in two parts, the first of 33 bits, as fdlibm's e_rem_pio2.c has them."""
_COS = [(-1) ** i / math.factorial(2 * i) for i in range(9)]
_SIN = [(-1) ** i / math.factorial(2 * i + 1) for i in range(9)]


def horner(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Σ coefficient·xⁱ, from multiplications and additions that are rounded one by one."""
    y = torch.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        y.mul_(x).add_(c)
    return y


def over(x: Tensor, n: float) -> Tensor:
    """Quotient x / n, rounded once: CUDA multiplies by the reciprocal of a plain number."""
    return x / torch.full((), n, dtype=x.dtype, device=x.device)


def exp(x: Tensor) -> Tensor:
    """e^x; beyond ±708, which no float32 result needs, that of ±708."""
    x = x.clamp(-_LARGEST_EXP, _LARGEST_EXP)
    n = (x * 1.4426950408889634).round_()
    r = (x - n * _LN2_HIGH).sub_(n * _LN2_LOW)
    return horner(r, _EXP).mul_(_power_of_two(n))


def log(x: Tensor) -> Tensor:
    """Natural logarithm of numbers that are not subnormal in float64."""
    m, e = torch.frexp(x)
    low = m < math.sqrt(0.5)
    m, e = torch.where(low, m * 2.0, m), (e - low.to(e.dtype)).double()
    s = (m - 1.0).div_(m + 1.0)
    y = horner(s * s, _ARTANH).mul_(s * 2.0).add_(e * 0.6931471805599453)
    y = torch.where(x == math.inf, x, torch.where(x == 0, -math.inf, y))
    return torch.where(x < 0, math.nan, y)


def log1p_unit(t: Tensor) -> Tensor:
    """log(1 + t) for 0 ≤ t ≤ 1, as 2·artanh(t / (2 + t))."""
    s = t / (t + 2.0)
    return horner(s * s, _ARTANH).mul_(s * 2.0)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + e^-x)."""
    e = exp(x.abs().neg_())
    return torch.where(x < 0, e, 1.0).div_(e + 1.0)


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x)."""
    return log1p_unit(exp(x.abs().neg_())).add_(x.clamp(min=0.0))


def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent; below 2^-10 its series, where 1 − e^-2x would lose digits."""
    e = exp(x.abs().mul_(-2.0))
    y = torch.copysign((1.0 - e).div_(e + 1.0), x)
    x2 = x * x
    series = x * (1.0 - x2 * (1.0 / 3.0) + x2 * x2 * (2.0 / 15.0))
    return torch.where(x.abs() < 2.0**-10, series, y)


def cos(x: Tensor) -> Tensor:
    """Cosine; absolute error below 2^-39 for |x| up to 2^20."""
    return _cos_of_quarters(x, 0)


def sin(x: Tensor) -> Tensor:
    """Sine, as accurate."""
    return _cos_of_quarters(x, 3)


def _cos_of_quarters(x: Tensor, turns: int) -> Tensor:
    """Give cos(x + turns·π/2), by the nearest quarter turn and Taylor's series for the rest."""
    n = (x * (2.0 / math.pi)).round_()
    r = (x - n * _HALF_PI_HIGH).sub_(n * _HALF_PI_LOW)
    squared = r * r
    c, s = horner(squared, _COS), horner(squared, _SIN).mul_(r)
    quarter = (n.nan_to_num(0.0, 0.0, 0.0).to(torch.int64) + turns) & 3
    return torch.where(quarter == 0, c, torch.where(quarter == 1, -s, torch.where(quarter == 2, -c, s)))


def sqrt(x: Tensor) -> Tensor:
    """Correctly rounded root, in the precision of x."""
    if x.device.type != "cpu":
        return x.sqrt()
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(np.sqrt(np.atleast_1d(x.detach().numpy()))).view(x.shape)


def power(x: float, n: int) -> float:
    """x^n by IEEE products; the maths library's `pow` may differ."""
    y = 1.0
    for bit in f"{n:b}":
        y = y * y * (x if bit == "1" else 1.0)
    return y


def _power_of_two(n: Tensor) -> Tensor:
    """2^n, |n| ≤ 1022, from the exponent's bits."""
    return ((n.to(torch.int64) + 1023) << 52).view(torch.float64)
