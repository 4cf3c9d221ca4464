"""How a Parzen estimate depends on the number of samples.

    python -m benchmark.evaluation.parzen_samples EXPERIMENT

The protocols take ten thousand. Here samples of the committed generator of `parzen`, seed 0, and real
training images, are scored with fewer and more, under the finer grid of σ. Writes
`results/parzen-samples.json`; needs MNIST and some minutes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import baselines
from benchmark import data
from benchmark.evaluation import generation, protocols
from benchmark.evaluation.evaluator import Evaluator
from benchmark.records import atomic, environment
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.evaluation.protocol import Protocol

RESULTS = Path(__file__).parents[2] / "results"
PATH = RESULTS / "parzen-samples.json"
FINER = "parzen-mnist-fine-sigma"
N_SAMPLES = (1_000, 3_000, 10_000, 30_000, 100_000)
N_REAL = (1_000, 3_000, 10_000, 30_000, 50_000)
"""The training images after the first 50 000 choose σ."""


def compute(name: str) -> dict[str, Any]:
    """Scores by number of samples, of an experiment's generator and of real images."""
    generator = RESULTS / "generators" / "parzen" / name / "seed0.safetensors"
    images = generation.of_checkpoint(generator, baselines.get(name), 0, torch.device("cpu"))
    return {
        "dataset": {"name": "mnist", "sha256": data.info("mnist").digest},
        "environment": environment.describe("cpu"),
        "protocol": FINER,
        "images": images.described,
        "generator": Evaluator(_with(N_SAMPLES), "mnist").scores_of(images.batches(max(N_SAMPLES))),
        "real_training_images": Evaluator(_with(N_REAL), "mnist").real_data_floor(),
    }


def _with(sizes: Sequence[int]) -> list[Protocol]:
    """The protocol with as many samples; its name is their number."""
    finer = protocols.get(FINER)
    return [replace(finer, name=str(n), n_generated=n) for n in sizes]


if __name__ == "__main__":
    with numerics.applied():
        atomic.write_json(PATH, compute(sys.argv[1]))
