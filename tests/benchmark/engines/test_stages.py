"""Starting from another experiment's trained generator: the second stage waits, gets it, or says why not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmark.records import store
from benchmark.training import checkpoint

PLUGIN = """
from dataclasses import replace
from torch import nn
import tiny_gan
from baselines import spec

class Stacked(nn.Module):
    def __init__(self, below, s):
        super().__init__()
        self.stem, self.pretrained = nn.Linear(s.latent, s.latent), below

    def forward(self, z):
        return self.pretrained(self.stem(z).tanh())

def build(s, shape, mean_image):
    below = tiny_gan.build(s, shape, mean_image)
    generator = Stacked(below.generator, s)
    import torch
    optimiser = torch.optim.Adam(generator.parameters(), lr=s.learning_rate)
    return replace(below, generator=generator, generator_optimiser=optimiser)

def nan(s, p, k, draws):
    next(p.critic.parameters()).data.fill_(float("nan"))
    return tiny_gan.iterate(s, p, k, draws)

SECOND = replace(tiny_gan.DIGITS, name="tiny/second", build=build, starts_from="tiny/digits")
BROKEN = replace(tiny_gan.DIGITS, name="tiny/broken", iterate=nan)
LOST = replace(SECOND, name="tiny/lost", starts_from="tiny/broken")
EXPERIMENTS = (SECOND, BROKEN, LOST)
"""
SUITE = """\
title = "Two stages"
experiments = {experiments}
seeds = [0, 1]
gen_iters = 6
evaluate_every = 6
protocols = ["digits-2k"]
"""
TINY = Path(__file__).parents[2] / "baselines" / "plugin"


@pytest.fixture(scope="module")
def ganbench(tmp_path_factory):
    """`ganbench` with the plugins, and a folder for suites."""
    folder = tmp_path_factory.mktemp("stages")
    (folder / "stages.py").write_text(PLUGIN)
    info = folder / "stages-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stages\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ganbench.baselines]\nstages = stages\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(TINY)])}

    def call(verb, *arguments, experiments=("tiny/second", "tiny/digits")):
        (folder / "s.toml").write_text(SUITE.format(experiments=json.dumps(experiments)))
        subject = [str(folder / "s.toml"), "--device", "cpu", "--no-report"] if verb == "run" else []
        command = [sys.executable, "-m", "benchmark", verb, *subject, *map(str, arguments)]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return call


@pytest.fixture(scope="module")
def finished(ganbench, tmp_path_factory):
    """Both stages for two seeds, the second stage listed first."""
    out = tmp_path_factory.mktemp("out") / "results"
    done = ganbench("run", "--out", out, "--jobs", 2, "--checkpoint-iters", 2)
    assert done.returncode == 0, done.stderr
    return out


def directories(out, experiment):
    found = {r.record["seed"]: r.directory for r in store.records_below(out / "runs" / experiment)[0]}
    return [found[seed] for seed in sorted(found)]


@pytest.mark.slow
def test_the_second_stage_follows_the_first_of_its_seed(finished):
    for first, second in zip(
        directories(finished, "tiny/digits"), directories(finished, "tiny/second"), strict=True
    ):
        before, after = store.read_record(first), store.read_record(second)
        assert after["spec"]["starts_from"] == {
            "experiment": "tiny/digits",
            "run_id": before["run_id"],
            "cell_id": before["cell_id"],
        }
        assert list(store.events(first))[-1]["utc"] <= next(store.events(second))["utc"]


@pytest.mark.slow
def test_the_second_stage_starts_from_the_trained_weights(ganbench, finished, tmp_path):
    """At budget 0 the last checkpoint holds what the run started with."""
    out = shutil.copytree(finished, tmp_path / "results")
    assert ganbench("run", "--out", out, "--budget", 0, "--seeds", 0).returncode == 0
    (first, *_) = [
        d
        for d in [run.directory for run in store.records_below(out / "runs" / "tiny" / "digits")[0]]
        if store.read_record(d)["gen_iters"] == 0
    ]
    (second, *_) = [
        d
        for d in [run.directory for run in store.records_below(out / "runs" / "tiny" / "second")[0]]
        if store.read_record(d)["gen_iters"] == 0
    ]
    trained, started = (
        checkpoint.part(checkpoint.read(checkpoint.available(d / "checkpoints")[0])[1], "generator")
        for d in (first, second)
    )
    assert trained.keys()
    for name, tensor in trained.items():
        assert torch.equal(started[f"pretrained.{name}"], tensor)


@pytest.mark.slow
def test_a_second_stage_can_be_verified_from_its_beginning(ganbench, finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "results")
    second = directories(out, "tiny/second")[1]
    for path in checkpoint.available(second / "checkpoints")[1:]:
        path.unlink()
    done = ganbench("verify", second)
    assert done.returncode == 0, done.stdout
    assert "G-iterations 0 to 6 computed again: equal bit for bit" in done.stdout


@pytest.mark.slow
def test_a_finished_first_stage_is_enough(ganbench, finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "results")
    shutil.rmtree(directories(out, "tiny/second")[0])
    done = ganbench("run", "--out", out, experiments=["tiny/second"])
    assert done.returncode == 0
    assert "1 finished, kept as they are; 1 to do" in done.stderr
    assert len(directories(out, "tiny/second")) == 2


def test_without_its_first_stage_an_experiment_is_refused(ganbench, tmp_path):
    done = ganbench("run", "--out", tmp_path / "results", experiments=["tiny/second"])
    assert done.returncode == 2
    assert "experiment 'tiny/second': starts from 'tiny/digits', which the suite does not have" in done.stderr


@pytest.mark.slow
def test_a_first_stage_that_diverges_fails_the_second(ganbench, tmp_path):
    out = tmp_path / "results"
    done = ganbench("run", "--out", out, "--seeds", 0, experiments=["tiny/lost", "tiny/broken"])
    assert done.returncode == 3
    assert "tiny/lost seed 0: failed: the run it starts from is not done: diverged" in done.stderr
    assert not [run.directory for run in store.records_below(out / "runs" / "tiny" / "lost")[0]]


@pytest.mark.slow
def test_a_first_stage_with_other_weights_is_not_used(ganbench, finished, tmp_path):
    out = shutil.copytree(finished, tmp_path / "results")
    first, second = directories(out, "tiny/digits")[0], directories(out, "tiny/second")[0]
    shutil.rmtree(second)
    other = directories(out, "tiny/digits")[1]
    for path in checkpoint.available(first / "checkpoints"):
        path.unlink()
    shutil.copytree(other / "checkpoints", first / "checkpoints", dirs_exist_ok=True)
    done = ganbench("run", "--out", out)
    assert done.returncode == 3
    assert "the generator it starts from is not the recorded one" in done.stderr
