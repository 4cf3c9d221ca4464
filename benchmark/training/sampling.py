"""Images from a generator at an evaluation point, without leaving a trace in the training state."""

from __future__ import annotations

import copy
import hashlib
import io
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmark.records import atomic
from benchmark.training.draws import latents, random_classes, stream, torch_seed
from benchmark.training.quantise import Generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import nn

    from baselines.spec import Experiment
    from benchmark.training.draws import SeededDraws

GRID = 8
"""Rows and columns of a sample grid."""
_GAP = 2
_BATCH = 500
"""Images generated at a time where they do not influence each other."""
_BATCHES_DRAWN = 40
"""Batches whose latents are drawn at a time: an even number, so that no random word is split between two."""
POINTS = 2000
"""Points of the plane in a picture, for either side."""
_SIDE = 400
"""Height and width in pixels of a picture of points."""


def evaluation_images(experiment: Experiment[Any], generator: nn.Module, seed: int, n: int) -> Tensor:
    """`n` images, uint8 [n, C, H, W] on the CPU, from the evaluation latents of the seed.

    The latents (and classes, all equally likely) depend on the seed alone, so every evaluation of a run shows
    the same ones. A copy of the generator runs in the batch-norm mode of `sampling_statistics`: with batch
    statistics in full batches of `sampling_batch`, since each image then depends on its batch.

    Raises:
        NonFiniteImages: the generator's output holds NaN or Inf.

    """
    return torch.cat(list(image_batches(experiment, generator, seed, n))).contiguous()


def image_batches(experiment: Experiment[Any], generator: nn.Module, seed: int, n: int) -> Iterator[Tensor]:
    """The images of `evaluation_images` as they are made, a batch at a time."""
    return (batch.images for batch in batches(experiment, generator, seed, n))


def batches(
    experiment: Experiment[Any],
    generator: nn.Module,
    seed: int,
    n: int,
    arithmetic: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Iterator[Generated]:
    """The same with what the images were before they were quantised; made within an `arithmetic()`.

    Raises:
        NonFiniteImages: the generator's output holds NaN or Inf.

    """
    settings = experiment.settings
    with_batch_statistics = settings.sampling_statistics == "batch"
    size = settings.sampling_batch if with_batch_statistics else min(_BATCH, n)
    sampler = copy.deepcopy(generator).train(with_batch_statistics)
    device = next(sampler.parameters()).device
    generators = [device] if device.type == "cuda" else []
    n_missing = n
    for parts in _drawn(experiment, seed, -(-n // size) * size, size):
        # Not around the yield, where it would reach into the caller.
        with arithmetic(), torch.no_grad(), torch.random.fork_rng(devices=generators):
            torch.manual_seed(torch_seed(seed, "evaluate", n_missing))  # of noise inside somebody's generator
            outputs = sampler(*(part.to(device) for part in parts))
        batch = Generated.of(outputs, experiment.image_range, n_missing, *parts[1:])
        n_missing -= len(batch.images)
        yield batch


def _drawn(experiment: Experiment[Any], seed: int, n: int, size: int) -> Iterator[tuple[Tensor, ...]]:
    """The evaluation latents, and classes where there are some, of n images in batches of `size`."""
    of_latents, of_classes = stream(seed, "evaluate", 0), stream(seed, "evaluate", 1)
    for start in range(0, n, _BATCHES_DRAWN * size):
        count = min(_BATCHES_DRAWN * size, n - start)
        drawn = [latents(experiment.settings.prior, of_latents, count, experiment.settings.latent)]
        if experiment.classes:
            drawn.append(random_classes(of_classes, count, experiment.classes))
        yield from zip(*(torch.split(tensor, size) for tensor in drawn), strict=True)


def save_grid(images: Tensor, path: Path) -> str:
    """The first 64 of uint8 images [N, C, H, W] as one 8 x 8 PNG with grey gaps; gives its `grid_digest`."""
    n, channels, height, width = images[: GRID * GRID].shape
    side_y, side_x = height + _GAP, width + _GAP
    canvas = np.full((GRID * side_y - _GAP, GRID * side_x - _GAP, channels), 128, dtype=np.uint8)
    for i, image in enumerate(images[:n].permute(0, 2, 3, 1).numpy()):
        y, x = i // GRID * side_y, i % GRID * side_x
        canvas[y : y + height, x : x + width] = image
    return _save(Image.fromarray(canvas[:, :, 0] if channels == 1 else canvas), path)


def n_shown(experiment: Experiment[Any]) -> int:
    """Generated images in a picture of an evaluation."""
    return POINTS if experiment.points else GRID * GRID


def real_points(experiment: Experiment[Any], draws: SeededDraws) -> Tensor:
    """As many points of the data as a picture has, [POINTS, 2]; `draws` moves on."""
    assert experiment.points is not None
    n_batches = -(-POINTS // experiment.settings.batch)
    batches = [experiment.points(experiment.settings, draws) for _ in range(n_batches)]
    return torch.cat(batches)[:POINTS].flatten(1)


def save_scatter(generated: Tensor, real: Tensor, value_range: tuple[float, float], path: Path) -> str:
    """Generated points [n, 2], dark blue, over real ones [m, 2], orange, as a PNG; gives its `grid_digest`.

    Shows the square `value_range` × `value_range`, y upwards; points outside are left out.
    """
    low, high = value_range
    canvas = np.full((_SIDE, _SIDE, 3), 255, dtype=np.uint8)
    for points, colour in ((real, (250, 160, 60)), (generated, (20, 60, 140))):
        at = ((points.detach().cpu().double() - low) / (high - low) * _SIDE).floor().long()
        at = at[((at >= 0) & (at < _SIDE)).all(1)]
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):  # a dot is 2 × 2 pixels
            x, y = (at + torch.tensor([dx, dy])).clamp(max=_SIDE - 1).unbind(1)
            canvas[(_SIDE - 1 - y).numpy(), x.numpy()] = colour
    return _save(Image.fromarray(canvas), path)


def _save(picture: Image.Image, path: Path) -> str:
    content = io.BytesIO()
    picture.save(content, format="PNG")
    path.parent.mkdir(exist_ok=True)
    atomic.write_bytes(path, content.getvalue())
    return grid_digest(picture)


def grid_digest(grid: Image.Image) -> str:
    """SHA-256 (hex) over mode, size and pixels, so that no version of the PNG encoder matters."""
    return hashlib.sha256(f"{grid.mode}|{grid.size}|".encode() + grid.tobytes()).hexdigest()
