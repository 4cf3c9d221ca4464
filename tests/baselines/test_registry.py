"""The registry: the catalogue is never wrong, and an experiment of a third party is one like any other."""

import json
import os
import subprocess
import sys

import pytest

import baselines
from baselines import catalogue

PLUGIN = """
from dataclasses import replace
from baselines import gan

EXPERIMENTS = (
    replace(
        gan.DIGITS,
        name="tiny/digits",
        title="A third party's GAN",
        settings=gan.DIGITS.settings.revised(
            generator_units=(8, "its README", "suite"), maxout_units=(4, "its README", "suite")
        ),
    ),
)
"""
SUITE = """
title = "Third party"
experiments = ["tiny/digits"]
seeds = "7"
gen_iters = 3
evaluate_every = 3
protocols = ["digits-2k"]
"""


@pytest.fixture
def plugin(tmp_path):
    """A distribution with a module under the entry-point group, on the path of child processes."""
    (tmp_path / "tiny_gan.py").write_text(PLUGIN)
    info = tmp_path / "tiny_gan-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-gan\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganbench.baselines]\ntiny = tiny_gan\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}


def ganbench(*arguments, env, cwd):
    command = [sys.executable, "-m", "benchmark", *arguments]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_committed_catalogue_is_what_the_baseline_files_say():
    described = catalogue.read()
    assert described is not None, "run `python -m baselines`"
    computed = json.loads(json.dumps(catalogue.compute(catalogue.MODULES)))
    assert described == computed


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: "[]", lambda text: "{}"])
def test_damaged_catalogue_is_not_used(tmp_path, damage):
    path = tmp_path / "catalogue.json"
    path.write_text(damage(catalogue.PATH.read_text(encoding="utf-8")), encoding="utf-8")
    assert catalogue.read(path) is None


def test_catalogue_older_than_a_source_is_not_used(tmp_path):
    content = json.loads(catalogue.PATH.read_text(encoding="utf-8"))
    content["sources"]["baselines.layers"] = "0" * 64
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert catalogue.read(path) is None


def test_sources_follow_the_imports():
    assert set(catalogue.sources("baselines.wgan")) >= {
        "baselines.wgan",
        "baselines.wgan_gp",
        "baselines.layers",
        "baselines.losses",
        "baselines.optimisers",
        "baselines.spec",
    }
    assert "baselines.wgan" not in catalogue.sources("baselines.gan")


def test_names_are_unique_and_belong_to_their_baseline():
    experiments = list(map(baselines.get, baselines.names()))
    assert [e.name for e in experiments] == list(baselines.names())
    assert {e.baseline for e in experiments} == {"gan", "dcgan", "wgan", "wgan_gp", "sngan"}
    assert len(set(baselines.names())) == len(baselines.names())


def test_unknown_name_is_an_error_of_its_own():
    with pytest.raises(baselines.UnknownExperiment, match="gan/mnits"):
        baselines.get("gan/mnits")


def test_third_party_experiment_is_listed_and_run(plugin, tmp_path):
    listed = ganbench("list", "experiments", "--json", env=plugin, cwd=tmp_path)
    names = [entry["experiment"] for entry in json.loads(listed.stdout)]
    assert names[-1] == "tiny/digits"
    assert names[:-1] == list(baselines.names())

    (tmp_path / "third.toml").write_text(SUITE)
    done = ganbench("run", "third.toml", "--device", "cpu", env=plugin, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results" / "runs" / "tiny" / "digits").glob("*/record.json")
    record = json.loads(path.read_text())
    assert record["experiment"] == "tiny/digits"
    assert record["final"]["gen_iters"] == 3
    assert "tiny_gan" in record["spec"]["sources"]
    assert record["spec"]["experiment"]["settings"]["maxout_units"]["source"] == "its README"
