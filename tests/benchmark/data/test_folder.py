"""Folders of images: what fits is taken, everything else is named at once."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from benchmark import data
from benchmark.data.fetch import fetch
from benchmark.errors import UserError

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def folder(tmp_path):
    """Writes files below a folder and returns the data set's name."""

    def write(files, at="images"):
        for name, content in files.items():
            path = tmp_path / at / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return f"folder:{tmp_path / at}"

    return write


def colour(value, height=4, width=4):
    return np.full((height, width, 3), value, np.uint8)


def test_images_in_the_order_of_their_names(folder, picture):
    name = folder({"b.png": picture(colour(2)), "a.png": picture(colour(1)), "readme.txt": b"hello"})
    fetch(name)
    assert data.load(name, "train")[:, 0, 0, 0].tolist() == [1, 2]
    known = data.info(name)
    assert (known.shape, known.n_train, known.n_held_out) == ((3, 4, 4), 2, 0)
    assert len(data.load(name, "held-out")) == 0
    assert len(data.check(name)) == 64
    assert not data.is_official(name)  # nobody publishes a digest of it


def test_grey_folders_have_one_channel(folder, picture):
    name = folder({"a.png": picture(np.full((4, 6), 9, np.uint8))})
    fetch(name)
    assert data.load(name, "train").shape == (1, 1, 4, 6)


def test_everything_unusable_is_named_in_one_error(folder, picture):
    files = {f"{i}.png": picture(colour(i)) for i in range(5)}
    files |= {"wide.png": picture(colour(1, 4, 7)), "grey.png": picture(np.zeros((4, 4), np.uint8))}
    files |= {f"broken{i}.jpg": b"\xff\xd8\xff" for i in range(4)}
    files |= {"deep.png": picture(np.full((4, 4), 999, np.uint16))}
    name = folder(files)
    with pytest.raises(UserError) as caught:
        fetch(name)
    said = str(caught.value)
    for part in (
        "7 of 12 images cannot be used",
        "1 of another size than most, 4x4 (wide.png: 7x4)",
        "1 grey among coloured ones (grey.png)",
        "5 broken (broken0.jpg",
        ", …)",
        "--skip-broken",
        f"{name}@64",
    ):
        assert part in said
    assert caught.value.exit_code == 2
    assert not data.is_ready(name)
    notes = []
    fetch(name, skip_broken=True, note=notes.append)
    assert data.load(name, "train")[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert any("left out: " in note and "5 broken" in note for note in notes)


def test_with_a_size_all_sizes_and_modes_fit(folder, picture):
    name = folder({"a.png": picture(colour(3, 9, 30)), "b.png": picture(np.full((8, 8), 7, np.uint8))}) + "@8"
    fetch(name)
    images = data.load(name, "train")
    assert images.shape == (2, 3, 8, 8)
    assert images.flatten(1).float().mean(1).tolist() == [3, 7]


def test_with_a_size_broken_ones_are_still_named(folder, picture):
    name = folder({"a.png": picture(colour(3)), "b.png": b"no"}) + "@8"
    with pytest.raises(UserError, match=r"1 of 2 images cannot be used: 1 broken \(b.png"):
        fetch(name)


def test_a_cut_off_picture_is_found_although_its_header_is_fine(folder, picture):
    whole = picture(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8), "JPEG")
    name = folder({"a.jpg": whole, "b.jpg": whole[:-200]})
    with pytest.raises(UserError, match=r"1 broken \(b.jpg: .*truncated"):
        fetch(name)


def test_splits_and_classes(folder, picture):
    files = {
        "train/cat/1.png": picture(colour(1)),
        "train/ant/1.png": picture(colour(2)),
        "test/cat/1.png": picture(colour(3)),
    }
    name = folder(files)
    fetch(name)
    assert data.load_labels(name, "train").tolist() == [0, 1]
    assert data.load(name, "train")[:, 0, 0, 0].tolist() == [2, 1]
    assert data.load_labels(name, "held-out").tolist() == [1]


def test_classes_without_splits(folder, picture):
    name = folder({"x/1.png": picture(colour(1)), "y/1.png": picture(colour(2))})
    fetch(name)
    assert data.load_labels(name, "train").tolist() == [0, 1]


def test_images_outside_classes_have_no_labels(folder, picture):
    name = folder({"x/1.png": picture(colour(1)), "2.png": picture(colour(2))})
    fetch(name)
    with pytest.raises(UserError, match="has no labels"):
        data.load_labels(name, "train")


@pytest.mark.parametrize("change", ["new file", "other content", "touched", "removed"])
def test_a_changed_folder_is_another_data_set(change, folder, picture, tmp_path):
    name = folder({"a.png": picture(colour(1)), "b.png": picture(colour(2))})
    fetch(name)
    digest = data.info(name).digest
    path = tmp_path / "images" / "b.png"
    if change == "new file":
        folder({"c.png": picture(colour(3))})
    elif change == "other content":
        path.write_bytes(picture(colour(77, 4, 4)))
    elif change == "touched":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
    assert not data.is_ready(name)
    fetch(name)
    assert (data.info(name).digest == digest) == (change == "touched")


def test_where_there_is_nothing_to_take(folder, tmp_path):
    for name, said in (
        ("folder:", "without a path"),
        (f"folder:{tmp_path}/none", "no such folder"),
        (f"folder:{tmp_path}@0", "images of 0 pixels"),
        (folder({"readme.txt": b"x"}), "no image to train on"),
        (folder({"a.png": b"x"}, at="other"), "1 of 1 images cannot be used"),
    ):
        with pytest.raises(UserError, match=said):
            fetch(name)


@pytest.mark.slow
def test_cifar10_as_jpegs(tmp_path):
    archive = SHARED / "cifar10-jpeg.tar.gz"
    if not archive.is_file():
        pytest.skip(f"{archive} is not there")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "jpeg", filter="data")
    name = f"folder:{tmp_path / 'jpeg'}"
    fetch(name)
    known = data.info(name)
    assert known.shape == (3, 32, 32)
    assert data.load_labels(name, "train").bincount().numel() == 10
