"""The reference file: what it holds, how it diffs, what it refuses."""

import copy
import json
from pathlib import Path

import pytest

from benchmark.errors import UserError
from benchmark.judging import accepted
from benchmark.records import identity, record

ACCEPTED = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
TEMPLATE = json.loads(ACCEPTED.read_text(encoding="utf-8"))["records"][0]


def make(experiment="gan/digits", seed=0, memory=20.5):
    content = copy.deepcopy(TEMPLATE)
    content["spec"]["seed"] = seed
    content["spec"]["experiment"] |= {"name": experiment, "baseline": experiment.split("/")[0]}
    content |= {"experiment": experiment, "baseline": experiment.split("/")[0], "seed": seed}
    ids = {"cell_id": identity.cell_id(content["spec"]), "run_id": identity.run_id(content["spec"])}
    return record.sealed({**content, **ids, "peak_memory_mib": memory})


RECORDS = [make(name, seed) for name in ("gan/digits", "wgan/digits") for seed in (0, 1, 10)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reference" / "small.json"


def test_records_come_back_whole_in_order(path):
    accepted.write(path, "small", RECORDS[::-1])
    assert accepted.read(path) == RECORDS
    assert json.loads(path.read_text())["suite"] == "small"


def test_any_order_gives_the_same_bytes(path):
    accepted.write(path, "small", RECORDS)
    before = path.read_bytes()
    accepted.write(path, "small", [dict(reversed(r.items())) for r in RECORDS[::-1]])
    assert path.read_bytes() == before


def test_one_changed_score_changes_two_lines(path):
    accepted.write(path, "small", RECORDS)
    before = path.read_text().splitlines()
    accepted.write(path, "small", [make(memory=19.25), *RECORDS[1:]])
    after = path.read_text().splitlines()
    differing = [line.strip() for line, old in zip(after, before, strict=True) if line != old]
    assert [line.split(":")[0] for line in differing] == ['"peak_memory_mib"', '"record_sha256"']


def test_nothing_is_left_of_a_write_that_failed(path):
    accepted.write(path, "small", RECORDS)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="nan"):
        accepted.write(path, "small", [{**RECORDS[0], "final": float("nan")}])
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["small.json"]


def test_no_file_is_no_reference(path):
    assert accepted.read(path) is None


def test_a_record_of_another_cell_than_its_settings_say_is_refused(path):
    forged = copy.deepcopy(RECORDS[0])
    forged["spec"]["experiment"]["settings"]["learning_rate"]["value"] = 123.0
    accepted.refuse_forged(RECORDS, path)
    with pytest.raises(UserError, match="the cell_id of gan/digits seed 0 is not that of its spec"):
        accepted.refuse_forged([*RECORDS[1:], forged], path)


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c["records"][4].update(seed=2), "the record of wgan/digits seed 2 was altered"),
        (lambda c: c["records"][1].pop("final"), "the record of gan/digits seed 1 was altered"),
        (lambda c: c["records"][0].update(schema_version=1), "the record of gan/digits seed 0 has schema 1"),
        (lambda c: c["records"].append(RECORDS[0]), "there are two records of gan/digits seed 0"),
        (lambda c: c.update(schema_version=7), "has schema 7; this version reads 1"),
        (lambda c: c.pop("records"), "is no reference of ganbench"),
        (lambda c: c.update(records=[3]), "is no reference of ganbench"),
    ],
)
def test_edited_files_are_refused(edit, message, path):
    accepted.write(path, "small", RECORDS)
    change(path, edit)
    with pytest.raises(UserError, match="Take it from git") as caught:
        accepted.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(UserError):
        accepted.read(path)


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    Path(tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        accepted.write(tmp_path / "file" / "x.json", "small", RECORDS)
