"""What each speed lever is worth: `tox -e bench`. Read the ratios within a group, never the milliseconds.

The first arm of a group is what ganbench does, the other is the same without the lever. Nothing is asserted
about time. One thread, as in a run; `test_fresh_process` starts a process per arm, because the allocator's
settings are read at its start.
"""

import contextlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

import baselines
from baselines import sngan
from benchmark import data
from benchmark.data.framing import frame
from benchmark.engines.worker import Log
from benchmark.training import numerics, trainer
from benchmark.training.draws import SeededDraws

pytestmark = pytest.mark.bench
ROUNDS = {"rounds": 12, "iterations": 1, "warmup_rounds": 2}


@pytest.fixture(autouse=True)
def _numerics():
    numerics.apply()


def iteration(name, prepare=None):
    """One G-iteration of an experiment as a function without arguments."""
    experiment = baselines.get(name)
    images = frame(data.load("digits", "train"), experiment.image_shape[1])
    players = trainer.build(experiment, 0, images)
    if prepare:
        prepare(players)
    draws = SeededDraws(experiment, 0, images)
    counter = iter(range(10**9))
    return lambda: experiment.iterate(experiment.settings, players, k := next(counter), draws.at(k))


@pytest.mark.parametrize("name", ["dcgan/digits", "wgan/digits", "wgan_gp/digits", "sngan/digits"])
class TestMemoryFormat:
    def test_channels_last(self, benchmark, name):
        benchmark.group = f"memory format, {name}"
        benchmark.pedantic(iteration(name), **ROUNDS)

    def test_contiguous(self, benchmark, name):
        benchmark.group = f"memory format, {name}"

        def contiguous(players):
            players.generator.to(memory_format=torch.contiguous_format)
            players.critic.to(memory_format=torch.contiguous_format)

        benchmark.pedantic(iteration(name, contiguous), **ROUNDS)


@pytest.mark.benchmark(group="critic in the generator step, sngan/digits")
class TestFrozenCritic:
    def test_frozen(self, benchmark):
        benchmark.pedantic(iteration("sngan/digits"), **ROUNDS)

    def test_with_gradients_that_are_thrown_away(self, benchmark, monkeypatch):
        monkeypatch.setattr(sngan, "frozen", lambda _: contextlib.nullcontext())
        benchmark.pedantic(iteration("sngan/digits"), **ROUNDS)


class _GraphThenDetach(nn.Module):
    """Builds the graph of the fakes and drops it, as several public implementations do."""

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def forward(self, z):
        with torch.enable_grad():
            images = self.generator(z)
        return images if torch.is_grad_enabled() else images.detach()


@pytest.mark.benchmark(group="fakes in the critic step, dcgan/digits")
class TestFakes:
    def test_no_grad(self, benchmark):
        benchmark.pedantic(iteration("dcgan/digits"), **ROUNDS)

    def test_graph_then_detach(self, benchmark):
        def wrap(players):
            players.generator = _GraphThenDetach(players.generator)

        benchmark.pedantic(iteration("dcgan/digits", wrap), **ROUNDS)


class _PilImages(Dataset):
    """A data set the usual way: an array turned into a PIL image and back for every item."""

    def __init__(self, images):
        self.images = images.permute(0, 2, 3, 1).numpy()

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = np.asarray(Image.fromarray(self.images[index, :, :, 0]))
        return torch.from_numpy(image.copy()).float().div(255).mul(2).sub(1)[None]


@pytest.mark.benchmark(group="64 real images, scaled")
class TestRealImages:
    def test_uint8_tensor(self, benchmark):
        experiment = baselines.get("wgan/lsun64")  # any with batches of 64
        draws = SeededDraws(experiment, 0, data.load("digits", "train"))
        benchmark(lambda: draws.images() / 127.5 - 1)

    def test_dataloader_with_pil(self, benchmark):
        loader = DataLoader(_PilImages(data.load("digits", "train")), batch_size=64, shuffle=True)

        def batches():
            while True:
                yield from loader

        stream = batches()
        benchmark(lambda: next(stream))


@pytest.mark.benchmark(group="allocator, process with 30 G-iterations of sngan/digits")
@pytest.mark.parametrize("arm", ["kept", "glibc_default"])
def test_fresh_process(benchmark, arm):
    environment = numerics.child_environment()
    if arm == "glibc_default":
        environment = {k: v for k, v in environment.items() if not k.startswith("MALLOC_")}
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('levers', {__file__!r})\n"
        "levers = importlib.util.module_from_spec(spec); spec.loader.exec_module(levers)\n"
        "levers.numerics.apply(); step = levers.iteration('sngan/digits')\n"
        "for _ in range(30): step()\n"
    )
    command = [sys.executable, "-c", code]
    benchmark.pedantic(
        lambda: subprocess.run(command, env=environment, check=True),
        rounds=4,
        iterations=1,
    )


@pytest.mark.benchmark(group="the trainer around 100 G-iterations of dcgan/digits")
class TestTrainerOverhead:
    """Progress, events and a final checkpoint, beside the bare loop; fresh networks in every round."""

    def test_bare_loop(self, benchmark):
        def loop(step):
            for _ in range(100):
                step()

        benchmark.pedantic(loop, setup=lambda: ((iteration("dcgan/digits"),), {}), rounds=6)

    def test_trainer(self, benchmark, tmp_path):
        experiment = baselines.get("dcgan/digits")
        images = frame(data.load("digits", "train"), experiment.image_shape[1])
        folders = (tmp_path / str(i) for i in range(10**6))

        def prepared():
            folder = next(folders)
            folder.mkdir()
            run = trainer.Trainer(
                experiment,
                seed=0,
                budget=100,
                evaluate_at=[],
                images=images,
                evaluator=None,
                directory=folder,
                watcher=Log(folder, 100),
                started=0.0,
            )
            return (run,), {}

        benchmark.pedantic(lambda run: run.run(lambda: False), setup=prepared, rounds=6)
