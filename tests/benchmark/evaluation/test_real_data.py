"""Protocols on the real MNIST and on CIFAR-10 as a folder of JPEGs; skipped where these are not."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmark import data
from benchmark.cli.evaluate import evaluate
from benchmark.data.fetch import fetch
from benchmark.evaluation import protocols
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.protocols import replace
from benchmark.records import store

SUITE = """\
title = "GAN Table 1, hardly trained"
experiments = ["gan/mnist"]
seeds = [0]
gen_iters = 2
evaluate_every = 2
protocols = ["parzen-mnist", "digits-2k"]
"""


def scores(*arguments):
    result = CliRunner().invoke(evaluate, [*map(str, arguments), "--json"], standalone_mode=False)
    if result.exception:
        raise result.exception
    return {r["protocol"]["name"]: r["scores"] for r in json.loads(result.stdout)["results"]}


@pytest.mark.slow
def test_a_run_on_mnist_records_what_evaluate_finds(mnist, ganbench, tmp_path):
    suite = tmp_path / "table1.toml"
    suite.write_text(SUITE)
    code, _, err = ganbench("run", suite, "--device", "cpu", "--data-dir", mnist, cwd=tmp_path).end()
    assert code == 0, err
    (directory,) = (tmp_path / "results" / "runs" / "gan" / "mnist").iterdir()
    record = store.read_record(directory)
    found = record["final"]["scores"]
    assert found["parzen-mnist"]["parzen_ll"] < record["real_data"]["parzen-mnist"]["parzen_ll"]
    assert record["real_data"]["parzen-mnist"]["parzen_ll"] == pytest.approx(241.2, abs=0.05)
    named = ("--protocol", "parzen-mnist", "--protocol", "digits-2k", "--device", "cpu")
    for protocol, values in scores(directory, *named).items():
        assert values == pytest.approx(found[protocol], rel=1e-6)


@pytest.mark.slow
def test_real_digits_are_near_the_ideal(mnist):
    floor = Evaluator([protocols.get("digits-2k")], "mnist").real_data_floor()["digits-2k"]
    assert 9.5 < floor["is"] <= 10
    assert 0 < floor["fid"] < 12  # 2 000 of training against 1 000 of test, sorted by no class


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """The test images of CIFAR-10 as JPEGs, converted as a folder; its path."""
    archive = Path(__file__).parents[4] / "shared" / "data" / "cifar10-jpeg.tar.gz"
    if not archive.is_file():
        pytest.skip(f"{archive} is not there")
    with tarfile.open(archive) as tar:
        members = [m for m in tar if m.name.startswith(("test/airplane", "test/cat"))]
        tar.extractall(tmp_path / "jpeg", members, filter="data")
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    fetch(f"folder:{tmp_path / 'jpeg' / 'test'}")
    return tmp_path / "jpeg" / "test"


@pytest.mark.slow
def test_photographs_against_themselves_and_against_others(photographs, given_weights, monkeypatch, tmp_path):
    """The Inception protocols, with random weights, on a folder of images and a folder as data set."""
    name = f"folder:{photographs}"
    assert data.info(name).shape == (3, 32, 32)
    common = replace(
        protocols.get("fid-5k"), n_generated=40, n_reference=40, reference_split="train", isc_splits=2
    )
    chosen = {
        "fid": replace(common, name="fid", metrics=("is", "fid")),
        "prc": replace(common, name="prc", metrics=("precision", "recall"), prc_neighbours=3),
    }
    monkeypatch.setattr(protocols, "get", chosen.__getitem__)
    named = ("--protocol", "fid", "--protocol", "prc", "--data", name, "--device", "cpu")
    for kind in ("airplane", "cat"):  # of more than 40 images others would be taken than the first
        (tmp_path / kind).mkdir()
        for path in sorted((photographs / kind).iterdir())[:40]:
            shutil.copy(path, tmp_path / kind)
    same, other = (scores(tmp_path / kind, *named) for kind in ("airplane", "cat"))
    assert same["prc"] == {"precision": 1.0, "recall": 1.0}  # the data set begins with the airplanes
    assert same["fid"]["fid"] == pytest.approx(0, abs=1e-2)
    assert other["fid"]["fid"] > 1e3 * abs(same["fid"]["fid"])
    assert other["prc"]["precision"] < 1
