"""What is opened is a regular file of bounded size, whoever opens it."""

import json
import os
import socket
from contextlib import chdir

import pytest
from PIL import Image

from benchmark.data import pixels
from benchmark.judging import verify
from benchmark.records import bounded, locks, loss_file
from benchmark.records.bounded import Unreadable
from benchmark.report import remarks, samples
from benchmark.training import checkpoint


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def folder(path):
    path.mkdir()


def loop(path):
    path.symlink_to(path.name)


def enormous(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


def bound(path):
    with socket.socket(socket.AF_UNIX) as made, chdir(path.parent):
        made.bind(path.name)


ODD = [pipe, endless, folder, loop, enormous, bound]


@pytest.mark.parametrize("make", ODD)
def test_what_is_odd_is_refused_at_once(make, tmp_path):
    path = tmp_path / "odd"
    make(path)
    for ask in (bounded.read, bounded.check_regular):
        with pytest.raises(Unreadable):
            ask(path, 100)


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "file"
    for ask in (bounded.read, bounded.check_regular):
        with pytest.raises(FileNotFoundError):
            ask(path, 4)
    path.write_bytes(b"12345")
    for ask in (bounded.read, bounded.check_regular):
        with pytest.raises(Unreadable, match="at most"):
            ask(path, 4)
    bounded.check_regular(path, 5)
    assert bounded.read(path, 5) == b"12345"
    assert bounded.read(path, 2, tail=True) == b"45"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": 1, "\\u0061": 1}',
        '[{"b": {"é": [], "x": ":", "é": []}}]',
        '{"a\\\\":1, "a\\\\" :1}',
    ],
)
def test_a_key_that_comes_twice_is_refused(text):
    with pytest.raises(Unreadable, match="twice"):
        bounded.parse(text.encode())


@pytest.mark.parametrize(
    "text", ['{"a:": "\\":"}', '{"a\\\\": ":\\\\"}', '[[], {}, 1, {"a": {"a": {"a": "{\\"a\\":1}"}}}]']
)
def test_colons_in_texts_are_no_keys(text):
    assert bounded.parse(text.encode()) == json.loads(text)


@pytest.mark.parametrize("make", ODD)
def test_everything_in_a_run_may_be_odd(make, tmp_path):
    for name in (loss_file.NAME, ".lock", "000000008.safetensors", "000000008.png"):
        make(tmp_path / name)
    with pytest.raises(loss_file.UnusableLosses):
        loss_file.read(tmp_path, {"digests": {}})
    with pytest.raises(checkpoint.DamagedCheckpoint):
        checkpoint.read(tmp_path / "000000008.safetensors")
    assert not locks.is_held(tmp_path)
    assert verify._damaged_grids(tmp_path, {"000000008.png": "0" * 64}) == ["000000008.png"]
    shown = samples._grid("gan/digits", (tmp_path / "000000008.png", 0, 8), None)
    assert shown.uri is None
    with pytest.raises(pixels.BrokenImage):
        pixels.decode(tmp_path / "000000008.png")


def test_a_bomb_among_the_samples_is_not_decoded(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert verify._damaged_grids(tmp_path, {"bomb.png": "0" * 64}) == ["bomb.png"]
    assert samples._grid("gan/digits", (tmp_path / "bomb.png", 0, 8), None).uri is None


@pytest.mark.parametrize("make", ODD)
def test_what_reports_and_published_runs_take_may_be_odd(make, tmp_path):
    make(tmp_path / "odd")
    assert samples._cut(tmp_path / "odd", "") is None
    assert not remarks.collapsed(tmp_path / "odd")
    assert not verify._generator_check(tmp_path / "odd", {"digests": {}}).ok
