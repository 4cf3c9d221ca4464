"""Elementary functions against mpmath, and where IEEE puts NaN and infinities."""

import math

import mpmath
import numpy as np
import pytest
import torch

from benchmark.training.portable import functions

POINTS = np.concatenate(
    [
        np.linspace(-30, 30, 301),
        np.geomspace(1e-30, 600, 200),
        -np.geomspace(1e-30, 600, 200),
        [1 / 3, 1.0, 2.0],
    ]
)


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


CASES = {
    "exp": (functions.exp, mpmath.exp, POINTS),
    "log": (functions.log, mpmath.log, np.geomspace(1e-300, 1e300, 999)),
    "log1p_unit": (functions.log1p_unit, mpmath.log1p, np.linspace(1e-9, 1, 300)),
    "sigmoid": (functions.sigmoid, sigmoid, POINTS),
    "softplus": (functions.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), POINTS),
    "tanh": (functions.tanh, mpmath.tanh, POINTS),
    "cos + 2": (lambda x: functions.cos(x) + 2, lambda x: mpmath.cos(x) + 2, POINTS * 100),
    "sin + 2": (lambda x: functions.sin(x) + 2, lambda x: mpmath.sin(x) + 2, POINTS * 100),
    "sqrt": (functions.sqrt, mpmath.sqrt, np.geomspace(1e-300, 1e300, 999)),
}


@pytest.mark.parametrize("name", CASES)
def test_relative_error_is_far_below_half_a_unit_of_float32(name):
    function, exact, points = CASES[name]
    found = function(torch.from_numpy(points)).tolist()
    with mpmath.workdps(40):
        for x, y in zip(points.tolist(), found, strict=True):
            true = exact(mpmath.mpf(x))
            assert abs(y - true) <= 2.0 ** (-53 if name == "sqrt" else -39) * abs(true), x


@pytest.mark.parametrize(
    ("function", "at"),
    [
        (functions.exp, {math.nan: math.nan}),
        (functions.log, {math.inf: math.inf, 0.0: -math.inf, -1.0: math.nan, math.nan: math.nan, 1.0: 0.0}),
        (functions.cos, {0.0: 1.0, math.inf: math.nan, math.nan: math.nan}),
        (functions.sin, {0.0: 0.0, -math.inf: math.nan, math.nan: math.nan}),
        (functions.sigmoid, {math.inf: 1.0, math.nan: math.nan}),
        (functions.softplus, {math.inf: math.inf, math.nan: math.nan}),
        (functions.tanh, {math.inf: 1.0, -math.inf: -1.0, math.nan: math.nan, 0.0: 0.0}),
        (functions.sqrt, {math.inf: math.inf, 0.0: 0.0, -1.0: math.nan, math.nan: math.nan, 4.0: 2.0}),
    ],
)
def test_special_values(function, at):
    found = function(torch.tensor(list(at)).double())
    assert torch.equal(found.nan_to_num(7.5), torch.tensor(list(at.values())).double().nan_to_num(7.5))


def test_float32_overflows_and_underflows_as_it_should():
    x = torch.tensor([math.inf, 100.0, 88.0, -88.0, -110.0, -math.inf]).double()
    assert functions.exp(x).float().tolist() == [
        math.inf,
        math.inf,
        *np.exp(x[2:4].numpy()).astype(np.float32),
        0,
        0,
    ]


def test_roots_of_float32_are_rounded_correctly():
    x = torch.from_numpy(
        np.random.default_rng(0).integers(1, 0x7F800000, 20_000, dtype=np.int32).view(np.float32)
    )
    for value, root in zip(x.tolist(), functions.sqrt(x).tolist(), strict=True):
        below, above = (float(np.nextafter(np.float32(root), np.float32(to))) for to in (0, math.inf))
        with mpmath.workdps(50):
            true = mpmath.sqrt(mpmath.mpf(value))
            assert abs(root - true) <= min(abs(below - true), abs(above - true))


@pytest.mark.parametrize(("x", "n"), [(0.9, 1), (0.999, 1000), (0.5, 3), (0.0, 5)])
def test_whole_powers(x, n):
    assert functions.power(x, n) == pytest.approx(x**n, rel=1e-13)
