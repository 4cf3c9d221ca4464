"""The workflows, performed on this machine from their own files: shards, artifacts, merge, report, gate."""

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from benchmark.records import identity, record

SUITE = """\
title = "A rehearsal"
experiments = ["gan/digits", "dcgan/digits"]
seeds = "0-1"
gen_iters = 10
evaluate_every = 5
protocols = ["digits-2k"]
"""
SEEDS = ("0", "1")
GANBENCH = (sys.executable, "-m", "benchmark")
SUMMARY_LIMIT = 2**20
"""Bytes beyond which a job summary is dropped."""

pytestmark = pytest.mark.slow


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(SUITE)
    return path


class Rehearsal:
    """gpu-regression.yml with a suite that a CPU can do, and a checkout that keeps its reference."""

    def __init__(self, runner, suite, folder):
        self.runner, self.suite, self.folder = runner, suite, folder
        self.given = {
            "SUITE": str(suite),
            "SEEDS": "",
            "DEVICE": "cpu",
            "GANBENCH_DATA_DIR": str(folder / "data"),
            "GANBENCH_WEIGHTS": "",
        }
        self.reference = folder / "reference"

    def workspace(self, name):
        """An empty folder with the accepted reference, as a checkout has it."""
        path = self.folder / name
        path.mkdir()
        if self.reference.exists():
            shutil.copytree(self.reference, path / "results" / "reference")
        return path

    def train(self, seed):
        """One leg of the matrix, on a machine of its own."""
        workspace = self.workspace(f"gpu machine {seed}")
        return self.runner.perform("train", workspace, {**self.given, "SEED": seed}, {"seed": seed})

    def check(self, name):
        """The job that merges and judges; gives what it did and its workspace."""
        workspace = self.workspace(name)
        return self.runner.perform("check", workspace, self.given), workspace


@pytest.fixture
def rehearsal(runner, suite, tmp_path):
    return Rehearsal(runner("gpu-regression.yml"), suite, tmp_path)


def worsen(path):
    """Make a finished run look as if other code had made it, with a much worse FID."""
    content = json.loads(path.read_text())
    content["spec"]["sources"] = dict.fromkeys(content["spec"]["sources"], "0" * 64)
    content["run_id"] = identity.run_id(content["spec"])
    for point in [*content["curve"], content["final"]]:
        for scores in point["scores"].values():
            scores["fid"] *= 1.5
    content["digests"]["generator_weights"] = "0" * 64
    content.pop("record_sha256")
    path.write_text(json.dumps(record.sealed(content)))
    shutil.move(path.parent, path.parent.with_name(f"{content['run_id'][:12]}-{content['env_id'][:8]}"))


def test_shards_merge_into_one_gate(rehearsal):
    for seed in SEEDS:
        done = rehearsal.train(seed)
        assert not done.failed, done.output
        assert "no GPU: a rehearsal" in done.output["Machine"]
    # What leaves the GPU machine: records and samples, no checkpoint.
    names = {path.name for path in rehearsal.runner.artifacts.iterdir()}
    assert names == {"records-seed-0", "records-seed-1"}
    files = [path for path in rehearsal.runner.artifacts.rglob("*") if path.is_file()]
    assert [path.name for path in files].count("record.json") == 4
    assert any(path.suffix == ".png" for path in files)
    assert not [path for path in files if "checkpoints" in path.parts or path.name == "report.html"]

    # The first time there is nothing to compare with.
    first, workspace = rehearsal.check("first")
    assert (first.codes["Report"], first.codes["Gate"]) == (0, 4)
    assert (workspace / "gate" / "report" / "report.html").is_file()

    # Accepting what was merged, as docs/ci.md says; the code under test may have changes without a commit.
    accept = [*GANBENCH, "accept", rehearsal.suite, "--out", "results", "--yes", "--allow-dirty"]
    accepted = subprocess.run(accept, cwd=workspace, capture_output=True, text=True, check=False)
    assert accepted.returncode == 0, accepted.stderr
    shutil.copytree(workspace / "results" / "reference", rehearsal.reference)

    green, workspace = rehearsal.check("green")
    assert green.codes == {"Report": 0, "Gate": 0}, green.output
    tests = list(ET.parse(workspace / "gate" / "junit.xml").iter("testcase"))
    assert len(tests) >= 4
    assert not [t for t in tests if t.find("failure") is not None or t.find("error") is not None]
    summary = (workspace / "gate" / "summary.md").read_text()
    assert summary == green.summary
    assert 0 < len(summary.encode()) < SUMMARY_LIMIT

    # More seeds are tested where the variable names them, and the shards that are not there are told.
    rehearsal.given["SEEDS"] = "0,1,2"
    more, _ = rehearsal.check("more seeds")
    rehearsal.given["SEEDS"] = ""
    assert more.codes == {"Report": 0, "Gate": 0}, more.output
    assert "no record of seed 2" in more.summary
    assert "no record of seed 2" not in green.summary

    # A record that was tampered with does not count.
    (path, *_) = sorted(rehearsal.runner.artifacts.rglob("gan/*/*/record.json"))
    intact = path.read_text()
    path.write_text(intact.replace('"status": "done"', '"status": "diverged"'))
    assert path.read_text() != intact
    tampered, _ = rehearsal.check("tampered")
    assert tampered.codes["Gate"] != 0, tampered.output
    path.write_text(intact)

    # The same gate, from records that a worse method left.
    for path in sorted(rehearsal.runner.artifacts.rglob("dcgan/*/*/record.json")):
        worsen(path)
    red, workspace = rehearsal.check("red")
    assert red.codes == {"Report": 0, "Gate": 1}, red.output
    failed = [
        t
        for t in ET.parse(workspace / "gate" / "junit.xml").iter("testcase")
        if t.find("failure") is not None
    ]
    assert {"dcgan/digits" in (t.get("classname") + t.get("name")) for t in failed} == {True}
    gate = rehearsal.runner.artifacts / "gate"
    assert {path.name for path in gate.iterdir()} >= {"junit.xml", "summary.md", "report"}
