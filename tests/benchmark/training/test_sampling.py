"""Evaluation images: the same latents at every evaluation, batch norm as the settings say, whole grids."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import baselines
from baselines.spec import SUITE
from benchmark.training import draws, sampling
from benchmark.training.quantise import NonFiniteImages


class Spy(nn.Module):
    """A generator that shows its latents as grey levels and remembers how it was called."""

    calls: list[tuple[bool, torch.Tensor]]

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm1d(4)
        Spy.calls = []

    def forward(self, z):
        Spy.calls.append((self.training, z.clone()))
        return (self.scale * z).reshape(-1, 1, 2, 2) + 0 * self.norm(z).mean()


def experiment_with(statistics, batch=10, prior="uniform"):
    settings = baselines.get("dcgan/digits").settings.revised(
        batch=(batch, "test", SUITE),
        latent=(4, "test", SUITE),
        prior=(prior, "test", SUITE),
        sampling_statistics=(statistics, "test", SUITE),
        sampling_batch=(batch, "test", SUITE),
    )
    return dataclasses.replace(
        baselines.get("dcgan/digits"), settings=settings, image_shape=(1, 2, 2), image_range=(-1, 1)
    )


def test_images_are_the_generator_at_the_evaluation_latents_of_the_seed():
    z = draws.latents("uniform", draws.stream(5, "evaluate", 0), 30, 4)[:25]
    images = sampling.evaluation_images(experiment_with("none"), Spy(), 5, 25)
    expected = ((z + 1) * 127.5).round().to(torch.uint8).reshape(25, 1, 2, 2)
    assert torch.equal(images, expected)


def test_batches_are_always_full_so_that_their_statistics_are_comparable():
    sampling.evaluation_images(experiment_with("batch"), Spy(), 5, 25)
    assert [len(z) for _, z in Spy.calls] == [10, 10, 10]


@pytest.mark.parametrize(("statistics", "training"), [("batch", True), ("running", False), ("none", False)])
def test_batch_norm_works_in_the_mode_of_the_settings(statistics, training):
    generator = Spy()
    sampling.evaluation_images(experiment_with(statistics), generator, 0, 10)
    assert [mode for mode, _ in Spy.calls] == [training]
    assert generator.training
    assert generator.norm.num_batches_tracked == 0


def test_a_conditional_generator_gets_every_class_equally_often():
    experiment = dataclasses.replace(experiment_with("none"), classes=3)
    seen = []

    class Conditional(Spy):
        def forward(self, z, labels):
            seen.append(labels)
            return super().forward(z)

    sampling.evaluation_images(experiment, Conditional(), 0, 3000)
    labels = torch.cat(seen)
    assert labels.dtype == torch.int64
    assert torch.bincount(labels).tolist() == pytest.approx([1000] * 3, abs=130)


@pytest.mark.parametrize("prior", ["uniform", "uniform-sqrt3", "normal"])
def test_latents_and_classes_go_on_however_many_batches_there_are(prior):
    """More than are drawn at a time: no image comes twice, each has the class drawn for it."""
    experiment = dataclasses.replace(experiment_with("batch", batch=2, prior=prior), classes=3)
    n, seen = 2 * (2 * sampling._BATCHES_DRAWN + 3), []

    class Conditional(Spy):
        def forward(self, z, labels):
            seen.append(labels)
            return super().forward(z)

    made = list(sampling.batches(experiment, Conditional(), 5, n))
    latents, classes = torch.cat([z for _, z in Spy.calls]), torch.cat(seen)
    assert torch.equal(latents, draws.latents(prior, draws.stream(5, "evaluate", 0), n, 4))
    assert torch.equal(classes, draws.random_classes(draws.stream(5, "evaluate", 1), n, 3))
    assert torch.equal(torch.cat([batch.classes for batch in made]), classes)


def test_fewer_images_are_the_first_of_many():
    many = sampling.evaluation_images(experiment_with("none"), Spy(), 5, 40)
    assert torch.equal(sampling.evaluation_images(experiment_with("none"), Spy(), 5, 13), many[:13])


def test_non_finite_output_is_no_image():
    generator = Spy()
    generator.scale.data.fill_(torch.inf)
    with pytest.raises(NonFiniteImages):
        sampling.evaluation_images(experiment_with("none"), generator, 0, 10)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_shows_the_first_64_images_row_by_row(channels, tmp_path):
    images = torch.randint(0, 256, (70, channels, 5, 4), dtype=torch.uint8)
    sampling.save_grid(images, tmp_path / "samples" / "0.png")
    grid = np.asarray(Image.open(tmp_path / "samples" / "0.png")).reshape(8 * 7 - 2, 8 * 6 - 2, channels)
    for i in range(64):
        y, x = i // 8 * 7, i % 8 * 6
        assert np.array_equal(grid[y : y + 5, x : x + 4], images[i].permute(1, 2, 0).numpy())
    assert (grid[5:7] == 128).all()
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["0.png"]


def test_a_grid_of_few_images_leaves_the_rest_grey(tmp_path):
    sampling.save_grid(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), tmp_path / "0.png")
    grid = np.asarray(Image.open(tmp_path / "0.png"))
    assert (grid == 0).sum() == 3 * 4
