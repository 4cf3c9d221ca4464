"""Trains `digits-lenet` on the 60 000 MNIST training images and writes its weights and training record.

    python -m benchmark.evaluation.train_digits_lenet --mnist DIR [--out DIR]

Seeded, deterministic and single-threaded: the same command with the same torch build on the same kind of
CPU gives the same file, byte for byte (elsewhere the last bits may differ, and it is then another
extractor). Adam with a cosine decay to zero; each training image is placed in the 32x32 frame at a random
offset of up to 2 pixels from the centre, which moves the digit without losing a pixel.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save as save_safetensors
from torch import Tensor
from torch.nn import functional

from benchmark.data import idx
from benchmark.evaluation.digits_lenet import IMAGE_SIZE, NAME, WEIGHTS_PATH, DigitsLeNet

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 0
EPOCHS = 20
BATCH_SIZE = 100
LEARNING_RATE = 1e-3
MAX_SHIFT = 2

log = logging.getLogger("train_digits_lenet")


def place(images: Tensor, offsets: Tensor) -> Tensor:
    """Put uint8 images [N,28,28] into black frames [N,1,32,32], image i at row and column `offsets[i]`."""
    n, side = images.shape[0], images.shape[-1]
    frames = images.new_zeros(n, 1, IMAGE_SIZE, IMAGE_SIZE)
    rows = offsets[:, 0, None, None] + torch.arange(side)[None, :, None]
    columns = offsets[:, 1, None, None] + torch.arange(side)[None, None, :]
    frames[torch.arange(n)[:, None, None], 0, rows, columns] = images
    return frames


def accuracy(net: DigitsLeNet, images: Tensor, labels: Tensor) -> float:
    """Compute the share of centred images [N,28,28] whose largest logit is at the label."""
    with torch.inference_mode():
        centred = place(images, torch.full((len(images), 2), MAX_SHIFT))
        correct = [
            net(x)[1].argmax(1) == y
            for x, y in zip(torch.split(centred, 1000), torch.split(labels, 1000), strict=True)
        ]
    return torch.cat(correct).double().mean().item()


def train(images: Tensor, labels: Tensor, test: tuple[Tensor, Tensor]) -> DigitsLeNet:
    """Train for the fixed budget; the test set is only reported, never selected on."""
    torch.manual_seed(SEED)
    net = DigitsLeNet()
    optimiser = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    n_steps = EPOCHS * (len(images) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda k: 0.5 * (1 + math.cos(math.pi * k / n_steps))
    )
    for epoch in range(EPOCHS):
        loss_sum = 0.0
        for batch in torch.split(torch.randperm(len(images)), BATCH_SIZE):
            shifted = place(images[batch], torch.randint(2 * MAX_SHIFT + 1, (len(batch), 2)))
            loss = functional.cross_entropy(net(shifted)[1], labels[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            loss_sum += loss.item() * len(batch)
        log.info(
            "epoch %2d  loss %.4f  test accuracy %.4f",
            epoch + 1,
            loss_sum / len(images),
            accuracy(net, *test),
        )
    return net


def main(argv: Sequence[str] | None = None) -> None:
    """Command line: read MNIST, train, write ``digits-lenet.safetensors`` and ``digits-lenet.json``."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.evaluation.train_digits_lenet")
    parser.add_argument("--mnist", type=Path, required=True, help="directory with MNIST's four IDX files")
    parser.add_argument(
        "--out", type=Path, default=WEIGHTS_PATH.parent, help="where to write (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    sets = []
    digests: dict[str, str] = {}
    for split in ("train", "test"):
        images, labels, file_digests = idx.mnist(arguments.mnist, split)
        sets.append((torch.from_numpy(images), torch.from_numpy(labels).long()))
        digests |= file_digests
    net = train(*sets[0], test=sets[1])
    weights = save_safetensors({name: tensor.contiguous() for name, tensor in net.state_dict().items()})
    record = {
        "extractor": NAME,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "test_accuracy": accuracy(net, *sets[1]),
        "n_parameters": sum(parameter.numel() for parameter in net.parameters()),
        "seed": SEED,
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "optimiser": f"Adam, learning rate {LEARNING_RATE} with cosine decay to 0, betas (0.9, 0.999)",
        "augmentation": f"shift of up to {MAX_SHIFT} pixels in each direction",
        "threads": 1,
        "torch": torch.__version__,
        "mnist_sha256": digests,
        "command": "python -m benchmark.evaluation.train_digits_lenet --mnist DIR",
    }
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / WEIGHTS_PATH.name).write_bytes(weights)
    (arguments.out / f"{NAME}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    log.info("wrote %s with test accuracy %.4f", arguments.out / WEIGHTS_PATH.name, record["test_accuracy"])


if __name__ == "__main__":
    main()
