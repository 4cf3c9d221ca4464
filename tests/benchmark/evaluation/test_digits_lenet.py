"""The committed LeNet is the recorded one, it recognises digits, and no other weights are ever used."""

import hashlib
import json
import pickle
import shutil

import pytest
import torch

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import digits_lenet, extractors, protocols, weights
from benchmark.evaluation.evaluator import frame
from benchmark.evaluation.train_digits_lenet import MAX_SHIFT, accuracy, place


@pytest.fixture
def copied_weights(tmp_path):
    for suffix in (".safetensors", ".json"):
        shutil.copy(digits_lenet.WEIGHTS_PATH.with_suffix(suffix), tmp_path)
    return tmp_path / digits_lenet.WEIGHTS_PATH.name


def test_record_describes_the_committed_file():
    record = weights.record(digits_lenet.WEIGHTS_PATH)
    content = digits_lenet.WEIGHTS_PATH.read_bytes()
    assert record["weights_sha256"] == hashlib.sha256(content).hexdigest()
    assert record["weights_sha256"] == protocols.get("digits-2k").weights_digest
    assert len(content) < 1_000_000
    assert record["n_parameters"] == sum(p.numel() for p in digits_lenet.load().parameters())
    assert record["test_accuracy"] >= 0.99


def test_layer_sizes_are_lenet5s():
    # C1 6x(25+1), C3 16x(6x25+1) (fully connected), C5 120x(16x25+1), F6 84x(120+1), output 10x(84+1).
    assert weights.record(digits_lenet.WEIGHTS_PATH)["n_parameters"] == 156 + 2416 + 48120 + 10164 + 850


def test_recognises_the_held_out_digits():
    assert (
        accuracy(
            digits_lenet.load(), data.load("digits", "held-out")[:, 0], data.load_labels("digits", "held-out")
        )
        >= 0.98
    )


def test_one_flipped_bit_is_refused(copied_weights):
    content = bytearray(copied_weights.read_bytes())
    content[len(content) // 2] ^= 1
    copied_weights.write_bytes(content)
    with pytest.raises(UserError, match="Restore the file") as caught:
        digits_lenet.load(copied_weights)
    assert str(copied_weights) in str(caught.value)


def test_untouched_copy_is_accepted(copied_weights):
    copy, committed = digits_lenet.load(copied_weights), digits_lenet.load()
    assert all(torch.equal(a, b) for a, b in zip(copy.parameters(), committed.parameters(), strict=True))


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("forged", [False, True], ids=["record as it was", "record forged too"])
def test_a_pickle_is_refused_and_not_run(copied_weights, forged, tmp_path):
    content = pickle.dumps(Bomb(tmp_path / "executed"))
    copied_weights.write_bytes(content)
    if forged:
        record = {**weights.record(copied_weights), "weights_sha256": hashlib.sha256(content).hexdigest()}
        copied_weights.with_suffix(".json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="Restore the file"):
        digits_lenet.load(copied_weights)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("record", [None, "not JSON", "[]", json.dumps({"seed": 0})])
def test_unusable_record_is_refused(copied_weights, record):
    path = copied_weights.with_suffix(".json")
    path.unlink()
    if record is not None:
        path.write_text(record, encoding="utf-8")
    with pytest.raises(UserError, match="no usable training record"):
        digits_lenet.load(copied_weights)


def test_missing_weights_are_a_user_error(copied_weights):
    copied_weights.unlink()
    with pytest.raises(UserError, match="cannot read"):
        digits_lenet.load(copied_weights)


def test_loading_draws_nothing_and_leaves_an_inference_net():
    before = torch.get_rng_state()
    net = digits_lenet.load()
    assert torch.equal(torch.get_rng_state(), before)
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 1, 32, 32),
        torch.zeros(2, 1, 28, 28, dtype=torch.uint8),
        torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
    ],
    ids=["float", "28 pixels", "three channels"],
)
def test_other_inputs_are_refused(images):
    with pytest.raises(ValueError, match="takes uint8 images"):
        digits_lenet.load()(images)


def test_features_are_what_the_logits_are_computed_from():
    net = digits_lenet.load()
    features, logits = net(frame(data.load("digits", "held-out")[:8], 32))
    assert features.shape == (8, 84)
    assert (features >= 0).all()
    assert torch.equal(net.output(features), logits)


def test_batching_does_not_change_the_features():
    net, images = digits_lenet.load(), frame(data.load("digits", "held-out")[:700], 32)
    features, logits = extractors.extract(net, images, torch.device("cpu"))
    assert torch.allclose(features, net(images)[0], atol=1e-4)
    assert torch.allclose(logits, net(images)[1], atol=1e-4)


def test_training_offsets_move_the_digit_without_losing_ink():
    images = data.load("digits", "train")[:25, 0]
    offsets = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    placed = place(images, offsets)
    assert torch.equal(placed.flatten(1).sum(1), images.flatten(1).sum(1))
    for frame_, image, (row, column) in zip(placed, images, offsets.tolist(), strict=True):
        assert torch.equal(frame_[0, row : row + 28, column : column + 28], image)
    # Accuracy is measured where the evaluator puts the digits.
    centred = torch.full((25, 2), MAX_SHIFT)
    assert torch.equal(place(images, centred), frame(images[:, None], 32))


def test_unknown_extractor_gets_a_suggestion():
    with pytest.raises(UserError, match="Did you mean 'digits-lenet'"):
        extractors.load("digit-lenet")
