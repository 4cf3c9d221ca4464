"""What the levers that change bits are worth: `tox -e bench`. Nothing is asserted about time.

Both arms take turns in one process and are timed by its CPU time, so that a busy machine changes the
ratios little. Printed per experiment: time without the lever / time with it, median and range.
"""

import contextlib
import dataclasses
import statistics
import time

import pytest
import torch
import torch.nn.functional as F

import baselines
from baselines import layers, wgan_gp
from baselines.spec import SUITE
from benchmark import data
from benchmark.data.framing import frame
from benchmark.training import numerics, trainer
from benchmark.training.draws import SeededDraws

pytestmark = pytest.mark.bench


@pytest.fixture(autouse=True)
def _numerics():
    numerics.apply()


@pytest.fixture
def show(capsys):
    """Time both arms in turn and print their ratio."""

    def shown(title, ours, without, turns):
        seconds = {ours: [], without: []}
        for turn in range(turns + 1):  # the first warms up
            for arm in (ours, without) if turn % 2 else (without, ours):
                start = time.process_time()
                arm()
                seconds[arm].append(time.process_time() - start)
        ratios = [b / a for a, b in list(zip(seconds[ours], seconds[without], strict=True))[1:]]
        with capsys.disabled():
            print(
                f"\n{title}: {statistics.median(ratios):.2f} "
                f"({min(ratios):.2f}..{max(ratios):.2f}, n = {turns})",
                end="",
            )

    return shown


def iteration(name, batch):
    """One G-iteration with another batch and one critic step, as a function without arguments."""
    declared = baselines.get(name)
    values = {"batch": batch, "generator_batch": batch, "critic_steps": 1}
    cited = {key: (values[key], "bench", SUITE) for key in values.keys() & declared.settings.values()}
    settings = declared.settings.revised(**cited)
    experiment = dataclasses.replace(declared, settings=settings)
    images = frame(data.load("digits", "train"), experiment.image_shape[1])
    images = images.expand(-1, experiment.image_shape[0], -1, -1).contiguous()
    players = trainer.build(experiment, 0, images)
    draws = SeededDraws(experiment, 0, images)
    counter = iter(range(10**9))
    return lambda: experiment.iterate(settings, players, k := next(counter), draws.at(k))


def plain_enlarged(x, weight, bias):
    twice = F.interpolate(x, scale_factor=2, mode="nearest")
    return F.conv2d(twice, weight, bias, padding=weight.shape[2] // 2)


def plain_pooled(x, weight, bias):
    return F.avg_pool2d(F.conv2d(x, weight, bias, padding=weight.shape[2] // 2), 2)


@contextlib.contextmanager
def changes_of_size_apart():
    """Residual blocks as they are written in the papers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "enlarged", plain_enlarged)
        patch.setattr(layers, "pooled", plain_pooled)
        yield


@pytest.mark.parametrize("name", ["sngan/cifar10-resnet", "wgan_gp/cifar10-resnet"])
def test_changes_of_size_within_convolutions(show, name):
    without = within(changes_of_size_apart, iteration(name, 16))
    show(f"residual blocks, {name}, batch 16", iteration(name, 16), without, 5)


def padded(layer, x, on_mirrored):
    """TensorFlow's padding as a copy; called in the place of the layer's forward."""
    before, after = (2, 2) if x.shape[2] % 2 else (1, 2)
    return F.conv2d(F.pad(x, (before, after) * 2), layer.weight, layer.bias, stride=2)


def cropped(layer, x, on_mirrored):
    out = F.conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1)
    return out[:, :, :-1, :-1]


@contextlib.contextmanager
def copies():
    """SAME padding as it was: with padded and cropped copies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers.SameConv2d, "forward", padded)
        patch.setattr(layers.SameConvTranspose2d, "forward", cropped)
        patch.setattr(wgan_gp, "mirrored", lambda x: x)
        yield


@contextlib.contextmanager
def channels_last():
    """The memory format of all other networks; for their making."""
    with pytest.MonkeyPatch.context() as patch:
        for network in (wgan_gp.CifarGenerator, wgan_gp.CifarCritic):
            patch.setattr(network, "memory_format", torch.channels_last)
        yield


def within(context, function):
    """`function`, called within a new `context`."""

    def called():
        with context():
            function()

    return called


FIVE_BY_FIVE = pytest.mark.parametrize(
    ("name", "turns"), [("wgan_gp/cifar10-cnn", 3), ("wgan/cifar10", 3), ("dcgan/cifar10", 3)]
)


def test_same_padding_without_copies_on_digits(show):
    without = within(copies, iteration("wgan_gp/digits", 16))
    show("SAME padding, wgan_gp/digits", iteration("wgan_gp/digits", 16), without, 15)


@FIVE_BY_FIVE
def test_same_padding_without_copies(show, name, turns):
    without = within(copies, iteration(name, 64))
    show(f"SAME padding, {name}, batch 64", iteration(name, 64), without, turns)


@FIVE_BY_FIVE
def test_contiguous_networks(show, name, turns):
    ours = iteration(name, 64)
    with channels_last():
        without = iteration(name, 64)
    show(f"contiguous, {name}, batch 64", ours, without, turns)


@FIVE_BY_FIVE
def test_both(show, name, turns):
    ours = iteration(name, 64)
    with channels_last():
        without = within(copies, iteration(name, 64))
    show(f"SAME padding and contiguous, {name}, batch 64", ours, without, turns)
