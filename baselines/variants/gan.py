"""Further experiments of GAN 2014: Algorithm 1 as printed, on MNIST.

Toronto faces are in `gan_tfd`, CIFAR-10 in `gan_cifar10`; both follow released hyper-parameter files.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from baselines.critic_losses import CriticLoss
from baselines.gan import MNIST, GanSettings, set_rates
from baselines.losses import standard_critic_loss
from baselines.spec import HIGH, Budget, Deviation, Draws, Experiment, Losses, Players, Source, frozen, update
from baselines.variants.gan_cifar10 import CIFAR10_CONV, CIFAR10_FC
from baselines.variants.gan_tfd import TFD, TFD_PRETRAIN

# --- One generator iteration --------------------------------------------------------------------------


def iterate_printed(s: GanSettings, p: Players, k: int, draws: Draws) -> Losses:
    """Algorithm 1 with one critic step: the critic, then the generator, each on noise of its own."""
    set_rates(s, p, k, draws.epoch)
    real = draws.images() / 255
    with torch.no_grad():
        fake = p.generator(draws.latent(len(real)))
    critic_loss = standard_critic_loss(p.critic(real, draws), p.critic(fake, draws))
    update(p.critic_optimiser, critic_loss)
    with frozen(p.critic):
        generator_loss = saturating_generator_loss(p.critic(p.generator(draws.latent(len(real))), draws))
        update(p.generator_optimiser, generator_loss)
    return {"critic": critic_loss.detach(), "generator": generator_loss.detach()}


def saturating_generator_loss(fake: Tensor) -> Tensor:
    """log(1 − σ(D(G(z)))), averaged (Eq. 1 and Algorithm 1)."""
    return -F.softplus(fake).mean()


# --- Experiments --------------------------------------------------------------------------------------

MNIST_PRINTED = dataclasses.replace(
    MNIST,
    name="gan/mnist-printed",
    title="GAN on MNIST, Algorithm 1 as printed",
    summary="mnist with alternating updates on noise of their own, log(1 − D) and the whole critic loss",
    iterate=iterate_printed,
    critic_loss=lambda _: CriticLoss("cross-entropy"),
    budget=Budget(None, "500 per epoch (50 000 / 100); no end is given", Source("paper prints none", HIGH)),
    deviations=(
        Deviation(
            "one critic step, then one generator step on fresh noise",
            "Algorithm 1 with the paper's k = 1; the released code updates both from one forward pass",
            "the generator's gradient goes through the updated critic",
        ),
        Deviation(
            "the generator descends log(1 − D(G(z))), the critic's loss is not halved",
            "Algorithm 1; §3 suggests −log D against saturation, which is what the released code has",
            "weak gradients while the critic tells fakes apart; critic steps twice as large",
        ),
        Deviation(
            "networks, rates, momentum and dropout (in the generator's step too) of the released file",
            "the paper prints none of them",
            "tuned for the released code's updates, not for these",
        ),
    ),
    headline=False,
)

EXPERIMENTS: tuple[Experiment[Any], ...] = (MNIST_PRINTED, TFD_PRETRAIN, TFD, CIFAR10_FC, CIFAR10_CONV)
