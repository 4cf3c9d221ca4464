"""SN-GAN: Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018 (arXiv 1802.05957).

Faithful to the paper's tables for the CNN (Table 3: it was not released by the authors) and to the released
code (pfnet-research/sngan_projection e84b1a5) for the ResNet, the normalisation itself and the update order.
Tested against the numbers of both code bases (tests/golden/sngan_*).

Where paper and code differ:
  * ResNet: 50 000 G-iterations with linear decay from the start (released config), not 100 000 (§4.1);
    generator batch 128, dequantisation noise, no bias in the last layer (released code);
  * CNN: the paper's critic widths 64-64-128-128-256-256-512 and slope .1, not the wider critic and slope .2
    of chainer-gan-lib; batch size and initialisation are that code's, since the paper prints none.
The other side of each is an experiment in variants/sngan.py, beside STL-10 and the methods of Table 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.critic_losses import CriticLoss
from baselines.layers import (
    DownBlock,
    FirstDownBlock,
    FlatBlock,
    SNConv2d,
    SNLinear,
    init_glorot,
    init_normal,
    spectral_conv,
)
from baselines.losses import (
    hinge_critic_loss,
    hinge_generator_loss,
    non_saturating_generator_loss,
    standard_critic_loss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from baselines.optimisers import EpsHatAdam
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
    set_learning_rate,
    update,
)
from baselines.wgan_gp import ResnetGenerator

if TYPE_CHECKING:
    from collections.abc import Callable

PAPER = Paper(
    "miyato2018sngan",
    "Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018",
    "1802.05957",
)
CHAINER_NORM_EPS = 2e-5
"""Chainer's batch-norm ε, in both code bases."""
LOSSES = {
    "hinge": (hinge_critic_loss, hinge_generator_loss),
    "standard": (standard_critic_loss, non_saturating_generator_loss),
    "wasserstein": (wasserstein_critic_loss, wasserstein_generator_loss),
}
"""Of critic and generator, by the setting `loss`."""


@dataclass(frozen=True, kw_only=True)
class SnganSettings(Settings):
    """Hyper-parameters of Tables 1–4 and the released configs.

    Attributes:
        width: channels of the generator's last hidden layer; the ResNet of Table 4 has as many in every one.
        critic_width: channels of the critic's first layer.
        critic_growth: where the CNN critic doubles: at the `flat` 3×3 layers (Table 3) or at the `strided`
            4×4 ones (chainer-gan-lib).
        norm_after_dense: batch norm and ReLU after the generator's dense layer (chainer-gan-lib).
        loss: a key of `LOSSES`; `wasserstein` only in the WGAN-GP row of Table 2.
        decay_iters: the learning rate falls linearly to 0 over so many G-iterations; 0 means constant.
        generator_batch: latents per generator update.
        dequantise: real images are x/128 − 1 + U[0, 1/128) instead of x/127.5 − 1.

    """

    width: int
    critic_width: int
    critic_growth: Literal["flat", "strided"]
    slope: float
    norm_after_dense: bool
    loss: Literal["hinge", "standard", "wasserstein"]
    critic_steps: int
    learning_rate: float
    beta1: float
    beta2: float
    decay_iters: int
    generator_batch: int
    dequantise: bool


# --- Networks: standard CNN (Table 3) -----------------------------------------------------------------


