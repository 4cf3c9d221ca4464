"""WGAN-GP on points of the plane: ``gan_toy.py`` (8 Gaussians, 25 Gaussians, Swiss roll).

The data are drawn afresh for each minibatch, never loaded. A point is an "image" of shape [1, 1, 2].

Training length, batch, optimiser, critic steps, λ and initialisation are those of the revision the other
scripts were checked at. Network sizes and the geometry of the data were read at another one (3c8ba3c) and are
marked as unconfirmed.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from baselines.layers import init_glorot
from baselines.spec import (
    HIGH,
    LOW,
    SUITE,
    Budget,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Players,
    Source,
    cited,
)
from baselines.wgan_gp import (
    ONE_MORE,
    PAPER,
    WganGpSettings,
    critic_step,
    critic_updates,
    generator_step,
    players,
    wasserstein,
)

TOY_PY = "gan_toy.py"
UNCONFIRMED = "unconfirmed: " + TOY_PY + " at 3c8ba3c"


@dataclass(frozen=True, kw_only=True)
class ToySettings(WganGpSettings):
    """Settings of the toy runs; `width` is that of the hidden layers.

    Attributes:
        hidden_layers: of each network.
        distribution: of the data.
        noise: standard deviation of the Gaussian noise, before `divisor`.
        divisor: the points are divided by it, so that their spread is about one.

    """

    hidden_layers: int
    distribution: Literal["8gaussians", "25gaussians", "swissroll"]
    noise: float
    divisor: float


class Perceptron(nn.Module):
    """ReLU layers and a linear one; He-uniform, the last Glorot-uniform, biases 0."""

    def __init__(self, sizes: list[int], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        layers: list[nn.Module] = []
        for size, following in pairwise(sizes[:-1]):
            layer = nn.Linear(size, following)
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.ReLU()]
        last = nn.Linear(sizes[-2], sizes[-1])
        init_glorot(last)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, x: Tensor) -> Tensor:
        """[B, ...] → [B, *shape]."""
        out: Tensor = self.layers(x.flatten(1))
        return out.reshape(len(x), *self.shape)


def build(s: ToySettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make a generator of points and a critic, [B]."""
    hidden, n = [s.width] * s.hidden_layers, math.prod(shape)
    return players(s, Perceptron([s.latent, *hidden, n], shape), Perceptron([n, *hidden, 1], ()))


def points(s: ToySettings, draws: Draws) -> Tensor:
    """The next minibatch of data, [batch, 1, 1, 2]."""
    u = draws.uniform("points", s.batch)
    if s.distribution == "8gaussians":  # centres on a circle of radius 2
        angle = (8 * u).floor() * (math.pi / 4)
        centre = 2 * torch.stack((angle.cos(), angle.sin()), 1)
    elif s.distribution == "25gaussians":  # centres on a 5×5 lattice, 2 apart
        row = (25 * u).floor()
        centre = 2 * torch.stack(((row / 5).floor() - 2, row % 5 - 2), 1)
    else:  # one and a half turns of a spiral whose radius is its angle
        angle = 1.5 * math.pi * (1 + 2 * u)
        centre = angle[:, None] * torch.stack((angle.cos(), angle.sin()), 1)
    return ((centre + s.noise * draws.normal("points", s.batch, 2)) / s.divisor)[:, None, None]


def iterate(s: ToySettings, p: Players, k: int, draws: Draws) -> Losses:  # noqa: ARG001
    """`critic_steps` critic updates on points just drawn, then one of the generator."""
    for _ in range(s.critic_steps):
        losses = critic_step(s, p, points(s, draws), draws)
    return {**losses, "generator": generator_step(s, p, draws)}


def no_batches(s: ToySettings, k: int) -> int:  # noqa: ARG001
    """No minibatch is loaded."""
    return 0


LAMBDA = Deviation(
    "λ = .1",
    "released script; the paper states 10 for all experiments",
    "the critic is held less tightly; the other side is toy-8gaussians-penalty-10",
)
BETAS = Deviation(
    "Adam betas (.5, .9)", "released script; Algorithm 1 prints (0, .9)", "momentum in both networks"
)
GEOMETRY = Deviation(
    "sizes of the networks and geometry of the data",
    UNCONFIRMED,
    "a plot may differ from the paper's where the revisions of the script do",
)

