"""Checkpoints: every bit comes back, two are kept, and nothing altered or foreign is ever loaded or run."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmark.training import checkpoint, trainer
from benchmark.training.checkpoint import DamagedCheckpoint

QUICK = Path(__file__).parents[3] / "results" / "reference" / "quick.json"


@pytest.fixture
def trained(digits_experiment, make_trainer, never, tmp_path):
    """A run of every digits experiment after three iterations, with its only checkpoint."""
    run = make_trainer(digits_experiment, tmp_path, budget=3)
    run.run(never)
    (path,) = (tmp_path / "checkpoints").iterdir()
    return run, path


@pytest.fixture
def small(make_trainer, never, tmp_path):
    run = make_trainer("wgan/digits", tmp_path, budget=1, evaluate_at=[0, 1])
    run.run(never)
    (path,) = (tmp_path / "checkpoints").iterdir()
    return run, path


def fresh(run):
    return trainer.build(run.experiment, 99, run.draws._images)


def test_a_checkpoint_of_another_run_is_refused_and_one_that_names_none_is_not(small, monkeypatch):
    run, path = small
    checkpoint.restore(path, fresh(run))
    monkeypatch.setattr(checkpoint, "_run_of", lambda folder: "a" * 64)
    checkpoint.restore(path, fresh(run))  # of a version that named none
    checkpoint.write(path.parent, run.players, {"gen_iters": 1})
    assert "run_id" not in checkpoint.restore(path, fresh(run))[0]
    monkeypatch.setattr(checkpoint, "_run_of", lambda folder: "b" * 64)
    with pytest.raises(DamagedCheckpoint, match=r"000000001.safetensors is of another run \(aaaaaaaaaaaa\)"):
        checkpoint.restore(path, fresh(run))
    monkeypatch.setattr(checkpoint, "_run_of", lambda folder: "")
    checkpoint.restore(path, fresh(run))  # where no run is, one may be looked at


def test_the_run_of_a_checkpoint_is_that_of_its_folder(tmp_path):
    record = json.loads(QUICK.read_text(encoding="utf-8"))["records"][0]
    (tmp_path / "spec.json").write_text(json.dumps(record["spec"]))
    assert checkpoint._run_of(tmp_path / "checkpoints") == record["run_id"]
    assert checkpoint._run_of(tmp_path / "none" / "checkpoints") == ""


def test_every_tensor_comes_back_in_bits_and_memory_layout(trained):
    run, path = trained
    players = fresh(run)
    state, losses = checkpoint.restore(path, players)
    assert {name: len(column) for name, column in losses.items()} == dict.fromkeys(run.last_losses(), 3)
    assert checkpoint.digest(losses) == checkpoint.digest(run.losses.columns())
    times = {"seconds": None, "checkpoint_bytes": None}
    assert {**state, **times} == {**vars(run.state), **times}
    assert state["seconds"].keys() == run.state.seconds.keys()
    expected, found = checkpoint.tensors_of(run.players), checkpoint.tensors_of(players)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert tensor.dtype == found[name].dtype
        assert tensor.numpy().tobytes() == found[name].numpy().tobytes(), name
    for part in ("generator", "critic"):
        old, new = getattr(run.players, part), getattr(players, part)
        assert [t.stride() for t in old.state_dict().values()] == [
            t.stride() for t in new.state_dict().values()
        ]
        for p, q in zip(old.parameters(), new.parameters(), strict=True):
            old_slots = getattr(run.players, f"{part}_optimiser").state[p]
            new_slots = getattr(players, f"{part}_optimiser").state[q]
            assert {k: v.stride() for k, v in old_slots.items()} == {
                k: v.stride() for k, v in new_slots.items()
            }


def test_convolutions_are_stored_from_channels_last(small):
    weights = [p for p in small[0].players.generator.parameters() if p.dim() == 4]
    assert any(w.is_contiguous(memory_format=torch.channels_last) and not w.is_contiguous() for w in weights)


def test_only_the_last_two_are_kept(small):
    run, path = small
    for gen_iters in (2, 3, 1000):
        checkpoint.write(path.parent, run.players, {"gen_iters": gen_iters})
    assert [p.name for p in checkpoint.available(path.parent)] == [
        "000001000.safetensors",
        "000000003.safetensors",
    ]
    assert len(list(path.parent.iterdir())) == 2


def test_later_checkpoints_are_removed_when_the_run_went_back_before_them(small):
    run, path = small
    for gen_iters in (8, 9):
        checkpoint.write(path.parent, run.players, {"gen_iters": gen_iters})
    checkpoint.write(path.parent, run.players, {"gen_iters": 5})
    assert [p.name for p in checkpoint.available(path.parent)] == ["000000005.safetensors"]


def test_a_flipped_byte_anywhere_is_noticed(small):
    run, path = small
    intact = path.read_bytes()
    players = fresh(run)
    header = 8 + struct.unpack("<Q", intact[:8])[0]
    places = [0, 7, 8, len(intact) - 1, *range(10, header, header // 60), *range(header, len(intact), 40_009)]
    for place in places:
        damaged = bytearray(intact)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DamagedCheckpoint):
            checkpoint.restore(path, players)


def test_an_altered_score_is_noticed(small):
    """The curve lies in the header, not among the tensors; its bits count as much."""
    run, path = small
    path.write_bytes(path.read_bytes().replace(b'images_seen\\":', b'images_seeN\\":', 1))
    with pytest.raises(DamagedCheckpoint, match="SHA-256"):
        checkpoint.restore(path, fresh(run))


@pytest.mark.parametrize("kept", [0, 1, 8, 100, 20_000, -1])
def test_a_truncated_file_is_refused(kept, small):
    run, path = small
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DamagedCheckpoint, match="cannot be read"):
        checkpoint.restore(path, fresh(run))


def test_a_missing_file_is_refused(small):
    run, path = small
    with pytest.raises(DamagedCheckpoint, match="cannot be read"):
        checkpoint.restore(path.with_name("000000002.safetensors"), fresh(run))


@pytest.mark.parametrize("other", ["gan/digits", "wgan_gp/digits", "sngan/digits"])
def test_a_checkpoint_of_other_networks_is_refused(other, small, make_trainer, tmp_path):
    with pytest.raises(DamagedCheckpoint, match="belongs to other networks"):
        checkpoint.restore(small[1], make_trainer(other, tmp_path / "other").players)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"ganbench": "{}"},
        {"ganbench": "[]", "ganbench_sha256": ""},
        {"ganbench": "x"},
    ],
)
def test_a_safetensors_file_that_is_no_checkpoint_is_refused(metadata, small):
    run, path = small
    save_file({"a": torch.zeros(2)}, path, metadata=metadata)
    with pytest.raises(DamagedCheckpoint, match="cannot be read"):
        checkpoint.restore(path, fresh(run))


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("write", [lambda o, p: p.write_bytes(pickle.dumps(o)), torch.save])
def test_a_pickle_under_the_name_of_a_checkpoint_is_refused_and_not_run(write, small, tmp_path):
    run, path = small
    write(Bomb(tmp_path / "executed"), path)
    with pytest.raises(DamagedCheckpoint, match="cannot be read"):
        checkpoint.restore(path, fresh(run))
    assert not (tmp_path / "executed").exists()


def test_the_digest_names_every_property_of_a_tensor():
    base = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(1)}
    variants = [
        {"a": base["a"], "c": base["b"]},
        {"a": base["a"].reshape(3, 2), "b": base["b"]},
        {"a": base["a"].view(torch.int32), "b": base["b"]},
        {"a": base["a"].nextafter(torch.tensor(9.0)), "b": base["b"]},
        {"a": base["a"]},
    ]
    assert len({checkpoint.digest(tensors) for tensors in [base, *variants]}) == 6


def test_the_digest_ignores_memory_layout_and_order_of_the_names():
    a = torch.arange(48.0).reshape(2, 2, 3, 4)
    assert checkpoint.digest({"a": a, "b": a}) == checkpoint.digest(
        {"b": a, "a": a.contiguous(memory_format=torch.channels_last)}
    )


@pytest.mark.parametrize(
    "text",
    [
        '"text"',
        "[1]",
        "[" * 100_000,
        '{"gen_iters": 1e400}',
        '{"gen_iters": true}',
        "{}",
        '{"gen_iters": -1, "tensors_sha256": "%(digest)s"}',
        '{"gen_iters": 1, "tensors_sha256": "%(digest)s", "curve": [{}]}',
        '{"gen_iters": 0, "tensors_sha256": "%(digest)s", "gen_iters": 1}',
        '{"gen_iters": 1, "tensors_sha256": "%(digest)s", "seconds": {"wall_s": null}}',
    ],
)
def test_a_state_that_is_none_is_damage_though_all_digests_fit(text, tmp_path):
    tensors = {"generator.x": torch.zeros(2)}
    text = text.replace("%(digest)s", checkpoint.digest(tensors))
    header = {"ganbench": text, "ganbench_sha256": checkpoint._sha256(text)}
    save_file(tensors, tmp_path / "000000001.safetensors", metadata=header)
    with pytest.raises(DamagedCheckpoint, match="cannot be read"):
        checkpoint.read(tmp_path / "000000001.safetensors")


def test_a_file_of_another_name_is_no_checkpoint_and_stays(small):
    run, path = small
    copy = path.with_name(f"{path.stem} (1).safetensors")
    copy.write_bytes(path.read_bytes())
    assert checkpoint.available(path.parent) == [path]
    for k in (2, 3):
        checkpoint.write(path.parent, run.players, {**vars(run.state), "gen_iters": k})
    assert [file.stem for file in checkpoint.available(path.parent)] == ["000000003", "000000002"]
    assert copy.exists()
