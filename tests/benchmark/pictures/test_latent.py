"""Latents and sheets of pictures, with a generator whose every pixel is known."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import baselines
from baselines.spec import SUITE
from benchmark.errors import NothingToJudge, UserError
from benchmark.pictures import latent as pictures
from benchmark.pictures import sheets
from benchmark.pictures.latent import Term
from benchmark.training import sampling
from benchmark.training.draws import latents, stream

BATCH, LATENT = 6, 4


class Known(nn.Module):
    """Latent z → pixels z (2 × 2), less the batch's mean in training mode: the simplest batch norm."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.shift = 0.0

    def forward(self, z, classes=None):
        h = z * self.scale
        if self.training:
            h = h - h.mean(0)
        if classes is not None:
            h = h + classes[:, None] / 10
        return h.reshape(-1, 1, 2, 2)


def model_of(statistics, classes=0, batch=BATCH):
    digits = baselines.get("dcgan/digits")
    settings = digits.settings.revised(
        batch=(batch, "test", SUITE),
        latent=(LATENT, "test", SUITE),
        prior=("uniform", "test", SUITE),
        sampling_statistics=(statistics, "test", SUITE),
        sampling_batch=(batch, "test", SUITE),
    )
    experiment = dataclasses.replace(
        digits, settings=settings, image_shape=(1, 2, 2), image_range=(-1, 1), classes=classes
    )
    return pictures.Trained(experiment, Known(), 3, 400, {"name": "digits", "digest": ""}, stale=False)


def evaluation_stream(seed, n):
    return latents("uniform", stream(seed, "evaluate", 0), n, LATENT)


def as_bytes(h):
    return ((h + 1) * 127.5).clamp(0, 255).round().to(torch.uint8).reshape(-1, 1, 2, 2)


# --- Images -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statistics", ["batch", "running", "none"])
@given(n=st.integers(1, 20), seed=st.integers(0, 9))
def test_samples_are_those_of_the_evaluations(statistics, n, seed):
    model = model_of(statistics)
    expected = sampling.evaluation_images(model.experiment, model.generator, seed, 40)[:n]
    assert torch.equal(pictures.samples(model, n, seed), expected)


def test_latents_have_the_numbers_of_the_grid():
    model = model_of("none")
    images = pictures.samples(model, 30, 5)
    z = pictures.evaluation_latents(model, [7, 0, 29], 5)
    assert torch.equal(z, evaluation_stream(5, 64)[[7, 0, 29]])
    assert torch.equal(pictures.images_at(model, z, 5), images[[7, 0, 29]])


@pytest.mark.parametrize("statistics", ["running", "none"])
def test_any_number_of_latents_without_batch_statistics(statistics):
    z = torch.linspace(-1, 1, 1203 * LATENT).reshape(1203, LATENT)  # more than are computed at a time
    assert torch.equal(pictures.images_at(model_of(statistics), z, 0), as_bytes(z))


def test_with_batch_statistics_each_stands_in_the_first_place_of_the_first_batch():
    model = model_of("batch")
    z = evaluation_stream(77, 9)
    expected = []
    for one in z:
        batch = evaluation_stream(3, BATCH)
        batch[0] = one
        expected.append(one - batch.mean(0))
    found = pictures.images_at(model, z, 3)
    assert (found.int() - as_bytes(torch.stack(expected)).int()).abs().max() <= 1  # another order of sums
    assert torch.equal(found[[4]], pictures.images_at(model, z[[4]], 3)), "independent of the other pictures"
    first = evaluation_stream(3, 1)
    assert torch.equal(pictures.images_at(model, first, 3), pictures.samples(model, 1, 3))


@pytest.mark.parametrize("statistics", ["batch", "none"])
def test_one_class_for_all(statistics):
    model = model_of(statistics, classes=3)
    mixed, second = pictures.samples(model, 20, 0), pictures.samples(model, 20, 0, 2)
    assert not torch.equal(mixed, second)
    if statistics == "none":
        assert torch.equal(second, as_bytes(evaluation_stream(0, 20) + 0.2))


@pytest.mark.parametrize(("classes", "label"), [(3, 3), (3, -1), (3, None), (0, 0)])
def test_classes_that_there_are_not(classes, label):
    with pytest.raises(UserError, match="class"):
        pictures.images_at(model_of("none", classes), torch.zeros(2, LATENT), 0, label)


