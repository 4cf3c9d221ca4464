"""A portable run from another machine (AVX2, two threads) is taken as the same run by every command."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = """\
title = "GAN, for a moment"
experiments = ["gan/digits"]
seeds = [0]
gen_iters = 2
evaluate_every = 2
protocols = ["digits-2k"]
numerics = "portable"
"""
pytestmark = pytest.mark.slow


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


trees = load(ROOT / "tests" / "ci" / "planted_trees.py")
OTHER = trees.Arm("AVX2, two threads", "", trees.AVX2 | trees.PASSIVE, (trees.THREADS,))


class Machines:
    """This one, whose run is in `here`, and another one; each has made the run, in `here` and `there`."""

    def __init__(self, folder):
        self.folder, self.suite = folder, folder / "moment.toml"
        self.suite.write_text(SUITE, encoding="utf-8")
        self.tree = trees.make(ROOT, folder / "tree", OTHER)
        run = ["run", self.suite, "--no-report", "--jobs", 1, "--out"]
        assert trees.python(ROOT, "-m", "benchmark", *run, folder / "here").returncode == 0
        assert self.other(*run, folder / "there").returncode == 0

    def other(self, *arguments):
        """Run a command of ganbench on the other machine."""
        return trees.python(self.tree, "-m", "benchmark", *arguments, env=OTHER.env)

    def records(self, folder):
        return {
            path.relative_to(self.folder / folder).as_posix(): json.loads(path.read_text(encoding="utf-8"))
            for path in (self.folder / folder).rglob("record.json")
        }


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    return Machines(tmp_path_factory.mktemp("machines"))


def test_both_machines_make_the_same_run(machines):
    (here, mine), (there, other) = (*machines.records("here").items(), *machines.records("there").items())
    assert here == there
    assert mine["digests"] == other["digests"]
    assert [point["scores"] for point in mine["curve"]] == [point["scores"] for point in other["curve"]]
    threads = [json.dumps(record).partition('"threads": ')[2][0] for record in (mine, other)]
    assert threads == ["1", "2"]


def test_a_run_from_elsewhere_is_not_made_again(machines):
    shutil.copytree(machines.folder / "here", machines.folder / "moved")
    before = machines.records("moved")
    done = machines.other("run", machines.suite, "--no-report", "--out", machines.folder / "moved")
    assert done.returncode == 0
    assert "1 finished, kept as they are; 0 to do" in done.stdout + done.stderr
    assert machines.records("moved") == before


def test_verify_computes_a_run_from_elsewhere_again(machines):
    done = machines.other("verify", machines.folder / "here")
    assert done.returncode == 0, done.stdout
    assert "computed again: equal bit for bit" in done.stdout


def test_compare_says_that_bits_are_equal(machines):
    done = machines.other("compare", machines.folder / "here", machines.folder / "there", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [(row["metric"], row["same_bits"], row["difference"]) for row in rows] == [
        ("is", True, 0),
        ("fid", True, 0),
    ]


def test_check_takes_what_was_accepted_elsewhere(machines):
    out = machines.folder / "here"
    assert (
        trees.python(ROOT, "-m", "benchmark", "accept", machines.suite, "--out", out, "--yes").returncode == 0
    )
    reference = out / "reference" / "moment.json"
    found = machines.folder / "there"
    done = machines.other("check", machines.suite, "--out", found, "--reference", reference, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    decisions = json.loads(done.stdout)["gate"]["decisions"]
    assert {d["outcome"] for d in decisions} == {"unchanged"}
    assert {d["reason"] for d in decisions} == {"bit for bit the reference's: seed 0"}
