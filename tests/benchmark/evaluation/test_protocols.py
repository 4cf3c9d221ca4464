"""Protocols are plain data that identify a score."""

import hashlib
import json
import tomllib
from dataclasses import fields, replace
from importlib.resources import files

import pytest

from benchmark.errors import UserError
from benchmark.evaluation import protocols, weights

# What identifies every run made so far: never to change.
DIGITS_2K = {
    "name": "digits-2k",
    "extractor": "digits-lenet",
    "metrics": ["is", "fid"],
    "n_generated": 2000,
    "n_reference": 1000,
    "reference_split": "held-out",
    "isc_splits": 1,
    "image_size": 32,
    "quantisation": "clamp, round to nearest",
    "comparable_with_papers": False,
    "weights_digest": "1f9cf947c71f6cfed413b6ec16969eed9893d894b8860325b017fcc7db444c52",
}


def test_digits_2k_is_what_it_was():
    document = protocols.get("digits-2k").as_dict()
    assert {key: value for key, value in document.items() if key not in ("title", "note")} == DIGITS_2K


INCEPTION = {"extractor": "inception-2015", "image_size": 0}
IS = {**INCEPTION, "metrics": ["is"], "n_generated": 50_000, "n_reference": 0, "reference_split": "none"}
FID = {**INCEPTION, "metrics": ["fid"], "isc_splits": 1}
TRAIN_10K = {**FID, "n_generated": 10_000, "n_reference": 10_000, "reference_split": "train"}
TEST = {"n_reference": 10_000, "reference_split": "held-out"}
WINDOW = {"extractor": "parzen", "metrics": ["parzen_ll"], "n_generated": 10_000}
MNIST = {**WINDOW, **TEST, "dataset": "mnist", "first_validation": 50_000, "n_validation": 1_000}
PERCENT = {"metrics": ["classification_error", "classification_accuracy"]}
NEAREST = {**PERCENT, **TEST, "extractor": "nearest", "dataset": "mnist"}
SVM = {**PERCENT, **TEST, "metrics": PERCENT["metrics"][::-1], "extractor": "critic", "n_generated": 0}
CIFAR10 = {**SVM, "dataset": "cifar10", "first_validation": 40_000, "n_validation": 10_000}
DRAWN = {"draws": 100, "choosing_draws": 10}
SVHN = {"dataset": "svhn", "n_reference": 26_032, "first_validation": 73_257 - 10_000}
VALUES = {
    "is-50k": {**IS, "isc_splits": 10},
    "is-5k": {**IS, "isc_splits": 1, "is_sets": 10},
    "is-1k": {**IS, "isc_splits": 10, "n_generated": 1_000},
    "fid-50k": {**FID, "n_generated": 50_000, "n_reference": 50_000, "reference_split": "train"},
    "fid-5k": {**FID, **TEST, "n_generated": 5_000},
    "kid-10k": {**TRAIN_10K, "metrics": ["kid"], "kid_subsets": 100, "kid_subset_size": 1_000},
    "prc-10k": {**TRAIN_10K, "metrics": ["precision", "recall"], "prc_neighbours": 3},
    "parzen-mnist": {**MNIST, "sigma_grid": [0.1, 1.0, 10]},
    "parzen-mnist-fine-sigma": {**MNIST, "sigma_grid": [0.1, 1.0, 91]},
    "parzen-tfd": {
        **WINDOW,
        "n_reference": 0,
        "reference_split": "test set of each fold",
        "dataset": "tfd",
        "folds": 5,
        "sigma_grid": [0.1, 1.0, 10],
    },
    "nearest-50k": {**NEAREST, "n_generated": 50_000},
    "nearest-10m": {**NEAREST, "n_generated": 10_000_000},
    "svm-cifar10": {**CIFAR10, "labels_per_class": 0},
    "svm-cifar10-400": {**CIFAR10, "labels_per_class": 400, **DRAWN},
    "svm-svhn-1000": {**CIFAR10, **SVHN, "labels_per_class": 100, **DRAWN},
}
"""Every value that decides a score, of every other protocol."""
WORDS = ("name", "title", "note", "quantisation", "comparable_with_papers", "weights_digest", "folds_digest")


def test_the_others_are_what_they_were():
    own = {name: protocols.get(name).as_dict() for name in protocols.names() if name != "digits-2k"}
    assert {name: {k: v for k, v in d.items() if k not in WORDS} for name, d in own.items()} == VALUES


def test_as_dict_has_every_field_that_applies_and_survives_json():
    for name in protocols.names():
        protocol = protocols.get(name)
        document = protocol.as_dict()
        assert set(document) == {f.name for f in fields(protocol) if getattr(protocol, f.name) is not None}
        assert json.loads(json.dumps(document)) == document
        assert document["name"] == name


