"""The IDX reader decodes by the format's definition and refuses what is not of it."""

import gzip
import hashlib

import numpy as np
import pytest

from benchmark.data import idx
from benchmark.errors import UserError

# 2 images of 2 x 3 pixels, written out by hand from the format's description.
IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, *range(250, 256), *range(6)])
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])


def test_decodes_the_hand_written_file():
    assert idx.parse(IMAGES).tolist() == [[[250, 251, 252], [253, 254, 255]], [[0, 1, 2], [3, 4, 5]]]
    assert idx.parse(LABELS).tolist() == [7, 9]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        IMAGES[:-1],
        IMAGES + b"\0",
        IMAGES[:6],
        b"\0\0\x0d" + IMAGES[3:],
        b"<html>not found</html>",
    ],
)
def test_refuses_other_bytes(content):
    with pytest.raises(UserError, match="somewhere: not an IDX file"):
        idx.parse(content, where="somewhere")


@pytest.mark.parametrize("folder", [".", "raw", "MNIST/raw"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_reads_torchvisions_layout_gzipped_or_not(tmp_path, folder, gzipped):
    target = tmp_path / folder
    target.mkdir(parents=True, exist_ok=True)
    for kind, content in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
        name = f"t10k-{kind}-ubyte"
        (target / (f"{name}.gz" if gzipped else name)).write_bytes(
            gzip.compress(content) if gzipped else content
        )
    images, labels, digests = idx.mnist(tmp_path, "test")
    assert np.array_equal(images, idx.parse(IMAGES))
    assert labels.tolist() == [7, 9]
    # Of the uncompressed content, so that a mirror's way of compressing does not matter.
    assert digests["t10k-images-idx3-ubyte"] == hashlib.sha256(IMAGES).hexdigest()


def test_missing_file_names_the_directory(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}.*train-images-idx3-ubyte"):
        idx.mnist(tmp_path, "train")


def test_cut_off_download_is_a_user_error(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(IMAGES)[:-9])
    with pytest.raises(UserError, match="Download the file again"):
        idx.mnist(tmp_path, "train")
