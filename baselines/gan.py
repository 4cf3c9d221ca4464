"""GAN: Goodfellow et al., Generative Adversarial Networks, 2014 (arXiv 1406.2661).

Faithful to the released hyper-parameter file ``mnist.yaml`` (goodfeli/adversarial, revision 1720041): the
paper itself prints no layer sizes, learning rates or training length. Tested against that code's own numbers
(tests/golden/gan_mnist).

Where the two disagree the released code is followed:
  * Algorithm 1 alternates k critic steps and one generator step, each on fresh noise. The code updates both
    networks at once from one forward pass, the generator through the critic as it was before the update.
  * Algorithm 1 descends log(1 − D(G(z))); the code, like the remark in §3, descends −log D(G(z)).
  * The code halves the critic's loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.critic_losses import CriticLoss
from baselines.losses import non_saturating_generator_loss, standard_critic_loss
from baselines.optimisers import ClassicalMomentum
from baselines.spec import (
    HIGH,
    SUITE,
    Budget,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Paper,
    Players,
    Settings,
    Source,
    cited,
    set_learning_rate,
)

PAPER = Paper("goodfellow2014gan", "Goodfellow et al., Generative Adversarial Networks, 2014", "1406.2661")


@dataclass(frozen=True, kw_only=True)
class GanSettings(Settings):
    """Hyper-parameters of ``mnist.yaml``."""

    generator_units: int
    maxout_units: int
    maxout_pieces: int
    generator_init: float
    critic_init: float
    keep_input: float
    keep_hidden: float
    learning_rate: float
    learning_rate_decay: float
    learning_rate_floor: float
    momentum_first: float
    momentum_last: float
    momentum_saturates_at_epoch: int


# --- Networks -----------------------------------------------------------------------------------------


class Generator(nn.Module):
    """z [B, latent] → ReLU → ReLU → sigmoid → images [B, C, H, W] in 0..1; noise only at the bottom (§5)."""

    def __init__(self, s: GanSettings, shape: tuple[int, int, int], mean_image: Tensor) -> None:
        super().__init__()
        self.shape = shape
        self.h0 = nn.Linear(s.latent, s.generator_units)
        self.h1 = nn.Linear(s.generator_units, s.generator_units)
        self.y = nn.Linear(s.generator_units, math.prod(shape))
        for layer in (self.h0, self.h1, self.y):
            nn.init.uniform_(layer.weight, -s.generator_init, s.generator_init)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():  # output biases start at the logit of the mean training image
            self.y.bias.copy_(torch.logit(mean_image.flatten(), eps=1e-7))

    def forward(self, z: Tensor) -> Tensor:
        """Images in 0..1."""
        h = F.relu(self.h1(F.relu(self.h0(z))))
        return torch.sigmoid(self.y(h)).reshape(-1, *self.shape)


class Maxout(nn.Linear):
    """Unit j is the largest of `pieces` consecutive linear outputs j·pieces … j·pieces + pieces − 1."""

    def __init__(self, features_in: int, units: int, pieces: int) -> None:
        super().__init__(features_in, units * pieces)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """[B, features_in] → [B, units]."""
        return super().forward(x).reshape(len(x), -1, self.pieces).amax(2)


class Critic(nn.Module):
    """Maxout network with dropout on the input of every layer; returns the logit of D(x), [B]."""

    def __init__(self, s: GanSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.keep_input, self.keep_hidden = s.keep_input, s.keep_hidden
        self.h0 = Maxout(math.prod(shape), s.maxout_units, s.maxout_pieces)
        self.h1 = Maxout(s.maxout_units, s.maxout_units, s.maxout_pieces)
        self.y = nn.Linear(s.maxout_units, 1)
        for layer in (self.h0, self.h1, self.y):
            nn.init.uniform_(layer.weight, -s.critic_init, s.critic_init)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, draws: Draws | None = None) -> Tensor:
        """Logits; with `draws`, inputs are dropped and the rest scaled by 1/keep, a mask per example."""
        h = self.h0(dropout(x.flatten(1), self.keep_input, draws))
        h = self.h1(dropout(h, self.keep_hidden, draws))
        logit: Tensor = self.y(dropout(h, self.keep_hidden, draws))
        return logit.squeeze(1)


def dropout(x: Tensor, keep: float, draws: Draws | None) -> Tensor:
    """Drop each element on its own and scale the rest by 1/keep; nothing without `draws`."""
    return x if draws is None else x * draws.keep(keep, *x.shape) / keep


def build(s: GanSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:
    """Make the networks of ``mnist.yaml``."""
    return players(s, Generator(s, shape, mean_image), Critic(s, shape))


def players(s: GanSettings, generator: nn.Module, critic: nn.Module) -> Players:
    """Both networks with classical momentum."""
    return Players(
        generator,
        critic,
        ClassicalMomentum(generator.parameters(), s.learning_rate, s.momentum_first),
        ClassicalMomentum(critic.parameters(), s.learning_rate, s.momentum_first),
    )


# --- One generator iteration --------------------------------------------------------------------------


def learning_rate(s: GanSettings, k: int) -> float:
    """lr₀ / decayᵏ, not below the floor; k counts minibatches."""
    return max(s.learning_rate / s.learning_rate_decay**k, s.learning_rate_floor)


def momentum(s: GanSettings, epoch: int) -> float:
    """Linear from the first to the last value; `epoch` from 0, saturated in epoch `saturates_at` − 1."""
    progress = min(1.0, epoch / (s.momentum_saturates_at_epoch - 1))
    return s.momentum_first + (s.momentum_last - s.momentum_first) * progress


def iterate(s: GanSettings, p: Players, k: int, draws: Draws) -> Losses:
    """One joint step on images in 0..1."""
    set_rates(s, p, k, draws.epoch)
    return joint_step(p, draws.images() / 255, draws)


def set_rates(s: GanSettings, p: Players, k: int, epoch: int) -> None:
    """Learning rate of minibatch k and momentum of the epoch, for both networks."""
    for optimiser in (p.generator_optimiser, p.critic_optimiser):
        set_learning_rate(optimiser, learning_rate(s, k))
        optimiser.param_groups[0]["momentum"] = momentum(s, epoch)


def joint_step(p: Players, real: Tensor, draws: Draws) -> Losses:
    """Both networks step at once from one forward pass: same fakes, same dropout masks."""
    fake = p.generator(draws.latent(len(real)))
    real_logit = p.critic(real, draws)
    fake_logit = p.critic(fake, draws)
    critic_loss = standard_critic_loss(real_logit, fake_logit) / 2
    generator_loss = non_saturating_generator_loss(fake_logit)

    # Each network gets the gradient of its own loss only; the fake pass is shared by both.
    critic_weights, generator_weights = list(p.critic.parameters()), list(p.generator.parameters())
    critic_gradients = torch.autograd.grad(critic_loss, critic_weights, retain_graph=True)
    generator_gradients = torch.autograd.grad(generator_loss, generator_weights)
    for weight, gradient in zip(
        critic_weights + generator_weights, critic_gradients + generator_gradients, strict=True
    ):
        weight.grad = gradient
    p.critic_optimiser.step()
    p.generator_optimiser.step()
    return {"critic": critic_loss.detach(), "generator": generator_loss.detach()}


def one_per_iteration(s: GanSettings, k: int) -> int:  # noqa: ARG001
    """One real minibatch and one critic update per G-iteration."""
    return k


def halved(s: GanSettings) -> CriticLoss:  # noqa: ARG001
    """Half the sum of both cross-entropies (released code)."""
    return CriticLoss("cross-entropy", 0.5)


# --- Experiments --------------------------------------------------------------------------------------

YAML = "mnist.yaml"
PYLEARN2 = "pylearn2 sgd"

RELEASED = (
    Deviation(
        "both networks are updated from one forward pass",
        "the released code does so; Algorithm 1 alternates with fresh noise (gan/mnist-printed)",
        "the generator's gradient goes through the critic before its update",
    ),
    Deviation(
        "non-saturating generator loss, critic loss halved",
        "released code; Algorithm 1 prints log(1 − D(G(z))) (gan/mnist-printed)",
        "stronger early gradients for the generator; critic steps half as large",
    ),
)

MNIST = Experiment(
    name="gan/mnist",
    title="GAN on MNIST",
    paper=PAPER,
    summary="MLP 100-1200-1200-784 against a maxout MLP with dropout; simultaneous SGD with momentum",
    dataset="mnist",
    train_images=50_000,
    image_shape=(1, 28, 28),
    image_range=(0.0, 1.0),
    settings=cited(
        GanSettings,
        batch=(100, YAML, HIGH),
        latent=(100, YAML, HIGH),
        prior=("uniform-sqrt3", YAML, HIGH),
        epoch_end=("keep", PYLEARN2, HIGH),
        sampling_statistics=("none", YAML, HIGH),
        sampling_batch=(0, "unused: no batch norm", HIGH),
        generator_units=(1200, YAML, HIGH),
        maxout_units=(240, YAML, HIGH),
        maxout_pieces=(5, YAML, HIGH),
        generator_init=(0.05, YAML, HIGH),
        critic_init=(0.005, YAML, HIGH),
        keep_input=(0.8, YAML, HIGH),
        keep_hidden=(0.5, YAML, HIGH),
        learning_rate=(0.1, YAML, HIGH),
        learning_rate_decay=(1.000004, YAML + ", per minibatch", HIGH),
        learning_rate_floor=(1e-6, YAML, HIGH),
        momentum_first=(0.5, YAML, HIGH),
        momentum_last=(0.7, YAML, HIGH),
        momentum_saturates_at_epoch=(250, YAML, HIGH),
    ),
    build=build,
    iterate=iterate,
    real_batches=one_per_iteration,
    critic_updates=one_per_iteration,
    critic_loss=halved,
    budget=Budget(None, "500 per epoch (50 000 / 100); no end is given", Source("paper and " + YAML, HIGH)),
    deviations=RELEASED,
    headline=True,
)

DIGITS = Experiment(
    name="gan/digits",
    title="GAN on the 4 000 embedded digits",
    paper=PAPER,
    summary=MNIST.summary + " (the MNIST networks at full width)",
    dataset="digits",
    image_shape=MNIST.image_shape,
    image_range=MNIST.image_range,
    settings=MNIST.settings,
    build=build,
    iterate=iterate,
    real_batches=one_per_iteration,
    critic_updates=one_per_iteration,
    critic_loss=halved,
    budget=Budget(None, "set by the suite", Source("suite", SUITE)),
    deviations=(
        *RELEASED,
        Deviation(
            "4 000 training images instead of 50 000",
            "the embedded set needs no download",
            "40 iterations per epoch: momentum rises 12.5 times faster in iterations",
        ),
    ),
)

EXPERIMENTS = (MNIST, DIGITS)
