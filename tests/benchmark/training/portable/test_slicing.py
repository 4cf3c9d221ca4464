"""Sums and products: exact, hence free of order; bounds hold at their edge; accuracy is that of float32."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.training.portable import slicing


def spread(*shape, seed=0, exponents=12):
    """Normal numbers times powers of two, as gradients are spread."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    return torch.ldexp(x, torch.randint(-exponents, 1, shape, generator=generator).float()).float()


@pytest.mark.parametrize("shapes", [((7, 300), (300, 5)), ((5, 300), (300, 70)), ((3, 4, 90), (3, 90, 6))])
def test_a_product_does_not_depend_on_the_order_of_its_terms(shapes):
    a, b = (spread(*shape, seed=i) for i, shape in enumerate(shapes))
    order = torch.randperm(a.shape[-1], generator=torch.Generator().manual_seed(1))
    expected = slicing.product(a, b)
    assert torch.equal(slicing.product(a[..., order], b[..., order, :]), expected)
    terms = [(a[..., k : k + 1].double() @ b[..., k : k + 1, :].double()) for k in range(a.shape[-1])]
    exact = torch.stack(
        [torch.tensor(math.fsum(x)) for x in torch.stack(terms, -1).reshape(-1, len(terms)).tolist()]
    )
    size = torch.stack(terms, -1).abs().sum(-1)
    assert ((expected - exact.view(expected.shape)).abs() <= 2.0**-22 * size.amax()).all()


@pytest.mark.parametrize("terms", [1, 2, 3, 400, 2**12, 2**12 + 1, 2**17, 2**20])
def test_slices_of_the_largest_numbers_add_up_without_rounding(terms):
    single, split = slicing.widths(terms)
    assert single + split + slicing.ceil_log2(terms) <= 53
    largest = math.ldexp(1 - 2.0**-24, 3)
    a = slicing.one_slice(torch.full((2,), largest), single)
    b = slicing.two_slices(torch.full((2,), largest), split, 0)
    for part, unit in zip(b, (split, 2 * split + 1), strict=True):
        units = Fraction(a[0].item()) * Fraction(part[0].item()) * terms / Fraction(2) ** (6 - single - unit)
        assert units.denominator == 1
        assert abs(units) <= 2**53
    assert a[0].item() % 2.0 ** (3 - single) == 0
    assert abs(Fraction(largest) - sum(Fraction(part[0].item()) for part in b)) <= Fraction(2) ** (
        3 - 2 * split - 2
    )


def test_more_terms_than_the_bound_are_refused():
    with pytest.raises(slicing.BoundExceeded, match="terms"):
        slicing.widths(2**20 + 1)
    with pytest.raises(slicing.BoundExceeded, match="52 bits"):
        slicing.one_slice(torch.ones(2), 52)
    with pytest.raises(TypeError, match="float64"):
        slicing.product(torch.ones(2, 2).double(), torch.ones(2, 2))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_a_sum_is_the_same_in_any_order_and_as_exact_as_its_largest_term_allows(values, random):
    expected = slicing.total(torch.tensor(values)).item()
    error = abs(Fraction(expected) - sum(map(Fraction, torch.tensor(values).double().tolist())))
    assert error <= len(values) * Fraction(max(map(abs, values))) * Fraction(1, 2**46)
    random.shuffle(values)
    assert slicing.total(torch.tensor(values)).item() == expected


def test_sums_over_some_dimensions():
    x = spread(4, 5, 6)
    assert torch.allclose(slicing.total(x, [0, -1]), x.double().sum([0, 2]), rtol=0, atol=1e-12)
    assert slicing.total(x, [1], keepdim=True).shape == (4, 1, 6)
    assert slicing.total(torch.ones(0, 3), [0]).tolist() == [0, 0, 0]
    assert slicing.total(torch.tensor(2.5)).item() == 2.5


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_makes_the_result_nan(bad):
    a = torch.ones(3, 4)
    a[1, 2] = bad
    assert slicing.product(a, torch.ones(4, 2)).isnan().all()
    assert slicing.product(torch.ones(2, 3), a).isnan().all()
    assert slicing.total(a).isnan()


def test_zeros_and_subnormal_numbers_are_numbers():
    assert slicing.product(torch.zeros(2, 3), torch.ones(3, 2)).tolist() == [[0, 0], [0, 0]]
    tiny = torch.full((2, 2), 2.0**-149)
    assert slicing.product(tiny, torch.ones(2, 2)).tolist() == [[2.0**-148] * 2] * 2
