"""What lies on disk was damaged, cut off or replaced by something hostile between two sessions."""

import json
import pickle
import shutil

import pytest

from benchmark.records import store


@pytest.fixture
def interrupted(whole, tmp_path):
    """The suite as if both runs had been killed just before their records were written."""
    out = shutil.copytree(whole, tmp_path / "results")
    for path in out.rglob("record.json"):
        path.unlink()
    return out


@pytest.fixture
def first(interrupted):
    """The directory of seed 0, whose files the tests damage."""
    (directory,) = (
        p.parent for p in interrupted.rglob("spec.json") if store.read_spec(p.parent)["seed"] == 0
    )
    return directory


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize(
    ("fault", "damage", "files", "went_on"),
    [
        pytest.param(
            "newest checkpoint truncated", truncate, ("000000008",), "from 6", marks=pytest.mark.slow
        ),
        pytest.param(
            "newest checkpoint with a flipped bit", flip, ("000000008",), "from 6", marks=pytest.mark.slow
        ),
        pytest.param(
            "both checkpoints damaged",
            flip,
            ("000000008", "000000006"),
            "from the beginning",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_damaged_checkpoint_costs_only_time(
    fault, damage, files, went_on, first, interrupted, ganbench, suite, expected, bits_of, row
):
    for name in files:
        damage(first / "checkpoints" / f"{name}.safetensors")
    ended = ganbench("run", suite, "--device", "cpu", "--no-report")
    assert ended.code == 0
    message = ended.line(rf"seed 0: checkpoint {files[0]}\.safetensors (cannot be read|does not have)")
    assert len([line for line in ended.stderr.splitlines() if ": checkpoint 0" in line]) == len(files)
    assert ended.line(rf"seed 0: (went on|started) {went_on}")
    assert bits_of(interrupted) == expected
    row(fault, 0, f"{message} … {went_on}", f"the run goes on {went_on}; its record has the same bits")


@pytest.mark.slow
def test_a_missing_checkpoint_costs_only_time(first, interrupted, ganbench, suite, expected, bits_of, row):
    (first / "checkpoints" / "000000008.safetensors").unlink()
    ended = ganbench("run", suite, "--device", "cpu", "--no-report")
    assert ended.code == 0
    message = ended.line(r"seed 0: checkpoint 000000008\.safetensors is missing")
    assert ended.line("seed 0: went on from 6")
    assert ended.stderr.count("is missing") == 1
    assert bits_of(interrupted) == expected
    row("newest checkpoint missing", 0, f"{message} … from 6", "the run goes on from 6; same bits")


@pytest.mark.slow
def test_a_pickle_in_place_of_a_checkpoint_is_not_executed(
    first, interrupted, ganbench, suite, expected, bits_of, tmp_path, row
):
    (first / "checkpoints" / "000000008.safetensors").write_bytes(pickle.dumps(Bomb(tmp_path / "executed")))
    ended = ganbench("run", suite, "--device", "cpu", "--no-report")
    assert ended.code == 0
    assert not (tmp_path / "executed").exists()
    assert bits_of(interrupted) == expected
    row("a hostile pickle as checkpoint", 0, ended.line("seed 0: checkpoint"), "never executed; same bits")


@pytest.mark.slow
def test_a_damaged_record_is_made_again(whole, ganbench, suite, expected, bits_of, tmp_path, row):
    out = shutil.copytree(whole, tmp_path / "results")
    damaged, *_ = [run.directory for run in store.records_below(out)[0]]
    truncate(damaged / "record.json")
    with (damaged / "events.jsonl").open("ab") as events:
        events.write(b'\xff\xfe{"event": "fin')
    runs = json.loads(ganbench("status", suite, "--device", "cpu", "--json").stdout)
    (reason,) = (run["reason"] for run in runs if run["state"] == "interrupted")
    assert reason.startswith("damaged: ")
    ended = ganbench("run", suite, "--device", "cpu", "--no-report")
    assert ended.code == 0
    assert "1 finished, kept as they are; 1 to do (1 continued from a checkpoint)" in ended.stderr
    assert bits_of(out) == expected
    row(
        "record.json or a line of events.jsonl damaged",
        0,
        f"interrupted: {reason.replace(str(damaged.relative_to(tmp_path)), 'RUN')}",
        "the record is made again from the last checkpoint; same bits",
    )