@pytest.mark.parametrize("statistics", ["batch", "none"])
def test_the_generator_stays_as_it_is(statistics):
    model = model_of(statistics)
    pictures.images_at(model, torch.zeros(3, LATENT), 0)
    assert model.generator.training


def test_a_diverged_generator_has_no_pictures():
    model = model_of("none")
    model.generator.scale.data.fill_(torch.nan)
    with pytest.raises(NothingToJudge, match="diverged"):
        pictures.samples(model, 4, 0)


# --- Latents ------------------------------------------------------------------------------------------


@given(st.integers(2, 6), st.integers(2, 12))
def test_a_walk_is_straight_even_and_goes_through_its_points(m, steps):
    points = evaluation_stream(0, m)
    lines = pictures.walk(points, steps).reshape(m - 1, steps, LATENT)
    assert torch.equal(lines[:, 0], points[:-1])
    assert torch.equal(lines[:, -1], points[1:])
    if steps > 2:
        strides = lines.diff(dim=1)
        torch.testing.assert_close(
            strides, strides.mean(1, keepdim=True).expand_as(strides), rtol=0, atol=1e-6
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3,8,12 - 0,5,7 + 1,9,30", [Term(1, [3, 8, 12]), Term(-1, [0, 5, 7]), Term(1, [1, 9, 30])]),
        (" 4 ", [Term(1, [4])]),
        ("-1+2", [Term(-1, [1]), Term(1, [2])]),
        ("1,\t2\n-0", [Term(1, [1, 2]), Term(-1, [0])]),
        ("4095", [Term(1, [4095])]),
    ],
)
def test_terms(text, expected):
    assert pictures.terms(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "1,",
        ",1",
        "1,,2",
        "1 -",
        "1 - - 2",
        "1.5",
        "1*2",
        "4096",
        "²",
        "1 + 99999",
        "1 2",
        "1 - 2 3",
        "9" * 5000,
    ],
)
def test_what_is_no_term(text):
    with pytest.raises(UserError) as error:
        pictures.terms(text)
    assert error.value.where == "--arithmetic"
    assert error.value.exit_code == 2


@given(
    st.lists(
        st.tuples(st.sampled_from([1, -1]), st.lists(st.integers(0, 40), min_size=1, max_size=5)),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 50),
)
def test_arithmetic_is_sums_of_means_with_noise_around(parts, seed):
    model, z = model_of("none"), evaluation_stream(seed, 64).double()
    means, results = pictures.arithmetic(model, [Term(*part) for part in parts], seed)
    expected = [z[numbers].mean(0) for _, numbers in parts]
    torch.testing.assert_close(means.double(), torch.stack(expected), rtol=0, atol=1e-6)
    result = sum(sign * mean for (sign, _), mean in zip(parts, expected, strict=True))
    torch.testing.assert_close(results[4].double(), result, rtol=0, atol=1e-5)
    noise = results.double() - result
    assert noise.abs().max() <= pictures.NOISE + 1e-5
    assert len({tuple(row) for row in results.tolist()}) == 9


def test_the_noise_is_uniform_and_belongs_to_the_seed():
    model = dataclasses.replace(model_of("none"))
    noise = []
    for seed in range(200):
        results = pictures.arithmetic(model, [Term(1, [0])], seed).results
        assert torch.equal(results, pictures.arithmetic(model, [Term(1, [0])], seed).results)
        noise.append((results - results[4])[[0, 1, 2, 3, 5, 6, 7, 8]])
    noise = torch.cat(noise)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.var().item() == pytest.approx(0.5**2 / 12, rel=0.05)  # of U(−.25, .25)


# --- Neighbours ---------------------------------------------------------------------------------------


def test_another_data_set_is_refused():
    with pytest.raises(UserError, match="not the one"):
        pictures.training_neighbours(model_of("none"), torch.zeros(1, 1, 28, 28, dtype=torch.uint8))


# --- Sheets -------------------------------------------------------------------------------------------


def numbered_images(n, channels=1, height=5, width=4):
    """Image i is all i."""
    return torch.arange(n, dtype=torch.uint8)[:, None, None, None].repeat(1, channels, height, width)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_of_64_is_the_grid_of_a_run(channels, tmp_path):
    images = torch.randint(0, 256, (64, channels, 5, 4), dtype=torch.uint8)
    digest = sampling.save_grid(images, tmp_path / "grid.png")
    assert sampling.grid_digest(sheets.sheet(images, 8)) == digest
    sheets.save(sheets.sheet(images, 8), tmp_path / "own.png")
    with Image.open(tmp_path / "own.png") as own:
        assert sampling.grid_digest(own) == digest