def test_any_change_shows_in_the_identity():
    protocol = protocols.get("digits-2k")
    assert replace(protocol, weights_digest="0" * 64).as_dict() != protocol.as_dict()
    assert replace(protocol, isc_splits=10).as_dict() != protocol.as_dict()
    windows = [protocols.get(name).as_dict() for name in ("parzen-mnist", "parzen-mnist-fine-sigma")]
    assert [window["sigma_grid"] for window in windows] == [[0.1, 1.0, 10], [0.1, 1.0, 91]]


def test_lenet_scores_are_never_called_comparable():
    for name in protocols.names():
        protocol = protocols.get(name)
        assert not (protocol.extractor == "digits-lenet" and protocol.comparable_with_papers)
        assert protocol.comparable_with_papers or "Not comparable" in protocol.note


def test_unknown_protocol_gets_a_suggestion():
    with pytest.raises(UserError, match="Did you mean 'digits-2k'"):
        protocols.get("digits-2")


@pytest.fixture
def weights_file(tmp_path, monkeypatch):
    file = tmp_path / "own.pth"
    file.write_bytes(b"some weights")
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(file))
    return file


def test_other_weights_make_another_protocol_comparable_with_no_paper(weights_file):
    resolved = protocols.get("fid-50k").resolved()
    assert resolved.weights_digest == hashlib.sha256(b"some weights").hexdigest()
    assert not resolved.comparable_with_papers
    assert "Not comparable with any paper: the weights are not the published" in resolved.note
    weights_file.write_bytes(b"other weights")
    assert protocols.get("fid-50k").resolved().as_dict() != resolved.as_dict()
    assert resolved.resolved() == resolved


def test_the_published_weights_keep_it_comparable(weights_file, monkeypatch):
    digest = hashlib.sha256(b"some weights").hexdigest()
    monkeypatch.setattr(weights, "INCEPTION_SHA256", digest)
    resolved = protocols.get("fid-50k").resolved()
    assert resolved == replace(protocols.get("fid-50k"), weights_digest=digest)
    assert resolved.comparable_with_papers


def test_without_weights_planning_says_how_to_get_them_and_listing_works(tmp_path, monkeypatch):
    monkeypatch.delenv("GANBENCH_WEIGHTS", raising=False)
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path))
    for name in ("is-50k", "is-5k", "is-1k", "fid-50k", "fid-5k", "kid-10k", "prc-10k"):
        assert protocols.get(name).as_dict()["weights_digest"] == ""
        with pytest.raises(UserError, match=r"ganbench verify-weights.*--weights FILE") as caught:
            protocols.get(name).resolved()
        assert str(tmp_path) in str(caught.value)
        assert caught.value.where == f"protocol '{name}'"
    assert protocols.get("digits-2k").resolved() == protocols.get("digits-2k")


def test_the_papers_protocols_are_those_of_the_claims():
    """Numbers of images and splits as `baselines/claims.toml` has them from the papers."""
    claims = tomllib.loads(files("baselines").joinpath("claims.toml").read_text(encoding="utf-8"))[
        "protocols"
    ]
    for name in ("is-50k", "is-1k"):
        assert protocols.get(name).n_generated == claims[name]["n_generated"]
        assert protocols.get(name).isc_splits == claims[name]["splits"]
    sets = protocols.get("is-5k")
    assert sets.n_generated == sets.is_sets * claims["is-5k"]["n_generated"]
    small = protocols.get("fid-5k")
    assert small.n_generated == claims["fid-5k"]["n_generated"]
    assert small.n_reference == claims["fid-5k"]["n_reference"]
    window, known = protocols.get("parzen-mnist"), claims["parzen-mnist"]
    assert (window.n_generated, window.n_reference) == (known["n_generated"], known["n_reference"])
    assert (window.reference_split, known["reference_split"]) == ("held-out", "test")
    assert window.metrics == (known["metric"],)
    assert (window.first_validation, window.n_validation) == (50_000, 1_000)  # parzen_ll.py: -l 1000
    faces, known = protocols.get("parzen-tfd"), claims["parzen-tfd"]
    assert (faces.n_generated, faces.folds) == (known["n_generated"], known["splits"])
    assert faces.reference_split == known["reference_split"]
    large = protocols.get("fid-50k")
    assert large.n_generated == claims["fid-ttur"]["n_generated"]
    assert large.reference_split == claims["fid-ttur"]["reference_split"]


def test_quantisation_is_named_and_its_difference_to_the_papers_noted():
    for name in protocols.names():
        protocol = protocols.get(name)
        if protocol.extractor == "parzen":
            assert protocol.quantisation.startswith("none")
        elif protocol.extractor == "critic":
            assert protocol.quantisation is None
        else:
            assert protocol.quantisation == "clamp, round to nearest"
            word = "rounded" if protocol.extractor == "nearest" else "truncates"
            assert not protocol.comparable_with_papers or word in protocol.note
