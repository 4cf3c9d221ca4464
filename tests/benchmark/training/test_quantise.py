"""Golden values of the quantiser: the mapping, its ties, its edges, and what it must not hide."""

import pytest
import torch

from benchmark.training.quantise import NonFiniteImages, to_uint8


def quantise(values, low=-1.0, high=1.0, dtype=torch.float32):
    return to_uint8(torch.tensor(values, dtype=dtype), low, high).tolist()


def test_ends_and_middle():
    assert quantise([-1.0, 1.0]) == [0, 255]
    assert quantise([0.0, 1.0], low=0.0) == [0, 255]
    # 127.5 is a tie between 127 and 128; ties go to the even level.
    assert quantise([0.0]) == [128]


def test_every_level_comes_back():
    levels = torch.arange(256)
    assert to_uint8(levels / 255.0, 0.0, 1.0).tolist() == levels.tolist()
    assert to_uint8(levels / 127.5 - 1.0, -1.0, 1.0).tolist() == levels.tolist()


def test_rounds_to_nearest_instead_of_truncating():
    assert quantise([0.4 / 255, 0.6 / 255, 254.4 / 255, 254.6 / 255], low=0.0) == [0, 1, 254, 255]


def test_ties_go_to_the_even_level():
    # The range 0..255 makes the scale exactly 1, so these are ties without rounding error.
    assert quantise([0.5, 1.5, 2.5, 253.5, 254.5], low=0.0, high=255.0) == [0, 2, 2, 254, 254]
    assert quantise([0.5 / 255], low=0.0, dtype=torch.float64) == [0]


def test_overshoot_is_clamped_instead_of_wrapping():
    assert quantise([-1.01, 1.01, -1e30, 1e30]) == [0, 255, 0, 255]


def test_half_precision_is_computed_in_single():
    values = torch.linspace(-1, 1, 1001).half()
    assert torch.equal(to_uint8(values, -1, 1), to_uint8(values.float(), -1, 1))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_non_finite_is_refused(bad):
    with pytest.raises(NonFiniteImages, match="1 of 3"):
        quantise([0.0, bad, 0.5])


def test_input_is_left_alone():
    images = torch.tensor([-2.0, 0.3])
    to_uint8(images, -1, 1)
    assert images.tolist() == pytest.approx([-2.0, 0.3])


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="floating-point"):
        to_uint8(torch.zeros(1, dtype=torch.uint8), 0, 1)
    with pytest.raises(ValueError, match="empty"):
        to_uint8(torch.zeros(1), 1, 1)
