"""The five experiments on digits, their images, and a trainer that needs no child process."""

import time
from types import SimpleNamespace

import pytest
import torch

import baselines
from benchmark import data
from benchmark.data.framing import frame
from benchmark.training import checkpoint, numerics
from benchmark.training.trainer import Trainer

DIGITS = tuple(name for name in baselines.names() if name.endswith("/digits"))


@pytest.fixture(autouse=True)
def _numerics():
    """The numerics of a run, put back afterwards."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    numerics.apply()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = fill


class Watcher:
    """Remembers what a trainer reports."""

    def __init__(self):
        self.events, self.trained = [], []

    def progress(self, phase, gen_iters):
        if phase == "train":
            self.trained.append(gen_iters)

    def event(self, name, **details):
        self.events.append((name, details))

    def of(self, name):
        return [details for event, details in self.events if event == name]


class MeanPixel:
    """A cheap evaluator whose score depends on every pixel; it uses up global random numbers, as any may."""

    n_generated = 130

    def scores_of(self, batches):
        torch.rand(3)
        images = torch.cat([batch.images for batch in batches])
        return {"mean": {"pixel": images.double().mean().item()}}


@pytest.fixture(scope="session")
def images_of():
    digits = data.load("digits", "train")
    return lambda experiment: frame(digits, experiment.image_shape[1])


@pytest.fixture(scope="session")
def make_trainer(images_of):
    """A trainer of one digits experiment in a directory, with its watcher beside it."""

    def make(name, directory, *, seed=0, budget=12, evaluate_at=(), evaluator=True, kind=Trainer, **options):
        directory.mkdir(parents=True, exist_ok=True)
        experiment = baselines.get(name)
        return kind(
            experiment,
            seed=seed,
            budget=budget,
            evaluate_at=list(evaluate_at),
            images=images_of(experiment),
            evaluator=MeanPixel() if evaluator else None,
            directory=directory,
            watcher=Watcher(),
            started=time.perf_counter(),
            **options,
        )

    return make


def bits(trainer):
    """Everything a run has computed: networks, optimisers, all losses, what it says about itself."""
    state = trainer.state
    return SimpleNamespace(
        tensors=checkpoint.digest(checkpoint.tensors_of(trainer.players)),
        curve=[{k: v for k, v in point.items() if k != "wall_s"} for point in state.curve],
        losses=checkpoint.digest(trainer.losses.columns()),
        rest=(
            state.gen_iters,
            state.images_seen,
            state.diverged_at,
            trainer.first_losses(),
            trainer.last_losses(),
        ),
    )


@pytest.fixture(scope="session")
def bits_of():
    return bits


@pytest.fixture(scope="session")
def never():
    return lambda: False


@pytest.fixture(scope="session")
def stop_after():
    """A `stop` for `Trainer.run` that says yes when this many G-iterations are made."""

    def make(trainer, gen_iters):
        return lambda: trainer.state.gen_iters >= gen_iters

    return make


@pytest.fixture(scope="session")
def resumed_bitwise(bits_of, never, stop_after):
    """Of what `run` trains, a run in two parts has the bits of one in one go, which is returned."""

    def check(run, name, folder):
        whole = run(name, folder / "whole")
        assert whole.run(never) == "done"
        first = run(name, folder / "parted")
        assert first.run(stop_after(first, 2)) == "stopped"
        second = run(name, folder / "parted")
        assert second.watcher.of("resumed") == [{"gen_iters": 2}]
        second.run(never)
        assert bits_of(second) == bits_of(whole)
        return whole

    return check


@pytest.fixture(params=DIGITS)
def digits_experiment(request):
    return request.param
