"""The GANs that WGAN is compared with on LSUN bedrooms: its networks with the −log D loss (Figs. 5 to 7).

WGAN prints no settings of its baselines. Networks are those of `baselines.wgan`, `wgan_mlp` and `wgan_nobn`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from baselines.critic_losses import CriticLoss
from baselines.losses import non_saturating_generator_loss, standard_critic_loss
from baselines.spec import (
    HIGH,
    LOW,
    MEDIUM,
    Budget,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Players,
    Settings,
    Source,
    cited,
    frozen,
    update,
)
from baselines.variants.wgan_mlp import LAYERS_COUNTED, MLP_PY, NO_NORM, MlpGenerator, drawn
from baselines.variants.wgan_nobn import LSUN64_NOBN, constant_width
from baselines.wgan import LSUN64, MAIN, MODELS, Critic, Generator


@dataclass(frozen=True, kw_only=True)
class LogDSettings(Settings):
    """Settings of the GANs that WGAN is compared with; attributes as in `wgan_mlp.MlpSettings`."""

    width: int
    slope: float
    init_std: float
    learning_rate: float
    beta1: float
    beta2: float
    generator_units: int
    hidden_layers: int


# --- Networks -----------------------------------------------------------------------------------------


def _adam(s: LogDSettings, generator: nn.Module, shape: tuple[int, int, int]) -> Players:
    critic = drawn(Critic(s.width, s.slope, shape), s.init_std)
    g, c = (
        torch.optim.Adam(network.parameters(), lr=s.learning_rate, betas=(s.beta1, s.beta2), foreach=True)
        for network in (generator, critic)
    )
    return Players(generator, critic, g, c)


def build_log_d_dcgan(s: LogDSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of `wgan/lsun64`; the critic's value is the logit of D(x)."""
    return _adam(s, drawn(Generator(s.latent, s.width, shape), s.init_std), shape)


def build_log_d_mlp(s: LogDSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of `wgan/lsun64-mlp`; the critic's value is the logit of D(x)."""
    return _adam(s, MlpGenerator(s.latent, s.generator_units, s.hidden_layers, shape), shape)


def build_log_d_nobn(s: LogDSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of `wgan/lsun64-nobn`; the critic's value is the logit of D(x)."""
    return _adam(s, drawn(constant_width(s.latent, s.width, shape), s.init_std), shape)


# --- One generator iteration --------------------------------------------------------------------------


def iterate_log_d(s: LogDSettings, p: Players, k: int, draws: Draws) -> Losses:  # noqa: ARG001
    """One critic step, real images and fakes in passes of their own, then one generator step (−log D)."""
    real = draws.images() / 127.5 - 1
    with torch.no_grad():
        fake = p.generator(draws.latent(s.batch))
    critic_loss = standard_critic_loss(p.critic(real), p.critic(fake))
    update(p.critic_optimiser, critic_loss)
    with frozen(p.critic):
        generator_loss = non_saturating_generator_loss(p.critic(p.generator(draws.latent(s.batch))))
        update(p.generator_optimiser, generator_loss)
    return {"critic": critic_loss.detach(), "generator": generator_loss.detach()}


def one_per_iteration(s: LogDSettings, k: int) -> int:  # noqa: ARG001
    """Critic steps, and real minibatches, of G-iterations 0..k−1."""
    return k


# --- Experiments --------------------------------------------------------------------------------------

_DCGAN_PAPER = "unconfirmed: DCGAN paper §4; WGAN prints no settings of its baseline"
_UNPRINTED = "unconfirmed: as wgan/lsun64; WGAN prints no settings of its baseline"

LSUN64_GAN_DCGAN: Experiment[LogDSettings] = Experiment(
    name="wgan/lsun64-gan-dcgan",
    title="GAN with DCGAN networks and −log D on LSUN bedrooms, WGAN's baseline (Fig. 5)",
    paper=LSUN64.paper,
    summary="the networks of lsun64 with the non-saturating loss; Adam, one critic step, no clipping",
    dataset=LSUN64.dataset,
    image_shape=LSUN64.image_shape,
    image_range=LSUN64.image_range,
    settings=cited(
        LogDSettings,
        batch=(64, _UNPRINTED, LOW),
        latent=(100, _UNPRINTED, LOW),
        prior=("normal", _UNPRINTED, LOW),
        epoch_end=("keep", _UNPRINTED, LOW),
        sampling_statistics=("batch", _UNPRINTED, LOW),
        sampling_batch=(64, _UNPRINTED, LOW),
        width=(64, _UNPRINTED, LOW),
        slope=(0.2, "unconfirmed: DCGAN paper §4, and " + MODELS + " of WGAN's own runs", MEDIUM),
        init_std=(0.02, "unconfirmed: DCGAN paper §4, and " + MAIN + " of WGAN's own runs", MEDIUM),
        learning_rate=(2e-4, _DCGAN_PAPER, LOW),
        beta1=(0.5, _DCGAN_PAPER, LOW),
        beta2=(0.999, _DCGAN_PAPER, LOW),
        generator_units=(0, "unused: convolutional generator", HIGH),
        hidden_layers=(0, "unused: convolutional generator", HIGH),
    ),
    build=build_log_d_dcgan,
    iterate=iterate_log_d,
    real_batches=one_per_iteration,
    critic_updates=one_per_iteration,
    critic_loss=lambda _: CriticLoss("cross-entropy"),
    budget=Budget(
        None,
        "not known: the axis of Figure 4 was not recovered; Figures 5 and 7 show samples without iterations",
        Source("paper Figs. 4, 5, 7 and 8", LOW),
    ),
    deviations=(
        Deviation(
            "Adam at 2e-4 with betas (.5, .999), batch 64, one critic step per generator step",
            "WGAN names its baseline, a DCGAN with the −log D trick, and prints no settings; unconfirmed",
            "another baseline may be the one shown; only failure or success can be compared",
        ),
    ),
)

LSUN64_GAN_MLP = dataclasses.replace(
    LSUN64_GAN_DCGAN,
    name="wgan/lsun64-gan-mlp",
    title="GAN with an MLP generator and −log D on LSUN bedrooms, WGAN's baseline (Fig. 7)",
    summary="the networks of lsun64-mlp with the non-saturating loss; Adam, one critic step, no clipping",
    settings=LSUN64_GAN_DCGAN.settings.revised(
        generator_units=(512, "paper Fig. 7", HIGH),
        hidden_layers=(3, MLP_PY, HIGH),
        **NO_NORM,
    ),
    build=build_log_d_mlp,
    deviations=(*LSUN64_GAN_DCGAN.deviations, LAYERS_COUNTED),
)

LSUN64_GAN_NOBN = dataclasses.replace(
    LSUN64_GAN_DCGAN,
    name="wgan/lsun64-gan-nobn",
    title="GAN, generator of constant width without batch norm, −log D, on LSUN bedrooms (Fig. 6)",
    summary="the networks of lsun64-nobn with the non-saturating loss; Adam, one critic step, no clipping",
    settings=LSUN64_GAN_DCGAN.settings.revised(**NO_NORM),
    build=build_log_d_nobn,
    budget=Budget(None, "not printed", Source("paper Fig. 6 shows samples without iterations", HIGH)),
    deviations=(*LSUN64_GAN_DCGAN.deviations, LSUN64_NOBN.deviations[0]),
)
