"""WGAN: Arjovsky, Chintala & Bottou, Wasserstein GAN, 2017 (arXiv 1701.07875).

Faithful to the released code (martinarjovsky/WassersteinGAN f7a01e8), tested against its own numbers
(tests/golden/wgan_dcgan64, wgan_mlp64, wgan_schedule). Algorithm 1 as printed: `baselines.variants.wgan`;
MLPs, generators without batch norm, −log D baselines: `wgan_mlp`, `wgan_nobn`, `wgan_gan_baselines` there.

Where paper and code differ the code is followed:
  * every critic parameter is clamped *before* a critic step (Algorithm 1 clips after it), norm gains too;
  * the critic makes 100 steps at G-iterations below 25 and at every 500th, else 5; the paper only says 5;
  * the code's critic D descends D(x) − D(G(z)); here f = −D ascends the paper's f(x) − f(G(z)). The two are
    the same run, since weights start from a symmetric distribution and clipping and RMSprop are symmetric.
`wgan/cifar10` is another network: the clipping mode of the WGAN-GP authors' CIFAR-10 script, which clips
after the step (tests/golden/wgangp_cifar_wgan). The WGAN paper has no CIFAR-10 result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from baselines import wgan_gp
from baselines.layers import init_normal
from baselines.losses import wasserstein_critic_loss, wasserstein_generator_loss
from baselines.optimisers import TensorFlowRMSprop
from baselines.spec import (
    HIGH,
    MEDIUM,
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
    frozen,
    update,
)

PAPER = Paper("arjovsky2017wgan", "Arjovsky, Chintala & Bottou, Wasserstein GAN, 2017", "1701.07875")


@dataclass(frozen=True, kw_only=True)
class WganSettings(Settings):
    """Hyper-parameters of ``main.py``.

    Attributes:
        width: channels next to the image (ngf = ndf); doubles towards 4×4 pixels.
        clip: every critic parameter is held within ±clip.
        clip_when: clamp `before` each critic step (released code) or `after` it (Algorithm 1).
        critic_schedule: `100/5` (released code) or a `constant` number of critic steps.

    """

    width: int
    slope: float
    init_std: float
    learning_rate: float
    clip: float
    clip_when: Literal["before", "after"]
    critic_schedule: Literal["100/5", "constant"]
    critic_steps: int


# --- Networks -----------------------------------------------------------------------------------------


class Generator(nn.Module):
    """4×4 transposed convolutions from 1×1 up, batch norm and ReLU; tanh; no biases (models/dcgan.py)."""

    def __init__(self, latent: int, width: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        widths = doubling_widths(width, shape)[::-1]
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False)]
        for i, channels in enumerate(widths):
            layers += [nn.BatchNorm2d(channels), nn.ReLU()]
            below = widths[i + 1] if i + 1 < len(widths) else shape[0]
            layers.append(nn.ConvTranspose2d(channels, below, 4, 2, 1, bias=False))
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, H, W] in −1..1."""
        images: Tensor = self.layers(z[:, :, None, None])
        return images


class Critic(nn.Module):
    """4×4 stride-2 convolutions, leaky ReLU, batch norm on all but the first; no sigmoid; f(x), [B]."""

    def __init__(self, width: int, slope: float, shape: tuple[int, int, int]) -> None:
        super().__init__()
        widths = doubling_widths(width, shape)
        layers: list[nn.Module] = []
        for i, channels in enumerate(widths):
            above = widths[i - 1] if i else shape[0]
            layers.append(nn.Conv2d(above, channels, 4, 2, 1, bias=False))
            if i:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.LeakyReLU(slope))
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in −1..1 → f(x), [B]."""
        value: Tensor = self.layers(x)
        return value.flatten()


def doubling_widths(width: int, shape: tuple[int, int, int]) -> list[int]:
    """Channels at H/2, H/4 and so on to 4 pixels: width, 2·width, 4·width and so on."""
    halvings = (shape[1] // 4).bit_length() - 1
    return [width << i for i in range(halvings)]


def players(s: WganSettings, generator: nn.Module, critic: nn.Module) -> Players:
    """Both networks with RMSprop as torch has it."""
    g, c = (
        torch.optim.RMSprop(network.parameters(), lr=s.learning_rate, alpha=0.99, eps=1e-8, foreach=True)
        for network in (generator, critic)
    )
    return Players(generator, critic, g, c)


def build(s: WganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Convolutions from N(0, .02²), batch-norm gains from N(1, .02²)."""
    generator, critic = Generator(s.latent, s.width, shape), Critic(s.width, s.slope, shape)
    for network in (generator, critic):
        init_normal(network, s.init_std, norm_gain_std=s.init_std)
    return players(s, generator, critic)