class CnnGenerator(nn.Module):
    """Dense to 4×4, three 4×4 stride-2 transposed convolutions with batch norm and ReLU, 3×3, tanh."""

    def __init__(self, s: SnganSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        w, self.side = s.width, shape[1] // 8
        self.widest = 8 * w
        features = self.widest * self.side**2
        self.dense = nn.Linear(s.latent, features)
        self.dense_norm: nn.Module = nn.Identity()
        if s.norm_after_dense:
            self.dense_norm = nn.Sequential(nn.BatchNorm1d(features, eps=CHAINER_NORM_EPS), nn.ReLU())
        layers: list[nn.Module] = []
        for above, below in ((8 * w, 4 * w), (4 * w, 2 * w), (2 * w, w)):
            layers.append(nn.ConvTranspose2d(above, below, 4, 2, 1))
            layers += [nn.BatchNorm2d(below, eps=CHAINER_NORM_EPS), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(w, shape[0], 3, 1, 1), nn.Tanh())
        init_normal(self, 0.02)

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, H, W] in −1..1."""
        h = self.dense_norm(self.dense(z)).reshape(-1, self.widest, self.side, self.side)
        images: Tensor = self.layers(h)
        return images


class CnnCritic(nn.Module):
    """3×3 and 4×4 stride-2 layers in turn, leaky ReLU, every layer spectrally normalised; D(x), [B].

    The comparisons of Table 2 have other layers (channels in and out, kernel, stride), or a norm after every
    convolution but the first.
    """

    def __init__(
        self,
        s: SnganSettings,
        shape: tuple[int, int, int],
        conv: Callable[[int, int, int, int], nn.Module] = SNConv2d,
        linear: Callable[[int, int], nn.Module] = SNLinear,
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        w = s.critic_width
        steps = (1, 1, 2, 2, 4, 4, 8) if s.critic_growth == "flat" else (1, 2, 2, 4, 4, 8, 8)
        layers: list[nn.Module] = []
        channels = shape[0]
        for i, step in enumerate(steps):
            kernel, stride = (3, 1) if i % 2 == 0 else (4, 2)
            layers.append(conv(channels, w * step, kernel, stride))
            channels = w * step
            if norm is not None and i > 0:
                layers.append(norm(channels))
            layers.append(nn.LeakyReLU(s.slope))
        self.layers = nn.Sequential(*layers)
        self.out = linear(channels * (shape[1] // 8) ** 2, 1)
        init_normal(self, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] in −1..1 → D(x), [B]."""
        value: Tensor = self.out(self.layers(x).flatten(1))
        return value.squeeze(1)


# --- Networks: ResNet (Table 4); the generator is WGAN-GP's at width 256 -------------------------------


class ResnetCritic(nn.Module):
    """Two down-blocks, two flat ones, ReLU, *sum* over space, dense without bias; all normalised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            FirstDownBlock(3, width, spectral_conv),
            DownBlock(width, spectral_conv),
            FlatBlock(width, spectral_conv),
            FlatBlock(width, spectral_conv),
        )
        self.out = SNLinear(width, 1, bias=False)
        init_glorot(self.out)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] in −1..1 → D(x), [B]."""
        value: Tensor = self.out(F.relu(self.blocks(x)).sum((2, 3)))
        return value.squeeze(1)


