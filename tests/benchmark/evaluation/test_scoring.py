"""What a score depends on is told, or refused where a protocol does not say it."""

import numpy as np
import pytest
import torch

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import protocols, samples, scoring
from benchmark.evaluation.protocols import replace
from benchmark.evaluation.ranges import Watch
from benchmark.evaluation.source import Source
from benchmark.training.quantise import Generated

SMALL = replace(protocols.get("digits-2k"), name="small", n_generated=30, n_reference=40)
OWN_SIZE = replace(SMALL, name="own", extractor="inception-2015", image_size=0, weights_digest="0" * 64)


def digits(n=30, size=28, channels=1):
    images = data.load("digits", "train")[:n]
    images = torch.nn.functional.interpolate(images.float(), size=size, mode="bilinear").round().byte()
    images[:, :, 0, 0] ^= 1  # no copies of those that they are compared with
    return images.expand(-1, channels, -1, -1).contiguous()


def scored(images, *chosen, **changes):
    notes = []
    source = images if isinstance(images, Source) else samples.of_array(images, None, "it")
    source = replace(source, **changes)
    return scoring.scores_of_images(chosen or (SMALL,), source, "digits", "cpu", notes.append), notes


def test_equal_channels_are_grey():
    expected, notes = scored(digits())
    assert notes == []
    assert scored(digits(channels=3))[0] == expected
    generated = Generated(digits(channels=3), outputs=digits(channels=3) / 255)
    source = Source(lambda n: iter([generated]), {}, "it")
    assert scored(source)[0]["small"]["fid"] == pytest.approx(expected["small"]["fid"], rel=1e-5)


@pytest.mark.parametrize("split", ["train", "held-out"])
def test_images_of_the_data_set_itself_are_told(split):
    images = digits()
    images[:7] = data.load("digits", split)[:7]
    assert scored(images)[1] == ["it: 7 of the 30 images that were scored are images of 'digits' itself"]


def test_a_data_set_too_large_to_be_looked_through_is_not(monkeypatch):
    monkeypatch.setattr(scoring, "_MOST_HASHED", 1000)
    assert scored(data.load("digits", "train")[:30])[1] == []


def test_colour_is_refused_where_the_data_are_grey():
    images = digits(channels=3)
    images[7, 0, 3, 3] ^= 1
    with pytest.raises(
        UserError, match=r"it: images are coloured, those of 'digits' are grey\. Save them as grey"
    ):
        scored(images)


def test_grey_images_are_coloured_ones_with_equal_channels():
    batches = [Generated(digits(), outputs=digits() / 255)]
    (batch,) = scoring._with_channels(batches, 3, "it", "x")
    assert batch.images.shape == batch.outputs.shape == (30, 3, 28, 28)
    with pytest.raises(UserError, match="images have 4 channels, not one or three"):
        list(scoring._with_channels([Generated(digits(channels=4))], 3, "it", "x"))


def test_larger_images_than_a_protocol_takes_are_refused():
    with pytest.raises(UserError, match=r"it: images are 64 x 64, small takes up to 32 x 32") as caught:
        scored(digits(size=64))
    assert caught.value.exit_code == 2


def test_another_size_is_told_or_refused():
    _, (note,) = scored(digits(size=30))
    assert "it: images are 30 x 30, those of 'digits' are 28 x 28" in f"it: {note}"
    with pytest.raises(UserError, match=r"images are 30 x 30, those of 'digits' are 28 x 28. Resize them"):
        scored(digits(size=30), OWN_SIZE)
    with pytest.raises(UserError, match="images are 32 x 32, those of 'digits' are 28 x 28"):
        scored(digits(size=32), OWN_SIZE, trained_on="mnist")


def test_a_frame_that_the_network_was_trained_in_is_no_matter():
    info = data.info("digits")
    source = replace(samples.of_array(digits(size=32), None, "it"), trained_on="digits")
    notes = []
    assert scoring.frame_of((OWN_SIZE,), source, (32, 32), info, notes.append) == 32
    assert scoring.frame_of((OWN_SIZE,), source, (28, 28), info, notes.append) is None
    assert notes == []


def test_how_many_are_taken_is_told_and_does_not_depend_on_their_order():
    images = digits(50)
    scores, (note,) = scored(images)
    assert note == "small takes 30 of the 50 images, chosen by the SHA-256 of their pixels"
    shuffled = images[torch.randperm(50, generator=torch.Generator().manual_seed(0))]
    assert scored(shuffled)[0] == scores
    with pytest.raises(UserError, match="it: holds 20 images, but 30 are needed"):
        scored(digits(20))


def watched(outputs, image_range, **options):
    notes = []
    batch = Generated.of(torch.as_tensor(outputs, dtype=torch.float32), image_range, len(outputs))
    assert list(Watch("it", notes.append, strict=False, **options).through([batch])) == [batch]
    return notes


def spread(low, high):
    return np.linspace(low, high, 1000).reshape(10, 1, 10, 10)


@pytest.mark.parametrize(
    ("outputs", "image_range", "meant"),
    [
        (spread(0, 255), (-1.0, 1.0), "0 255"),
        (spread(0, 1), (-1.0, 1.0), "0 1"),
        (spread(-1, 1), (0.0, 1.0), "-1 1"),
        (spread(-1, 1), (0.0, 255.0), "-1 1"),
        (spread(0, 1), (0.0, 255.0), "0 1"),
    ],
)
def test_another_range_is_told(outputs, image_range, meant):
    (note,) = watched(outputs, image_range)
    assert f"is --range {meant} meant?" in note
    assert f"the range is {image_range[0]:g}..{image_range[1]:g}" in note


@pytest.mark.parametrize(
    ("outputs", "image_range"),
    [
        (spread(-1, 1), (-1.0, 1.0)),
        (spread(-0.01, 0.02), (-1.0, 1.0)),  # an untrained generator
        (spread(0.4, 0.6), (0.0, 1.0)),
        (spread(0, 255), (0.0, 255.0)),
        (spread(-1.003, 1.003), (-1.0, 1.0)),  # less than half a grey level
    ],
)
def test_nothing_is_told_of_the_range_that_it_is(outputs, image_range):
    assert watched(outputs, image_range) == []


def test_much_clipping_is_told():
    (note,) = watched(spread(-3, 3), (-1.0, 1.0))
    assert "outputs lie in -3..3, the range is -1..1, and 67 % of them are clipped" in note


def test_a_protocol_of_papers_refuses_a_range_that_nobody_said():
    comparable = replace(SMALL, comparable_with_papers=True)
    generated = Generated.of(digits() / 255, (-1.0, 1.0), 30)
    source = Source(lambda n: iter([generated]), {}, "it", range_is_said=False)
    with pytest.raises(UserError, match=r"nobody said that it is. Say what is black and white with --range"):
        scored(source, comparable)
    assert "never" not in scored(source)[1][0]
    assert len(scored(source, comparable, range_is_said=True)[1]) == 1
