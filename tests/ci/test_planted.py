"""The planted bugs still fit the code; and one of them, planted: tests and gate notice it."""

import ast
import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = """\
title = "DCGAN, for a minute"
experiments = ["dcgan/digits"]
seeds = "0-2"
gen_iters = 150
evaluate_every = 25
protocols = ["digits-2k"]
"""


def load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


bugs = load("planted_bugs")


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


def test_every_baseline_has_bugs():
    assert min(Counter(bug.baseline for bug in bugs.BUGS).values()) >= 2
    assert {bug.baseline for bug in bugs.BUGS} == {"gan", "dcgan", "wgan", "wgan_gp", "sngan"}
    assert len(bugs.BUGS) >= 12
    assert len({bug.name for bug in bugs.BUGS}) == len(bugs.BUGS)


@pytest.mark.slow
def test_a_planted_bug_is_noticed_by_tests_and_by_the_gate(tmp_path):
    (tmp_path / "one.toml").write_text(SUITE)
    bug = "dcgan.critic-fake-sign"
    command = [sys.executable, Path(__file__).with_name("planted.py"), "--folder", tmp_path / "work"]
    options = ["--suite", tmp_path / "one.toml", "--reference-seeds", "0-2", "--only", bug]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "work" / "planted.jsonl").read_text().splitlines()
    found = {(entry["bug"], entry["step"]): entry for entry in map(json.loads, lines)}
    assert "test_critic_losses_fall_when_real_rises_and_fake_falls" in found[bug, "tests"]["failed"]
    assert found[bug, "verify"]["accepted_run"].startswith("code: changed since the run: baselines.")
    assert found[bug, "gate"]["exit"] == 1
    outcomes = {d["metric"]: d["outcome"] for d in found[bug, "gate"]["gate"]["decisions"]}
    assert outcomes["fid"] == "regressed"
    assert f"`{bug}`" in done.stdout