def build_cnn(s: SnganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Table 3."""
    return players(s, CnnGenerator(s, shape), CnnCritic(s, shape))


def build_resnet(s: SnganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Table 4."""
    generator = ResnetGenerator(s.latent, s.width, CHAINER_NORM_EPS)
    return players(s, generator, ResnetCritic(s.critic_width))


def players(s: SnganSettings, generator: nn.Module, critic: nn.Module) -> Players:
    """Both networks with Adam as Chainer has it."""
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.zero_()  # Chainer 3 starts the running variance at 0, torch at 1
            module.register_forward_hook(_average_with_eps)
    g, c = (
        EpsHatAdam(network.parameters(), lr=s.learning_rate, betas=(s.beta1, s.beta2))
        for network in (generator, critic)
    )
    return Players(generator, critic, g, c)


def _average_with_eps(norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001
    """Chainer 3 adds ε to a batch's variance before averaging it; torch adds it only where it divides.

    So do the released code's numbers, computed on a CPU; on a GPU Chainer may leave the average to cuDNN.
    """
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    if norm.training and norm.running_var is not None:
        n = inputs[0].numel() / norm.num_features
        # `data`: torch's own update of the running variance does not count as a change of it either.
        norm.running_var.data.add_((norm.momentum or 0.0) * norm.eps * n / (n - 1))


# --- One generator iteration --------------------------------------------------------------------------


def learning_rate(s: SnganSettings, k: int) -> float:
    """Constant, or linear from `learning_rate` at k = 0 to 0 at `decay_iters`."""
    return s.learning_rate * (max(0.0, 1 - k / s.decay_iters) if s.decay_iters else 1.0)


def iterate(s: SnganSettings, p: Players, k: int, draws: Draws) -> Losses:
    """Update the generator, then `critic_steps` times the critic against the new one (released updater)."""
    generator_loss = generator_step(s, p, k, draws)
    for _ in range(s.critic_steps):
        critic_loss = critic_step(s, p, draws)
    return {"critic": critic_loss, "generator": generator_loss}


def generator_step(s: SnganSettings, p: Players, k: int, draws: Draws) -> Tensor:
    """Set both learning rates to those of G-iteration k; update the generator."""
    for optimiser in (p.generator_optimiser, p.critic_optimiser):
        set_learning_rate(optimiser, learning_rate(s, k))
    _, generator_loss = LOSSES[s.loss]
    with frozen(p.critic):
        loss = generator_loss(p.critic(p.generator(draws.latent(s.generator_batch))))
        update(p.generator_optimiser, loss)
    return loss.detach()


def critic_step(s: SnganSettings, p: Players, draws: Draws) -> Tensor:
    """D(x), then D(G(z)): each pass makes one power iteration, so the two see slightly different σ."""
    real, fake = minibatches(s, p, draws)
    critic_loss, _ = LOSSES[s.loss]
    loss = critic_loss(p.critic(real), p.critic(fake))
    update(p.critic_optimiser, loss)
    return loss.detach()


def minibatches(s: SnganSettings, p: Players, draws: Draws) -> tuple[Tensor, Tensor]:
    """As many real images, in −1..1, as generated ones without gradient history."""
    pixels = draws.images()
    if s.dequantise:
        real = pixels / 128 - 1 + draws.uniform("dequantise", *pixels.shape) / 128
    else:
        real = pixels / 127.5 - 1
    with torch.no_grad():
        fake = p.generator(draws.latent(len(real)))
    return real, fake


def critic_updates(s: SnganSettings, k: int) -> int:
    """Also the number of real minibatches."""
    return s.critic_steps * k


def critic_loss_of(s: SnganSettings) -> CriticLoss:
    """As the setting `loss` says."""
    return CriticLoss("cross-entropy" if s.loss == "standard" else s.loss)


# --- Experiments --------------------------------------------------------------------------------------

TABLE3 = "paper Table 3"
SETTING_C = "paper Table 1, setting C"
CGL = "chainer-gan-lib"
RELEASED = "released code"
CONFIG = "released config"
U_RESTS = Deviation(
    "u stays as it is in evaluation",
    "so do the released convolutions; the released linear layer, and every layer of chainer-gan-lib, moves "
    "its u then too",
    "none on training or samples, which never evaluate the critic",
)

CIFAR10_CNN = Experiment(
    name="sngan/cifar10-cnn",
    title="SN-GAN on CIFAR-10, standard CNN, hinge loss (Table 2)",
    paper=PAPER,
    summary="Table 3 networks, every critic layer spectrally normalised; Adam setting C, one critic step",
    dataset="cifar10",
    image_shape=(3, 32, 32),
    image_range=(-1.0, 1.0),
    settings=cited(
        SnganSettings,
        batch=(64, CGL + "; not printed", MEDIUM),
        latent=(128, TABLE3, HIGH),
        prior=("normal", TABLE3, HIGH),
        epoch_end=("wrap", "Chainer iterator", HIGH),
        sampling_statistics=("running", CGL + "; not printed", MEDIUM),
        sampling_batch=(0, "unused: running averages", HIGH),
        width=(64, TABLE3, HIGH),
        critic_width=(64, TABLE3, HIGH),
        critic_growth=("flat", TABLE3, HIGH),
        slope=(0.1, TABLE3, HIGH),
        norm_after_dense=(False, TABLE3, MEDIUM),
        loss=("hinge", "paper Eq. 16–17", HIGH),
        critic_steps=(1, SETTING_C, MEDIUM),
        learning_rate=(2e-4, SETTING_C, MEDIUM),
        beta1=(0.5, SETTING_C, MEDIUM),
        beta2=(0.999, SETTING_C, MEDIUM),
        decay_iters=(0, CGL + "; not mentioned in the paper", MEDIUM),
        generator_batch=(64, CGL + "; not printed", MEDIUM),
        dequantise=(False, CGL, MEDIUM),
    ),
    build=build_cnn,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=critic_loss_of,
    budget=Budget(100_000, "as printed", Source("paper §4.1", HIGH)),
    deviations=(
        Deviation(
            "weights from N(0, .02²), batch 64",
            "the paper prints neither; chainer-gan-lib, to which the first author points, has these",
            "unknown",
        ),
        Deviation(
            "optimiser setting C",
            "the paper reports each method's best of six settings and does not print which",
            "another setting may be the printed one",
        ),
        U_RESTS,
    ),
    headline=True,
)

CIFAR10_RESNET = Experiment(
    name="sngan/cifar10-resnet",
    title="SN-GAN on CIFAR-10, ResNet, hinge loss (Table 2)",
    paper=PAPER,
    summary="Table 4 networks (generator 256, critic 128), spectral norm in the critic; Adam, linear decay",
    dataset="cifar10",
    image_shape=(3, 32, 32),
    image_range=(-1.0, 1.0),
    settings=CIFAR10_CNN.settings.revised(
        batch=(64, CONFIG, HIGH),
        latent=(128, "paper Table 4; " + RELEASED, HIGH),
        prior=("normal", "paper Table 4; " + RELEASED, HIGH),
        sampling_statistics=("running", RELEASED, HIGH),
        width=(256, "paper Table 4", HIGH),
        critic_width=(128, "paper Table 4", HIGH),
        critic_growth=("flat", "unused: constant width", HIGH),
        slope=(0.0, "unused: ReLU, paper Table 4", HIGH),
        norm_after_dense=(False, "paper Table 4", HIGH),
        critic_steps=(5, CONFIG, HIGH),
        learning_rate=(2e-4, CONFIG, HIGH),
        beta1=(0.0, CONFIG, HIGH),
        beta2=(0.9, CONFIG, HIGH),
        decay_iters=(50_000, CONFIG, HIGH),
        generator_batch=(128, RELEASED, HIGH),
        dequantise=(True, RELEASED, HIGH),
    ),
    build=build_resnet,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=critic_loss_of,
    budget=Budget(50_000, "released config; the paper says 100 000 for all", Source(CONFIG, HIGH)),
    deviations=(
        Deviation(
            "50 000 G-iterations with linear decay from the start",
            "released config; §4.1 says 100 000 and mentions no decay",
            "half the printed length",
        ),
        Deviation(
            "generator batch 128, dequantisation noise, no bias in the last layer",
            "released code; the paper is silent",
            "small",
        ),
        U_RESTS,
    ),
    headline=True,
)

DIGITS = Experiment(
    name="sngan/digits",
    title="SN-GAN on the 4 000 embedded digits",
    paper=PAPER,
    summary="Table 3 networks; one channel, width 16 (64), batch 16 (64); hinge loss, Adam setting C",
    dataset="digits",
    image_shape=(1, 32, 32),
    image_range=(-1.0, 1.0),
    settings=CIFAR10_CNN.settings.revised(
        batch=(16, "suite: 64 in " + CGL + ", reduced for two CPU cores", SUITE),
        generator_batch=(16, "suite: 64 in " + CGL + ", reduced for two CPU cores", SUITE),
        width=(16, "suite: 64 in Table 3, narrowed for two CPU cores", SUITE),
        critic_width=(16, "suite: 64 in Table 3, narrowed for two CPU cores", SUITE),
    ),
    build=build_cnn,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=critic_loss_of,
    budget=Budget(None, "set by the suite", Source("suite", SUITE)),
    deviations=(
        Deviation(
            "width 16, batch 16, one channel, 4 000 digits",
            "a run of the quick suite has to fit two CPU cores",
            "not comparable with any number of the paper",
        ),
        *CIFAR10_CNN.deviations,
    ),
)

EXPERIMENTS = (CIFAR10_CNN, CIFAR10_RESNET, DIGITS)
