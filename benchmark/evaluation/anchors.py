"""What the protocols on MNIST say of images that no GAN made: `python -m benchmark.evaluation.anchors`.

Numbers of a generator are read beside these: real training images in place of samples (Theis et al. 2016
state 243 nats for the true distribution), and centroids of k-means, which beat them (313 there); both are
unconfirmed.
Writes `results/anchors.json`; needs MNIST, and about ten minutes of one core.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.cluster import KMeans

from benchmark import data
from benchmark.evaluation import protocols
from benchmark.evaluation.evaluator import Evaluator
from benchmark.records import atomic, environment
from benchmark.training import numerics
from benchmark.training.quantise import Generated

PATH = Path(__file__).parents[2] / "results" / "anchors.json"
N_CENTROIDS, N_LLOYD, N_TRAINED_ON = 10_000, 10, 50_000
_WINDOWS = ("parzen-mnist", "parzen-mnist-fine-sigma")


def compute() -> dict[str, Any]:
    """Scores by protocol and metric of the real images, and of centroids, with what they depend on."""
    every_image = protocols.replace(protocols.get("nearest-50k"), name="nearest-60k", n_generated=60_000)
    real = [*map(protocols.get, _WINDOWS), protocols.get("nearest-50k"), every_image]
    windows = Evaluator(list(map(protocols.get, _WINDOWS)), "mnist")
    return {
        "dataset": {"name": "mnist", "sha256": data.info("mnist").digest},
        "environment": environment.describe("cpu"),
        "real_training_images": Evaluator(real, "mnist").real_data_floor(),
        "k_means": {
            "centroids": N_CENTROIDS,
            "lloyd_iterations": N_LLOYD,
            "images": N_TRAINED_ON,
            "scores": windows.scores_of([Generated.of(_centroids(), (0.0, 1.0), N_CENTROIDS)]),
        },
    }


def _centroids() -> torch.Tensor:
    """Means of the clusters of the first training images, in 0..1, [N, 1, 28, 28]."""
    images = data.load("mnist", "train")[:N_TRAINED_ON].flatten(1).numpy().astype(np.float32) / 255
    found = KMeans(N_CENTROIDS, init="random", n_init=1, max_iter=N_LLOYD, random_state=0).fit(images)
    return torch.from_numpy(found.cluster_centers_.astype(np.float32)).reshape(-1, 1, 28, 28)


if __name__ == "__main__":
    with numerics.applied():
        atomic.write_json(PATH, compute())
