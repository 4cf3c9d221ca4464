"""mygan: a small GAN on 5 000 handwritten digits, beside the baselines of ganbench."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from ganbench import Draws, Experiment, Losses, Players, frozen, settings, update
from torch import Tensor, nn, optim


def build(s: Any, shape: tuple[int, int, int], mean_image: Tensor) -> Players:
    """Networks and optimisers. z [B, latent] → images [B, 1, 28, 28] in −1..1 → a logit per image, [B]."""
    w = s.width
    generator = nn.Sequential(
        nn.Linear(s.latent, 2 * w * 49),
        nn.Unflatten(1, (2 * w, 7, 7)),
        *(nn.BatchNorm2d(2 * w), nn.ReLU()),
        nn.ConvTranspose2d(2 * w, w, 4, 2, 1),
        *(nn.BatchNorm2d(w), nn.ReLU()),
        nn.ConvTranspose2d(w, shape[0], 4, 2, 1),
        nn.Tanh(),
    )
    critic = nn.Sequential(
        *(nn.Conv2d(shape[0], w, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(w, 2 * w, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Flatten(), nn.Linear(2 * w * 49, 1), nn.Flatten(0)),
    )
    g, c = (optim.Adam(n.parameters(), lr=s.learning_rate, betas=(0.5, 0.999)) for n in (generator, critic))
    return Players(generator, critic, g, c)


def iterate(s: Any, p: Players, k: int, draws: Draws) -> Losses:
    """One G-iteration, number k: a step of the critic, then one of the generator."""
    real = draws.images() / 127.5 - 1  # uint8, to the range of the generator's images
    fake = p.generator(draws.latent(len(real))).detach()
    critic_loss = (F.softplus(-p.critic(real)) + F.softplus(p.critic(fake))).mean()
    update(p.critic_optimiser, critic_loss)
    with frozen(p.critic):
        generator_loss = F.softplus(-p.critic(p.generator(draws.latent(s.batch)))).mean()
        update(p.generator_optimiser, generator_loss)
    return {"critic": critic_loss.detach(), "generator": generator_loss.detach()}


DIGITS = Experiment(
    name="mygan/digits",
    summary="convolutions of stride 2, batch norm in the generator, non-saturating loss; Adam",
    dataset="digits",
    image_shape=(1, 28, 28),
    settings=settings(batch=16, latent=64, width=16, learning_rate=5e-4),
    build=build,
    iterate=iterate,
)

EXPERIMENTS = (DIGITS,)