TOY_8GAUSSIANS = Experiment(
    name="wgan_gp/toy-8gaussians",
    title="WGAN-GP on a ring of 8 Gaussians",
    paper=PAPER,
    summary="perceptrons of three ReLU layers of 512; Adam, λ = .1, 5 critic steps",
    dataset="8gaussians",
    image_shape=(1, 1, 2),
    image_range=(-3.0, 3.0),  # the square the script plots; the networks have no bounds
    settings=cited(
        ToySettings,
        batch=(256, TOY_PY, HIGH),
        latent=(2, UNCONFIRMED, LOW),
        prior=("normal", UNCONFIRMED, LOW),
        epoch_end=("drop", "unused: data are drawn, not loaded", SUITE),
        sampling_statistics=("none", UNCONFIRMED, LOW),
        sampling_batch=(0, "unused: no batch norm", HIGH),
        width=(512, UNCONFIRMED, LOW),
        penalty=(0.1, TOY_PY, HIGH),
        critic_steps=(5, TOY_PY, HIGH),
        learning_rate=(1e-4, TOY_PY, HIGH),
        beta1=(0.5, TOY_PY, HIGH),
        beta2=(0.9, TOY_PY, HIGH),
        decay_iters=(0, TOY_PY, HIGH),
        generator_batches=(1, UNCONFIRMED, LOW),
        critic_batch_parts=(1, "without norm the number of parts changes nothing", SUITE),
        scaling=("unit", "unused: data are no pixels", SUITE),
        hidden_layers=(3, UNCONFIRMED, LOW),
        distribution=("8gaussians", TOY_PY, HIGH),
        noise=(0.02, UNCONFIRMED, LOW),
        divisor=(1.414, UNCONFIRMED, LOW),
    ),
    build=build,
    iterate=iterate,
    real_batches=no_batches,
    critic_updates=critic_updates,
    critic_loss=wasserstein,
    points=points,
    budget=Budget(100_000, "ITERS of the script", Source(TOY_PY, HIGH)),
    deviations=(LAMBDA, BETAS, GEOMETRY, ONE_MORE),
)

TOY_25GAUSSIANS = dataclasses.replace(
    TOY_8GAUSSIANS,
    name="wgan_gp/toy-25gaussians",
    title="WGAN-GP on a lattice of 25 Gaussians",
    dataset="25gaussians",
    settings=TOY_8GAUSSIANS.settings.revised(
        distribution=("25gaussians", TOY_PY, HIGH),
        noise=(0.05, UNCONFIRMED, LOW),
        divisor=(2.828, UNCONFIRMED, LOW),
    ),
    deviations=(
        *TOY_8GAUSSIANS.deviations,
        Deviation(
            "every point is drawn afresh",
            "no data are stored; the script shuffles 100 000 points once (" + UNCONFIRMED + ")",
            "no point comes twice, and a minibatch's modes are not balanced over an epoch",
        ),
    ),
)

TOY_SWISSROLL = dataclasses.replace(
    TOY_8GAUSSIANS,
    name="wgan_gp/toy-swissroll",
    title="WGAN-GP on a Swiss roll",
    dataset="swissroll",
    settings=TOY_8GAUSSIANS.settings.revised(
        distribution=("swissroll", TOY_PY, HIGH),
        noise=(0.25, UNCONFIRMED, LOW),
        divisor=(7.5, UNCONFIRMED, LOW),
    ),
    deviations=(
        *TOY_8GAUSSIANS.deviations,
        Deviation(
            "a spiral of radius t, t uniform in 1.5π … 4.5π",
            "scikit-learn's make_swiss_roll without its height, as documented there; unconfirmed",
            "shape of the data",
        ),
    ),
)

TOY_8GAUSSIANS_PENALTY_10 = dataclasses.replace(
    TOY_8GAUSSIANS,
    name="wgan_gp/toy-8gaussians-penalty-10",
    title="WGAN-GP on a ring of 8 Gaussians, λ as the paper states",
    summary="toy-8gaussians with λ = 10, the paper's side of a conflict",
    settings=TOY_8GAUSSIANS.settings.revised(penalty=(10.0, "paper §4: all experiments", HIGH)),
    deviations=(
        Deviation("λ = 10", "paper, for all experiments; the script has .1", "the critic is held tighter"),
        BETAS,
        GEOMETRY,
    ),
)

EXPERIMENTS = (TOY_8GAUSSIANS, TOY_25GAUSSIANS, TOY_SWISSROLL, TOY_8GAUSSIANS_PENALTY_10)
