"""The registry: the catalogue is never wrong, and an experiment of a third party is one like any other."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import baselines
from baselines import catalogue

BASELINES = ("gan", "dcgan", "wgan", "wgan_gp", "sngan")
PLUGIN = Path(__file__).with_name("plugin")
"""A third party's installed distribution."""
SUITE = """
title = "Third party"
experiments = ["tiny/digits"]
seeds = "7"
gen_iters = 3
evaluate_every = 3
protocols = ["digits-2k"]
"""


@pytest.fixture
def with_plugin():
    """Environment of a child process on whose path the third party's distribution is."""
    return {**os.environ, "PYTHONPATH": importing_from(PLUGIN)}


def importing_from(folder):
    """A `PYTHONPATH` with it before what is there, and without an empty entry: that is the current folder."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def ganbench(*arguments, env, cwd):
    command = [sys.executable, "-m", "benchmark", *arguments]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True)


def test_committed_catalogue_is_what_the_baseline_files_say():
    described = catalogue.read()
    assert described is not None, "run `python -m baselines`"
    computed = json.loads(json.dumps(catalogue.compute(catalogue.MODULES)))
    assert described == computed


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-9],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace("imports", "import"),
        lambda text: '{"sources": {"baselines.gan": ""}, "experiments": {}}',
    ],
)
def test_damaged_catalogue_is_not_used(tmp_path, damage):
    path = tmp_path / "catalogue.json"
    path.write_text(damage(catalogue.PATH.read_text(encoding="utf-8")), encoding="utf-8")
    assert catalogue.read(path) is None


def test_catalogue_older_than_a_source_is_not_used(tmp_path):
    content = json.loads(catalogue.PATH.read_text(encoding="utf-8"))
    content["sources"]["baselines.layers"]["file"] = "0" * 64
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert catalogue.read(path) is None


def test_what_is_added_to_the_catalogue_once_read_stays_out_of_it():
    catalogue.read()["tiny/digits"] = {}
    assert "tiny/digits" not in catalogue.read()


def test_what_the_catalogue_says_of_sources_is_what_parsing_them_finds(monkeypatch):
    said = json.loads(catalogue.PATH.read_text(encoding="utf-8"))["sources"]
    monkeypatch.setattr(catalogue, "_load", lambda path: {"sources": {}, "experiments": {}})
    assert catalogue._read_sources(catalogue.MODULES) == said


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
    names = [name for name in baselines.names() if baselines.variant(name) is None]
    experiments = list(map(baselines.get, names))
    assert [e.name for e in experiments] == names
    assert {e.baseline for e in experiments} == set(BASELINES)
    declared = [e.name for module in catalogue.MODULES for e in importlib.import_module(module).EXPERIMENTS]
    assert declared == names
    for experiment in experiments:
        file = baselines.described(experiment.name)["module"].rsplit(".", 1)[-1]
        assert file in (experiment.baseline, "gan_float64", "one_network")


@pytest.mark.parametrize("baseline", BASELINES)
def test_each_baseline_has_a_headline_and_a_run_without_download(baseline):
    experiments = importlib.import_module(f"baselines.{baseline}").EXPERIMENTS
    assert any(e.headline for e in experiments)
    assert any(e.dataset == "digits" for e in experiments)


def test_unknown_name_is_an_error_of_its_own():
    with pytest.raises(baselines.UnknownExperiment, match="gan/mnits"):
        baselines.get("gan/mnits")


@pytest.mark.slow
def test_third_party_experiment_is_listed_and_run(with_plugin, tmp_path):
    listed = ganbench("list", "experiments", "--json", env=with_plugin, cwd=tmp_path)
    names = [entry["experiment"] for entry in json.loads(listed.stdout)]
    assert names[-1] == "tiny/digits"
    assert names[:-1] == [name for name in baselines.names() if baselines.variant(name) is None]

    (tmp_path / "third.toml").write_text(SUITE)
    asked = ("run", "third.toml", "--device", "cpu", "--no-report")
    done = ganbench(*asked, env=with_plugin, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results" / "runs" / "tiny" / "digits").glob("*/record.json")
    record = json.loads(path.read_text())
    assert record["experiment"] == "tiny/digits"
    assert record["final"]["gen_iters"] == 3
    assert "tiny_gan" in record["spec"]["sources"]
    assert record["spec"]["experiment"]["settings"]["width"]["source"] == "tiny-gan's README"

    cited = ganbench("cite", "third.toml", env=with_plugin, cwd=tmp_path).stdout
    assert cited.startswith("@article{mao2016lsgan,\n  author = {Mao, Xudong and others},")
    assert "@software{ganbench" in cited


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "import nothing_like_it",
            " left out: ModuleNotFoundError: No module named 'nothing_like_it' (broken.py:1)",
        ),
        ("", " cannot be loaded and is left out: AttributeError: broken has no EXPERIMENTS"),
        (
            "from baselines.gan import EXPERIMENTS",
            ": 'gan/digits' cannot be loaded and is left out: the name is taken",
        ),
        (
            "from dataclasses import replace\nfrom baselines import gan\n"
            "EXPERIMENTS = (replace(gan.DIGITS, name='nameless'),)",
            "'nameless' is no name: baseline/experiment",
        ),
        pytest.param(
            "from dataclasses import replace\nfrom baselines import gan\n"
            "EXPERIMENTS = (replace(gan.DIGITS, name='a/b'), replace(gan.DIGITS, name='a/b'))",
            "'a/b' is the name of two experiments",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_broken_plugin_is_named_and_the_others_are_listed(source, says, tmp_path):
    (tmp_path / "broken.py").write_text(source)
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganbench.baselines]\nbad = broken\n")
    env = {**os.environ, "PYTHONPATH": importing_from(tmp_path)}
    done = ganbench("list", "experiments", "--json", env=env, cwd=tmp_path)
    assert done.returncode == 0
    own = [name for name in baselines.names() if baselines.variant(name) is None]
    assert [entry["experiment"] for entry in json.loads(done.stdout)] == own
    (told,) = [line for line in done.stderr.splitlines() if "still waiting" not in line]
    assert told.startswith("ganbench: the plugin 'bad' (broken)")
    assert told.endswith(". Fix or uninstall it")
    assert says in told
    assert "Traceback" not in done.stderr
