"""Crops and resizes: closed forms, and torchvision's transforms on awkward sizes."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmark.data import pixels


def test_shrinking_by_two_keeps_a_ramp():
    """A triangle filter is symmetric: the mean of a linear ramp's window is its centre, 2x + 1/2."""
    ramp = np.tile(np.arange(0, 192, 2, dtype=np.uint8), (96, 1))
    small = pixels.array(pixels.resized(Image.fromarray(ramp), 48, 48))[0]
    assert np.array_equal(small[:, 1:-1], np.tile(4 * np.arange(1, 47) + 1, (48, 1)))


@pytest.mark.parametrize("size", [(96, 96), (218, 178), (67, 501)])
def test_constant_pictures_stay_constant(size):
    flat = Image.fromarray(np.full((*size, 3), (3, 200, 255), np.uint8))
    for image in (pixels.resized(flat, 48, 48), pixels.shorter_side_then_middle(flat, 48)):
        assert np.array_equal(pixels.array(image), np.broadcast_to([[[3]], [[200]], [[255]]], (3, 48, 48)))


def test_box_cuts_before_it_resizes():
    image = np.zeros((218, 178, 3), np.uint8)
    image[40:178, 30:168] = 255
    inside = pixels.box_then_size(Image.fromarray(image), (30, 40, 168, 178), 64)
    assert pixels.array(inside).min() == 255
    image = 255 - image
    assert pixels.array(pixels.box_then_size(Image.fromarray(image), (30, 40, 168, 178), 64)).max() == 0
    with pytest.raises(pixels.BrokenImage, match="too small"):
        pixels.box_then_size(Image.fromarray(image), (30, 40, 179, 178), 64)


def test_middle_of_an_exact_size_is_the_slice():
    image = np.random.default_rng(0).integers(0, 256, (64, 100, 3), dtype=np.uint8)
    middle = pixels.array(pixels.shorter_side_then_middle(Image.fromarray(image), 64))
    assert np.array_equal(middle, image[:, 18:82].transpose(2, 0, 1))


@pytest.mark.parametrize("size", [(64, 64), (65, 67), (341, 256), (256, 333), (33, 900), (40, 30)])
@pytest.mark.parametrize("to", [32, 64])
def test_shorter_side_then_middle_is_torchvisions(size, to):
    from benchmark.evaluation.torchvision_ops import import_torchvision

    import_torchvision()
    transforms = pytest.importorskip("torchvision.transforms")
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8))
    expected = transforms.Compose([transforms.Resize(to), transforms.CenterCrop(to)])(image)
    assert np.array_equal(np.asarray(pixels.shorter_side_then_middle(image, to)), np.asarray(expected))


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000)])
def test_a_thin_picture_is_not_enlarged_without_bound(size, monkeypatch):
    monkeypatch.setattr(pixels, "resized", None)  # never called: it would take 1.3 GB
    with pytest.raises(pixels.BrokenImage, match="too thin to resize the shorter side to 256"):
        pixels.shorter_side_then_middle(Image.new("L", size), 256)


def test_as_many_pixels_as_are_decoded_are_resized_to(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8 * 24)
    assert pixels.shorter_side_then_middle(Image.new("L", (3, 1)), 8).size == (8, 8)
    with pytest.raises(pixels.BrokenImage, match="3 x 1 pixels, too thin"):
        pixels.shorter_side_then_middle(Image.new("L", (3, 1)), 9)


def test_modes_become_grey_or_rgb(picture):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(pixels.array(pixels.decode(picture(grey))), grey[None])
    alpha = np.dstack([grey, grey, grey, 255 - grey])
    assert np.array_equal(pixels.array(pixels.decode(picture(alpha))), np.stack([grey] * 3))


def test_what_is_no_picture_of_eight_bits_is_called_broken(picture):
    whole = picture(np.random.default_rng(2).integers(0, 256, (40, 40, 3), dtype=np.uint8), "JPEG")
    for content in (b"", b"hello", whole[: len(whole) // 2]):
        with pytest.raises(pixels.BrokenImage):
            pixels.decode(content)
    with pytest.raises(pixels.BrokenImage, match="more than 8 bits"):
        pixels.decode(picture(np.full((4, 4), 40_000, np.uint16)))


def test_absurdly_large_pictures_are_called_broken(picture, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(pixels.BrokenImage, match="exceeds limit"):
        pixels.decode(picture(np.zeros((40, 40), np.uint8)))


def jpeg2000(bits):
    content = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(content, "JPEG2000")
    head, marker, rest = content.getvalue().partition(b"\xff\x4f\xff\x51")
    return head + marker + rest[:38] + bytes([bits - 1]) + rest[39:]


@pytest.mark.parametrize(
    "content",
    [b"P6 2 2 65535\n" + bytes(24), b"P3 2 2 256\n" + b"1 " * 12, jpeg2000(16), jpeg2000(12)],
)
def test_more_than_8_bits_are_told_whatever_the_format(content):
    with pytest.raises(pixels.BrokenImage, match="more than 8 bits"):
        pixels.decode(content)


def test_8_bits_and_fewer_are_read():
    assert pixels.decode(jpeg2000(8)).size == (8, 8)
    assert pixels.decode(b"P6 2 2 15\n" + bytes(12)).getextrema() == ((0, 0),) * 3
    assert pixels.decode(b"P4 8 1\n\xf0").getextrema() == (0, 255)
