"""A few G-iterations of an experiment on a device, on drawn images: what the tests for GPUs compare.

`python tests/gpu/short.py EXPERIMENT GEN_ITERS` prints the digest on a GPU, for runs side by side.
"""

import dataclasses
import sys
from typing import NamedTuple

import torch

import baselines
from benchmark.engines.probing.drawn import pictures
from benchmark.training import checkpoint, numerics, trainer
from benchmark.training.draws import SeededDraws

N_IMAGES = 64


class Short(NamedTuple):
    """Losses by G-iteration, float by name, and SHA-256 (hex) over all weights and optimiser states."""

    losses: list[dict[str, float]]
    digest: str


def with_batch(experiment, batch):
    """The experiment with smaller minibatches of real and generated images."""
    names = [name for name in ("batch", "generator_batch") if hasattr(experiment.settings, name)]
    settings = dataclasses.replace(experiment.settings, **dict.fromkeys(names, batch))
    return dataclasses.replace(experiment, settings=settings)


def start(experiment, device, seed=0):
    """Players and draws of an experiment on a device."""
    images = pictures(
        0 if experiment.points else max(N_IMAGES, experiment.settings.batch), experiment.image_shape
    )
    labels = torch.arange(len(images)) % experiment.classes if experiment.classes else None
    device = torch.device(device)
    players = trainer.build(experiment, seed, images, device)
    moved = None if labels is None else labels.to(device)
    return players, SeededDraws(experiment, seed, images.to(device), moved, device)


def trained(experiment, gen_iters, device, seed=0):
    """The first G-iterations, in the faithful numerics, with backward passes in this thread as in a run."""
    with numerics.applied(), torch.autograd.set_multithreading_enabled(False):
        players, draws = start(experiment, device, seed)
        losses = []
        for k in range(gen_iters):
            found = experiment.iterate(experiment.settings, players, k, draws.at(k))
            losses.append({name: value.item() for name, value in found.items()})
        return Short(losses, checkpoint.digest(checkpoint.tensors_of(players)))


if __name__ == "__main__":
    print(trained(with_batch(baselines.get(sys.argv[1]), 16), int(sys.argv[2]), "cuda").digest)
