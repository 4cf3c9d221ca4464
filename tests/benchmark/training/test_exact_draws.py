"""Numbers from raw bits: exact where they can be, accurate against mpmath, equal on every machine."""

import math
import os
import subprocess
import sys
from collections import Counter
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
from scipy import stats

from benchmark.training import exact_draws

RAW = [0x4DB6A27B756282DF, 0xD944FA03BABE0E2F, 0x27F872E577060D32]
NORMALS = ["-0x1.7df4280000000p+0", "0x1.974f020000000p-2", "-0x1.2de79e0000000p-4", "-0x1.22d3640000000p-1"]
DIGEST = "804cf17e87de4cc1eae151006245ace236ec77151036db44643a5c474b2a205b"
TRIALS = [True, True, True, False, True, True]

DIGEST_CODE = """
import hashlib, numpy as np
from benchmark.training import exact_draws as e
def bits(k): return np.random.Philox(key=k)
parts = [e.normals(bits(1), 50_001), e.normals(bits(2), 999, 0.5, 0.02, np.float64),
         e.uniforms32(bits(3), 999), e.uniforms64(bits(4), 999), e.trials(bits(5), 999, 0.8),
         e.permutation(bits(6), 999), e.classes(bits(7), 999, 10), e.log(e.uniforms64(bits(8), 999) + 1e-9)]
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def bits(key=1):
    return np.random.Philox(key=key)


def test_numbers_are_made_of_the_raw_words():
    """A change here changes every run: new golden values need a reason."""
    assert bits().random_raw(3).tolist() == RAW
    halves = [half for word in RAW for half in (word & 0xFFFFFFFF, word >> 32)]
    assert exact_draws.uniforms32(bits(), 5).tolist() == [(half >> 8) / 2**24 for half in halves[:5]]
    assert exact_draws.uniforms64(bits(), 3).tolist() == [(word >> 11) / 2**53 for word in RAW]
    assert exact_draws.trials(bits(), 6, 0.8).tolist() == [half / 2**32 < 0.8 for half in halves] == TRIALS
    assert exact_draws.classes(bits(), 3, 10).tolist() == [10 * word >> 64 for word in RAW]
    assert exact_draws.permutation(bits(), 3).tolist() == sorted(range(3), key=RAW.__getitem__)
    assert [float(z).hex() for z in exact_draws.normals(bits(), 4)] == NORMALS


def test_normals_are_those_of_box_and_muller():
    with mpmath.workdps(40):
        expected = []
        for word in RAW[:2]:
            radius = mpmath.sqrt(-2 * mpmath.log(((word >> 32) + mpmath.mpf(0.5)) / 2**32))
            turn = 2 * mpmath.pi * ((word & 0xFFFFFFFF) + mpmath.mpf(0.5)) / 2**32
            expected += [float(radius * mpmath.cos(turn)), float(radius * mpmath.sin(turn))]
    drawn = exact_draws.normals(bits(), 4, dtype=np.float64)
    assert drawn.tolist() == pytest.approx(expected, rel=1e-12)
    assert np.array_equal(exact_draws.normals(bits(), 4), drawn.astype(np.float32))


@pytest.mark.parametrize("capabilities", ["all", "baseline"])
def test_bits_do_not_depend_on_the_vector_units_numpy_uses(capabilities):
    found = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    disabled = {"NPY_DISABLE_CPU_FEATURES": " ".join(found)} if capabilities == "baseline" else {}
    command = [sys.executable, "-W", "error", "-c", DIGEST_CODE]
    done = subprocess.run(
        command, env={**os.environ, **disabled}, capture_output=True, text=True, timeout=900, check=True
    )
    assert done.stdout.strip() == DIGEST


EDGES = [
    2.0**-1022,
    2.0**-33,
    1 - 2.0**-33,
    1 - 2.0**-53,
    0.5,
    math.sqrt(0.5),
    math.sqrt(2),
    1.0,
    1 + 2.0**-52,
]


def test_the_logarithm_is_accurate():
    x = np.array(
        [*EDGES, *np.nextafter(EDGES, 0)[1:], *np.nextafter(EDGES, 9), *exact_draws.uniforms64(bits(), 2000)]
    )
    ours = exact_draws.log(x)
    with mpmath.workdps(40):
        for value, logarithm in zip(x.tolist(), ours.tolist(), strict=True):
            assert logarithm == pytest.approx(float(mpmath.log(mpmath.mpf(value))), rel=1e-13, abs=0)


def test_cosine_and_sine_are_accurate_and_hold_at_every_quarter():
    edges = [k * 2**29 + d for k in range(9) for d in (-1, 0, 1) if 0 <= k * 2**29 + d < 2**32]
    position = np.concatenate([np.array(edges, np.uint64), bits().random_raw(2000) >> np.uint64(32)])
    cos, sin = exact_draws.cos_sin_turn(position)
    with mpmath.workdps(40):
        for p, c, s in zip(position.tolist(), cos.tolist(), sin.tolist(), strict=True):
            turn = 2 * mpmath.pi * (p + mpmath.mpf(0.5)) / 2**32
            assert abs(c - mpmath.cos(turn)) < 1e-13
            assert abs(s - mpmath.sin(turn)) < 1e-13


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=33))
def test_numpy_rounds_square_roots_correctly(values):
    for value, root in zip(values, np.sqrt(np.array(values)).tolist(), strict=True):
        below, above = (Fraction(root) + Fraction(math.nextafter(root, to)) for to in (0.0, math.inf))
        assert (below / 2) ** 2 <= Fraction(value) <= (above / 2) ** 2
        assert root == math.sqrt(value)


def test_normals_have_the_distribution_of_their_name():
    z = exact_draws.normals(bits(3), 400_000, dtype=np.float64)
    assert stats.kstest(z, "norm").pvalue > 1e-4
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 5 * math.sqrt(variance / len(z))
    pairs = z.reshape(-1, 2)
    for power in (1, 2):
        assert abs(np.corrcoef((pairs**power).T)[0, 1]) < 5 / math.sqrt(len(pairs))


def test_mean_and_standard_deviation_are_applied_before_the_only_rounding():
    z = exact_draws.normals(bits(), 99, dtype=np.float64)
    assert np.array_equal(exact_draws.normals(bits(), 99, 1.0, 0.02), (z * 0.02 + 1.0).astype(np.float32))


@pytest.mark.parametrize("n", [0, 1, 2, 33, 32_768, 32_769, 70_001])
def test_fewer_numbers_are_the_first_of_more(n):
    many = exact_draws.normals(bits(), 80_000)
    assert np.array_equal(exact_draws.normals(bits(), n), many[:n])
    assert np.array_equal(exact_draws.uniforms32(bits(), n), exact_draws.uniforms32(bits(), 80_000)[:n])
    assert np.array_equal(exact_draws.trials(bits(), n, 0.3), exact_draws.trials(bits(), 80_000, 0.3)[:n])


@pytest.mark.parametrize("probability", [0.0, 2**-10, 0.5, 0.8, 1.0])
def test_trials_succeed_with_their_probability(probability):
    share = exact_draws.trials(bits(), 200_000, probability).mean()
    assert abs(share - probability) <= 5 * math.sqrt(probability * (1 - probability) / 200_000)


def test_every_order_of_a_permutation_is_as_likely():
    stream = bits()
    seen = Counter(tuple(exact_draws.permutation(stream, 3).tolist()) for _ in range(6000))
    assert len(seen) == 6
    assert stats.chisquare(list(seen.values())).pvalue > 1e-4
