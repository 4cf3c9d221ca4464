"""Random numbers whose bits depend on the key alone, not on CPU, operating system or library version.

NumPy promises the raw integers of a bit generator; its distributions may change with a version, and normals
that call a maths library change with the machine. Here a distribution is integer arithmetic and IEEE 754
additions, products, quotients and square roots, one ufunc each, so that no compiler can fuse two of them.
Each call takes whole 64-bit words from the stream.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Bits = np.random.Philox
"""A stream: the counter-based generator Philox 4×64-10 under one key."""
Floats = np.ndarray[Any, np.dtype[np.float64]]
Words = np.ndarray[Any, np.dtype[np.uint64]]

_BLOCK = 16384
"""Words at a time for normals, few enough for the cache. Changes no number."""
_SQRT_HALF = np.uint64(0x3FE6A09E667F3BCD)
"""Bits of the float64 nearest to √½."""
_ONE = np.uint64(0x3FF0000000000000)
_MANTISSA = np.uint64((1 << 52) - 1)
_LOG = [2 / (2 * i + 1) for i in range(8)]
"""log m = 2 artanh s = Σ 2 s²ⁱ⁺¹/(2i+1) with s = (m − 1)/(m + 1), |s| < .172; cut where 4e-14 is left."""
_COS = [(-1) ** i / math.factorial(2 * i) for i in range(8)]
_SIN = [(-1) ** i / math.factorial(2 * i + 1) for i in range(7)]
"""Taylor at 0 for |angle| ≤ π/4; cut where less than 3e-14 is left."""


def uniforms32(bits: Bits, n: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Float32 [n] in [0, 1), multiples of 2^-24; two from a word, the low half first."""
    return (_halves(bits, n) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def uniforms64(bits: Bits, n: int) -> Floats:
    """Float64 [n] in [0, 1), multiples of 2^-53; one from a word."""
    return (bits.random_raw(n) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def classes(bits: Bits, n: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Integers in 0 … count−1, int64 [n], by truncation of uniform numbers."""
    return (uniforms64(bits, n) * count).astype(np.int64)


def permutation(bits: Bits, n: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """0 … n−1 in random order, int64 [n]: the order of n words, of equal ones the first before."""
    return np.argsort(bits.random_raw(n), kind="stable")


def trials(bits: Bits, n: int, probability: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Booleans [n], True with this probability (0..1) rounded to a multiple of 2^-32; two from a word."""
    threshold = round(probability * 2**32)
    halves = _halves(bits, n)
    return halves < np.uint32(threshold) if threshold < 2**32 else np.ones(n, dtype=np.bool_)


def normals(
    bits: Bits, n: int, mean: float = 0.0, std: float = 1.0, dtype: type[np.floating[Any]] = np.float32
) -> np.ndarray[Any, Any]:
    """N(mean, std²), [n], computed in float64 and rounded once to `dtype`; two from a word.

    By Box and Muller: of a word, the high half gives the radius √(−2 log u), u = (high + ½)/2^32, and the
    low half the angle (low + ½)/2^32 of a turn. Standard ones lie within ±6.8.
    """
    out = np.empty(n + n % 2, dtype)
    for start in range(0, n, 2 * _BLOCK):
        part = out[start : start + 2 * _BLOCK]
        word = bits.random_raw(len(part) // 2)
        radius = log(((word >> np.uint64(32)).astype(np.float64) + 0.5) * 2.0**-32)
        radius *= -2.0
        np.sqrt(radius, out=radius)
        for offset, unit in enumerate(cos_sin_turn(word & np.uint64(0xFFFFFFFF))):
            unit *= radius
            unit *= std
            unit += mean
            part[offset::2] = unit
    return out[:n]


def log(x: Floats) -> Floats:
    """Natural logarithm of positive normal float64 numbers, to 1e-13 of its value.

    x = m·2ᵉ with √½ ≤ m < √2, log x = e log 2 + log m.
    """
    shifted = x.view(np.uint64) + (_ONE - _SQRT_HALF)
    exponent = (shifted >> np.uint64(52)).astype(np.float64) - 1023.0
    m = ((shifted & _MANTISSA) + _SQRT_HALF).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    y = _horner(s * s, _LOG)
    y *= s
    exponent *= 0.6931471805599453
    y += exponent
    return y


def cos_sin_turn(position: Words) -> tuple[Floats, Floats]:
    """Cosine and sine of (position + ½)/2^32 of a turn, position in 0 … 2^32−1; to 1e-13.

    The nearest quarter turn is taken off in integers; what is left is below an eighth.
    """
    quarter = (position + np.uint64(1 << 29)) >> np.uint64(30)
    rest = position.view(np.int64) - (quarter << np.uint64(30)).view(np.int64)
    angle = (rest.astype(np.float64) + 0.5) * (math.pi * 2.0**-31)
    square = angle * angle
    cos, sin = _horner(square, _COS), _horner(square, _SIN)
    sin *= angle
    is_odd = (quarter & np.uint64(1)).astype(np.bool_)
    x, y = np.where(is_odd, sin, cos), np.where(is_odd, cos, sin)
    # After one and two quarters cos is negative, after two and three sin is.
    for value, turned in ((x, quarter + np.uint64(1)), (y, quarter)):
        sign = value.view(np.uint64)
        sign ^= ((turned >> np.uint64(1)) & np.uint64(1)) << np.uint64(63)
    return x, y


def _horner(x: Floats, coefficients: list[float]) -> Floats:
    y = x * coefficients[-1]
    for coefficient in coefficients[-2:0:-1]:
        y += coefficient
        y *= x
    y += coefficients[0]
    return y


def _halves(bits: Bits, n: int) -> np.ndarray[Any, np.dtype[np.uint32]]:
    words = bits.random_raw((n + 1) // 2).astype("<u8", copy=False)
    return words.view("<u4")[:n].astype(np.uint32, copy=False)
