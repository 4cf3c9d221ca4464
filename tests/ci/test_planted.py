"""The planted bugs still fit the code; and one of them, planted: tests and gate notice it."""

import ast
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import baselines

ROOT = Path(__file__).parents[2]
SUITE = """\
title = "DCGAN, for a minute"
experiments = ["dcgan/digits"]
seeds = "0-2"
gen_iters = {gen_iters}
evaluate_every = {evaluate_every}
protocols = ["digits-2k"]
"""


def load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


bugs, trees = load("planted_bugs"), load("planted_trees")


@pytest.mark.parametrize("bug", bugs.BUGS, ids=lambda bug: bug.name)
def test_the_bug_fits_the_code(bug):
    path = ROOT / bug.path
    if bug.old:
        text = path.read_text(encoding="utf-8")
        assert text.count(bug.old) == 1
        assert bug.new != bug.old
        ast.parse(text.replace(bug.old, bug.new))
    else:
        assert not path.exists()
        ast.parse(bug.new)
    assert all((ROOT / name).is_file() for name in bug.test_files)
    assert bug.experiment in baselines.names()


@pytest.mark.parametrize("arm", trees.ARMS, ids=lambda arm: arm.name)
def test_a_simulated_machine_fits_the_code(arm, tmp_path):
    tree = trees.make(ROOT, tmp_path / "tree", arm)
    for path, _, new in arm.edits:
        assert (tree / path).read_text(encoding="utf-8").count(new) == 1
    done = trees.python(tree, "-c", "from benchmark.records import environment as e; print(e.cpu_model())")
    assert f"({arm.name})" in done.stdout


def test_every_baseline_has_bugs():
    assert min(Counter(bug.baseline for bug in bugs.BUGS).values()) >= 2
    assert {bug.baseline for bug in bugs.BUGS} == {"gan", "dcgan", "wgan", "wgan_gp", "sngan"}
    assert len(bugs.BUGS) == 40
    assert len({bug.name for bug in bugs.BUGS}) == len(bugs.BUGS)


@pytest.mark.slow
def test_a_planted_bug_is_noticed_by_tests_and_by_the_gate(tmp_path):
    (tmp_path / "one.toml").write_text(SUITE.format(gen_iters=150, evaluate_every=25))
    (tmp_path / "start.toml").write_text(SUITE.format(gen_iters=10, evaluate_every=10))
    bug = "dcgan.critic-fake-sign"
    command = [sys.executable, Path(__file__).with_name("planted.py"), "--folder", tmp_path / "work"]
    suites = ["--suite", tmp_path / "one.toml", "--start-suite", tmp_path / "start.toml"]
    steps = ["--steps", "start", "probe", "tests", "runs", "verify", "gate"]
    options = [*suites, *steps, "--reference-seeds", "0-2", "--start-seeds", "0", "--only", bug]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "work" / "planted.jsonl").read_text().splitlines()
    found = {(entry["bug"], entry["step"]): entry for entry in map(json.loads, lines)}
    assert "test_critic_losses_fall_when_real_rises_and_fake_falls" in found[bug, "tests"]["failed"]
    assert found[bug, "verify"]["accepted_run"].startswith("code: changed since the run: baselines.")
    assert found[bug, "gate"]["exit"] == 1
    outcomes = {d["metric"]: d["outcome"] for d in found[bug, "gate"]["gate"]["decisions"]}
    assert outcomes["fid"] == "regressed"
    starts = {d["outcome"] for d in found[bug, "start"]["gate"]["decisions"]}
    assert "departed" in starts
    assert {f["outcome"] for f in found[bug, "probe"]["findings"] if f["experiment"] != "scores"} == {"ours"}
    machines = [found[arm.name, "start"] for arm in trees.ARMS]
    assert not any(d["outcome"] == "departed" for one in machines for d in one["gate"]["decisions"])
    assert max(row["tolerances"] for one in machines for row in one["starts"]) < 1
    assert {f["outcome"] for f in found[trees.OTHER.name, "probe"]["findings"]} == {"unchanged"}
    assert f"`{bug}`" in done.stdout