def build_cifar(s: WganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Take the WGAN-GP authors' CIFAR-10 networks in clipping mode; RMSProp as TensorFlow has it."""
    generator = wgan_gp.CifarGenerator(s.latent, s.width, shape)
    critic = wgan_gp.CifarCritic(s.width, shape, batch_norm=True)
    g, c = (TensorFlowRMSprop(network.parameters(), lr=s.learning_rate) for network in (generator, critic))
    return Players(generator, critic, g, c)


# --- One generator iteration --------------------------------------------------------------------------


def critic_steps(s: WganSettings, k: int) -> int:
    """Critic steps before generator update k."""
    if s.critic_schedule == "100/5" and (k < 25 or k % 500 == 0):
        return 100
    return s.critic_steps


@torch.no_grad()
def clip(critic: nn.Module, bound: float) -> None:
    """Every parameter into [−bound, bound], batch-norm gains and biases included."""
    torch._foreach_clamp_min_(list(critic.parameters()), -bound)
    torch._foreach_clamp_max_(list(critic.parameters()), bound)


def iterate(s: WganSettings, p: Players, k: int, draws: Draws) -> Losses:
    """`critic_steps` updates of the clipped critic, then one of the generator (Algorithm 1)."""
    for _ in range(critic_steps(s, k)):
        losses = critic_step(s, p, draws.images() / 127.5 - 1, draws)
    return {**losses, "generator": generator_step(s, p, draws)}


def critic_step(s: WganSettings, p: Players, real: Tensor, draws: Draws) -> Losses:
    """Wasserstein loss; real and generated images apart, so that batch norm sees one kind at a time."""
    if s.clip_when == "before":
        clip(p.critic, s.clip)
    with torch.no_grad():
        fake = p.generator(draws.latent(s.batch))
    wasserstein = wasserstein_critic_loss(p.critic(real), p.critic(fake))
    update(p.critic_optimiser, wasserstein)
    if s.clip_when == "after":
        clip(p.critic, s.clip)
    return {"critic": wasserstein.detach()}


def generator_step(s: WganSettings, p: Players, draws: Draws) -> Tensor:
    """−f(G(z))."""
    with frozen(p.critic):
        fake = p.generator(draws.latent(s.batch))
        loss = wasserstein_generator_loss(p.critic(fake))
        update(p.generator_optimiser, loss)
    return loss.detach()


def critic_updates(s: WganSettings, k: int) -> int:
    """Critic steps of G-iterations 0..k−1, in closed form."""
    if s.critic_schedule == "constant":
        return s.critic_steps * k
    long_ones = min(k, 25) + max(0, (k - 1) // 500)  # iteration 0 is among the first 25
    return s.critic_steps * (k - long_ones) + 100 * long_ones


# --- Experiments --------------------------------------------------------------------------------------

MAIN = "released main.py"
MODELS = "released models/dcgan.py"
GAN_CIFAR = "improved_wgan_training gan_cifar.py, MODE=wgan"

LSUN64 = Experiment(
    name="wgan/lsun64",
    title="WGAN with DCGAN networks on LSUN bedrooms (Fig. 3, upper right)",
    paper=PAPER,
    summary="4×4 stride-2 networks of width 64, batch norm in both; RMSprop, clipping, 100/5 critic steps",
    dataset="lsun-bedroom",
    image_shape=(3, 64, 64),
    image_range=(-1.0, 1.0),
    settings=cited(
        WganSettings,
        batch=(64, "paper Algorithm 1", HIGH),
        latent=(100, MAIN, HIGH),
        prior=("normal", MAIN, HIGH),
        epoch_end=("keep", MAIN, HIGH),
        sampling_statistics=("batch", MAIN + " (networks stay in training mode)", HIGH),
        sampling_batch=(64, MAIN + ": fixed_noise", HIGH),
        width=(64, MAIN, HIGH),
        slope=(0.2, MODELS, HIGH),
        init_std=(0.02, MAIN, HIGH),
        learning_rate=(5e-5, "paper Algorithm 1", HIGH),
        clip=(0.01, "paper Algorithm 1", HIGH),
        clip_when=("before", MAIN, HIGH),
        critic_schedule=("100/5", MAIN, HIGH),
        critic_steps=(5, "paper Algorithm 1", HIGH),
    ),
    build=build,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=wgan_gp.wasserstein,
    budget=Budget(600_000, "x-axis of Figure 3", Source("read from the figure", HIGH)),
    deviations=(
        Deviation(
            "clamped before each critic step; 100 critic steps at first and every 500th iteration",
            "released code; Algorithm 1 clips after the step and always makes 5",
            "the critic the generator sees is one step outside the box; other sides: lsun64-clip-after, "
            "lsun64-constant5 and, both at once, lsun64-printed",
        ),
        Deviation(
            "the end of an epoch does not cut a critic loop short",
            "the schedule is a function of the iteration alone, so that a run can stop and resume anywhere",
            "at most one generator step per epoch with a few more critic steps than in the released code",
        ),
    ),
)

CIFAR10 = Experiment(
    name="wgan/cifar10",
    title="WGAN on CIFAR-10 (the WGAN-GP authors' clipping mode)",
    paper=PAPER,
    summary="5×5 stride-2 networks of width 128, batch norm in both; RMSProp, clipping, 5 critic steps",
    dataset="cifar10",
    image_shape=(3, 32, 32),
    image_range=(-1.0, 1.0),
    settings=cited(
        WganSettings,
        batch=(64, GAN_CIFAR, HIGH),
        latent=(128, GAN_CIFAR, HIGH),
        prior=("normal", GAN_CIFAR, HIGH),
        epoch_end=("drop", GAN_CIFAR, MEDIUM),
        sampling_statistics=("batch", GAN_CIFAR, HIGH),
        sampling_batch=(100, GAN_CIFAR + ": for the Inception score", HIGH),
        width=(128, GAN_CIFAR, HIGH),
        slope=(0.2, GAN_CIFAR, HIGH),
        init_std=(0.0, "unused: uniform Glorot and He-like in " + GAN_CIFAR, HIGH),
        learning_rate=(5e-5, GAN_CIFAR, HIGH),
        clip=(0.01, GAN_CIFAR, HIGH),
        clip_when=("after", GAN_CIFAR, HIGH),
        critic_schedule=("constant", GAN_CIFAR, HIGH),
        critic_steps=(5, GAN_CIFAR, HIGH),
    ),
    build=build_cifar,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=wgan_gp.wasserstein,
    budget=Budget(200_000, "axis of Figure 3 in WGAN-GP", Source("WGAN-GP Fig. 3 and gan_cifar.py", HIGH)),
    deviations=(
        Deviation(
            "not a network of the WGAN paper",
            "that paper has no CIFAR-10 result; this is the clipping run the WGAN-GP paper compares with",
            "only the ordering of curves in WGAN-GP Fig. 3 can be compared",
        ),
        wgan_gp.WIDTH_128,
        wgan_gp.ONE_MORE,
    ),
    headline=True,
)

DIGITS = Experiment(
    name="wgan/digits",
    title="WGAN on the 4 000 embedded digits",
    paper=PAPER,
    summary="the released 32×32 networks; one channel, width 32 (64), batch 16 (64); always 5 critic steps",
    dataset="digits",
    image_shape=(1, 32, 32),
    image_range=(-1.0, 1.0),
    settings=LSUN64.settings.revised(
        batch=(16, "suite: 64 in " + MAIN + ", reduced for two CPU cores", SUITE),
        width=(32, "suite: 64 in " + MAIN + ", narrowed for two CPU cores", SUITE),
        critic_schedule=("constant", "paper Algorithm 1; 100/5 in " + MAIN, HIGH),
    ),
    build=build,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=wgan_gp.wasserstein,
    budget=Budget(None, "set by the suite", Source("suite", SUITE)),
    deviations=(
        Deviation(
            "width 32, batch 16, one channel, 4 000 digits",
            "a run of the quick suite has to fit two CPU cores",
            "not comparable with any number of the paper",
        ),
        Deviation(
            "always 5 critic steps",
            "Algorithm 1 as printed; the released 100/5 schedule would spend most of a short run on it",
            "an earlier critic is farther from optimal",
        ),
        LSUN64.deviations[1],
    ),
)

EXPERIMENTS = (LSUN64, CIFAR10, DIGITS)