@given(st.integers(1, 30), st.integers(1, 9))
def test_every_image_has_its_place(n, columns):
    sheet = np.asarray(sheets.sheet(numbered_images(n), columns))
    assert sheet.shape == (-(-n // columns) * 7 - 2, columns * 6 - 2)
    for i in range(n):
        y, x = i // columns * 7, i % columns * 6
        assert (sheet[y : y + 5, x : x + 4] == i).all()
    assert (sheet < 128).sum() == n * 20


def test_the_last_column_may_stand_apart():
    sheet = np.asarray(sheets.sheet(numbered_images(6), 3, last_apart=True))
    assert [sheet[0, x] for x in (0, 6)] == [0, 1]
    assert (sheet[0, 10:-4] == 128).all()
    assert (sheet[:5, -4:] == 2).all()
    assert (sheet[7:, -4:] == 5).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_number_stands_below_each_image(channels):
    images = numbered_images(12, channels, 20, 16)
    sheet = np.asarray(sheets.numbered_sheet(images, 4)).reshape(3 * 76 - 2, 4 * 50 - 2, channels)
    captions = []
    for i in range(12):
        y, x = i // 4 * 76, i % 4 * 50
        assert (sheet[y : y + 60, x : x + 48] == i).all(), "enlarged three times, to 48 pixels"
        captions.append(sheet[y + 60 : y + 74, x : x + 48].tobytes())
    assert len(set(captions)) == 12
    assert all(max(caption) > 200 for caption in captions)


def test_large_images_are_not_enlarged():
    assert sheets.numbered_sheet(numbered_images(1, 3, 64, 64), 1).size == (64, 64 + 14)


def test_the_sheet_of_figure_7():
    expression = [Term(1, [0, 1, 2]), Term(-1, [3])]
    exemplars, rest = numbered_images(4, 1, 20, 20), numbered_images(20, 1, 20, 20) + 100
    picture = sheets.arithmetic_sheet(expression, exemplars, rest[:2], rest[2:11])
    sheet = np.asarray(picture)
    scale, (down, across), apart, top = 8, (224, 176), 8 * 14, 64
    first, second, results = apart, across + 2 * apart, 2 * across + 3 * apart
    assert [sheet[top + row * down, first] for row in range(4)] == [0, 1, 2, 100]
    assert [sheet[top + row * down, second] for row in (2, 3)] == [3, 101]
    for i in range(9):
        corner = sheet[top + (1 + i // 3) * down :, results + i % 3 * across :]
        assert (corner[: 20 * scale, : 20 * scale] == 102 + i).all()
    assert sheet.shape == (top + 4 * down - 16, results + 3 * across - 16)
    assert sheet.shape[1] >= 1200
    for sign in (second - apart, results - apart):  # "-" and "="
        assert (sheet[top + 3 * down :, sign : sign + apart] > 200).any()
    assert (sheet[top + 3 * down :, :first] == 32).all(), "no sign before the first term"
    below = sheet[top + 20 * scale : top + down - 16, first : first + 20 * scale]
    assert below.max() > 200, "the number of the first exemplar"


@pytest.mark.parametrize("side", [20, 64, 200])
def test_the_sheet_of_figure_4(side):
    picture = sheets.walk_sheet(numbered_images(6, 1, side, side), 3)
    sheet, scale = np.asarray(picture), -(-1200 // (3 * (side + 2)))
    assert sheet.shape[1] >= 1200
    text, apart = scale * side // 5, scale * (side + 2)
    places = [(2 * text + row * apart, 4 * text + column * apart) for row in range(2) for column in range(3)]
    for i, (y, x) in enumerate(places):
        assert (sheet[y : y + scale * side, x : x + scale * side] == i).all()
        assert y >= apart or sheet[: 2 * text, x : x + scale * side].max() > 200, "t above each column"
    rows = [sheet[y : y + scale * side, : 4 * text] for y in (places[0][0], places[3][0])]
    assert all(row.max() > 200 for row in rows)
    assert not np.array_equal(*rows), "the numbers of its latents before each row"
