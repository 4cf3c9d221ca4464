"""A third party's baseline in one file: a least-squares GAN of perceptrons on the embedded digits.

Beside it, `tiny_gan-1.0.dist-info` is what pip would install: its entry point makes `EXPERIMENTS` part of the
registry. Only `baselines.spec` is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines import spec
from baselines.spec import SUITE

PAPER = spec.Paper(
    "mao2016lsgan",
    "Mao et al., Least Squares Generative Adversarial Networks",
    "1611.04076",
    bibtex="""@article{mao2016lsgan,
  author = {Mao, Xudong and others},
  title = {Least Squares Generative Adversarial Networks},
  journal = {arXiv:1611.04076},
  year = {2016}
}""",
)
README = "tiny-gan's README"


@dataclass(frozen=True, kw_only=True)
class TinySettings(spec.Settings):
    """Hyper-parameters beside those of every baseline; `width` is that of the hidden layers."""

    width: int
    learning_rate: float


def build(s: TinySettings, shape: tuple[int, int, int], mean_image: Tensor) -> spec.Players:
    """A perceptron each: latents to images in −1..1, images to D(x), [B]."""
    n = math.prod(shape)
    generator = nn.Sequential(
        nn.Linear(s.latent, s.width), nn.ReLU(), nn.Linear(s.width, n), nn.Tanh(), nn.Unflatten(1, shape)
    )
    critic = nn.Sequential(
        nn.Flatten(), nn.Linear(n, s.width), nn.LeakyReLU(0.2), nn.Linear(s.width, 1), nn.Flatten(0)
    )
    g, c = (torch.optim.Adam(network.parameters(), lr=s.learning_rate) for network in (generator, critic))
    return spec.Players(generator, critic, g, c)


def iterate(s: TinySettings, p: spec.Players, k: int, draws: spec.Draws) -> spec.Losses:
    """D(x) towards 1 and D(G(z)) towards 0, then D(G(z)) towards 1 on latents of its own."""
    real = draws.images() / 127.5 - 1
    with torch.no_grad():
        fake = p.generator(draws.latent(len(real)))
    critic_loss = ((p.critic(real) - 1).square().mean() + p.critic(fake).square().mean()) / 2
    spec.update(p.critic_optimiser, critic_loss)
    with spec.frozen(p.critic):
        generator_loss = (p.critic(p.generator(draws.latent(s.batch))) - 1).square().mean() / 2
        spec.update(p.generator_optimiser, generator_loss)
    return {"critic": critic_loss.detach(), "generator": generator_loss.detach()}


def once(s: TinySettings, k: int) -> int:
    """One real minibatch and one critic update per G-iteration."""
    return k


DIGITS = spec.Experiment(
    name="tiny/digits",
    title="A third party's GAN",
    paper=PAPER,
    summary="perceptrons of one hidden layer, least squares with labels 0 and 1; Adam",
    dataset="digits",
    image_shape=(1, 28, 28),
    image_range=(-1.0, 1.0),
    settings=spec.cited(
        TinySettings,
        batch=(16, README, SUITE),
        latent=(8, README, SUITE),
        prior=("uniform", README, SUITE),
        epoch_end=("drop", README, SUITE),
        sampling_statistics=("none", "no batch norm", SUITE),
        sampling_batch=(0, "unused: no batch norm", SUITE),
        width=(32, README, SUITE),
        learning_rate=(1e-3, README, SUITE),
    ),
    build=build,
    iterate=iterate,
    real_batches=once,
    critic_updates=once,
    budget=spec.Budget(None, "set by the suite", spec.Source(README, SUITE)),
    deviations=(spec.Deviation("perceptrons", "an example is short", "no picture of the paper comes out"),),
)

EXPERIMENTS = (DIGITS,)
