"""`ganbench data`: list, fetch, check; exit codes and JSON."""

import json

import click
import numpy as np
import pytest

from benchmark import data
from benchmark.cli.data import data as group
from benchmark.errors import UserError


@pytest.fixture
def ganbench_data(capsys):
    """`ganbench data ARGUMENTS`: exit code, stdout, stderr."""

    def call(*arguments):
        try:
            code = group.main([str(a) for a in arguments], standalone_mode=False) or 0
        except UserError as error:
            code = error.exit_code
            click.echo(f"ganbench: {error}", err=True)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_list_says_what_is_ready_and_where(ganbench_data, data_dir):
    code, out, _ = ganbench_data("list", "--json")
    listed = {entry["dataset"]: entry for entry in json.loads(out)}
    assert code == 0
    assert tuple(listed) == data.names()
    assert listed["digits"]["ready"]
    assert listed["digits"]["path"] is None
    assert not listed["mnist"]["ready"]
    assert listed["mnist"]["path"] == str(data_dir / "mnist")
    assert listed["mnist"]["digest"] == data.info("mnist").digest
    code, out, _ = ganbench_data("list")
    assert all(name in out for name in data.names())


def test_fetch_then_check_then_damage(ganbench_data, mirrors, miniature, tiny_mnist, tmp_path):
    files, _ = tiny_mnist
    miniature("fashion-mnist", files, [mirrors(files, "missing")])
    elsewhere = tmp_path / "elsewhere"
    base = mirrors(files)
    code, out, err = ganbench_data("fetch", "fashion-mnist", "--mirror", base, "--data-dir", elsewhere)
    assert (code, out) == (0, f"fashion-mnist: ready, {elsewhere / 'fashion-mnist'}\n")
    assert "5 images to train on, 3 held out, 1x28x28, SHA-256 " in err
    code, out, _ = ganbench_data("check", "fashion-mnist", "digits")
    assert code == 0
    assert data.info("digits").digest in out
    path = elsewhere / "fashion-mnist" / "train.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 128]))
    code, out, err = ganbench_data("check", "digits", "fashion-mnist")
    assert code == 4
    assert "is damaged" in err
    code, out, _ = ganbench_data("check", "fashion-mnist", "--json")
    assert (code, json.loads(out)[0]["ok"]) == (4, False)


def test_check_of_what_is_not_there(ganbench_data, data_dir):
    code, _, err = ganbench_data("check", "mnist")
    assert code == 4
    for part in (str(data_dir / "mnist"), data.info("mnist").digest, "ganbench data fetch mnist"):
        assert part in err


def test_offline_fetch_ends_with_2(ganbench_data, mirrors, miniature, tiny_mnist, monkeypatch):
    files, _ = tiny_mnist
    miniature("fashion-mnist", files, [mirrors(files)])
    monkeypatch.setenv("GANBENCH_OFFLINE", "")
    code, _, err = ganbench_data("fetch", "fashion-mnist", "--offline")
    assert code == 2
    assert "offline" in err
    assert mirrors.requests == []


def test_fetch_a_folder_leaving_out_what_is_broken(ganbench_data, tmp_path, picture):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(picture(np.zeros((4, 4, 3), np.uint8)))
    (tmp_path / "images" / "b.png").write_bytes(b"no")
    name = f"folder:{tmp_path / 'images'}"
    assert ganbench_data("fetch", name)[0] == 2
    code, out, _ = ganbench_data("fetch", name, "--skip-broken", "--json")
    entry = json.loads(out)[0]
    assert (code, entry["ready"], entry["train"], entry["shape"]) == (0, True, 1, [1, 4, 4])


def test_unknown_name(ganbench_data):
    assert ganbench_data("fetch", "minst")[0] == 2
    assert ganbench_data("check", "minst")[0] == 2
