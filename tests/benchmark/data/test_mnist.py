"""The real MNIST, where it is: `GANBENCH_TEST_MNIST`, else `shared/data` beside the checkout."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from benchmark import data
from benchmark.data import digits, idx, registry
from benchmark.data.fetch import fetch

DIRECTORY = Path(os.environ.get("GANBENCH_TEST_MNIST") or Path(__file__).parents[4] / "shared" / "data")


@pytest.fixture
def mnist():
    if not (DIRECTORY / "MNIST" / "raw").is_dir():
        pytest.skip(f"no MNIST/raw in {DIRECTORY}; set GANBENCH_TEST_MNIST")
    fetch("mnist", local=DIRECTORY)
    return data.info("mnist")


def test_known_digest_is_of_the_official_content(mnist):
    assert mnist.digest == registry.definition("mnist").info.digest == data.check("mnist")
    splits = [idx.mnist(DIRECTORY, split)[:2] for split in ("train", "test")]
    parts = [images for images, _ in splits] + [labels for _, labels in splits]
    assert hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest() == mnist.digest


def test_images_are_torchvisions(mnist):
    from benchmark.evaluation.torchvision_ops import import_torchvision

    import_torchvision()
    sets = pytest.importorskip("torchvision.datasets.mnist")
    raw = data.folder("mnist").parent / "raw"
    raw.mkdir()
    for name in ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (raw / name).write_bytes(idx.read_bytes(idx.find(DIRECTORY, name)))
    images = sets.read_image_file(raw / "train-images-idx3-ubyte")
    assert images.equal(data.load("mnist", "train")[:, 0])
    assert sets.read_label_file(raw / "t10k-labels-idx1-ubyte").equal(data.load_labels("mnist", "held-out"))


def test_digits_are_in_it(mnist):
    with np.load(digits.PATH) as file:
        embedded = {image.tobytes() for image in file["images"]}
    train = data.load("mnist", "train").numpy()
    assert embedded <= {image.tobytes() for image in train}


MAPS = Path("/proc/self/maps")


def mapped_file(address):
    """The file in whose private map an address lies, as the kernel lists it; else None."""
    for line in MAPS.read_text().splitlines():
        (ends, mode, *_), path = line.split()[:5], Path(line.split(maxsplit=5)[-1])
        first, end = (int(x, 16) for x in ends.split("-"))
        if first <= address < end:
            return path if mode.endswith("p") and path.is_file() else None
    return None


@pytest.mark.skipif(not MAPS.exists(), reason=f"reads {MAPS}")
def test_opening_makes_no_copy(mnist):
    images = data.load("mnist", "train")
    assert images.shape == (60_000, 1, 28, 28)
    file = (data.folder("mnist") / "train.npy").resolve()
    assert mapped_file(images.data_ptr()) == mapped_file(images[-1, 0, -1, -1].data_ptr()) == file
    assert mapped_file(images.clone().data_ptr()) is None
