"""Files are whole or absent: a failure on the way leaves the old content and no litter."""

import json
import os

import pytest

from benchmark.records import atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("write", [atomic.write_json, atomic.write_scratch_json])
def test_json_replaces_the_old_content(write, tmp_path):
    path = tmp_path / "a ü.json"
    for value in ({"é": [1.5, None]}, [], {"b": 2**70}):
        write(path, value)
        assert json.loads(path.read_text(encoding="utf-8")) == value
    assert names(tmp_path) == ["a ü.json"]


def test_text_is_written_readably(tmp_path):
    atomic.write_json(tmp_path / "a.json", {"é": 1})
    assert (tmp_path / "a.json").read_bytes() == '{\n "é": 1\n}\n'.encode()


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}])
def test_numbers_that_json_does_not_have_are_refused_before_anything_is_written(value, tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        atomic.write_json(tmp_path / "a.json", value)
    assert names(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "rename"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_keeps_the_old_content_and_leaves_no_litter(step, error, tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    path.write_bytes(b"old")

    def fail(*_):
        raise error

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(type(path), "replace", fail)
    with pytest.raises(type(error)):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["record.json"]


def test_content_and_directory_reach_the_disk_before_and_after_the_rename(tmp_path, monkeypatch):
    path, steps = tmp_path / "a", []
    fsync = os.fsync

    def noted(descriptor):
        steps.append(("directory" if os.path.isdir(descriptor) else "file", path.exists()))  # noqa: PTH112
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    atomic.write_bytes(path, b"x")
    assert steps == [("file", False), ("directory", True)]
