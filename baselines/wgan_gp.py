"""WGAN-GP: Gulrajani et al., Improved Training of Wasserstein GANs, 2017 (arXiv 1704.00028).

Faithful to the released scripts (igul222/improved_wgan_training fa66c57): ``gan_mnist.py``, ``gan_cifar.py``
(Figure 3), ``gan_cifar_resnet.py`` (Table 3, unsupervised). Tested against that code's own numbers
(tests/golden/wgangp_*). On MNIST, with other optimisers, the ResNet as printed: `baselines.variants.wgan_gp`;
with labels, at 64 pixels with other norms, on points of the plane: `wgan_gp_conditional`, `wgan_gp_lsun64`,
`wgan_gp_toy` there.

Where paper and code differ the code is followed:
  * Adam betas (.5, .9) in the MNIST and CIFAR-10 CNN scripts, (0, .9) as in Algorithm 1 only for the ResNet;
  * the ResNet generator is updated on two batches of 64, and the critic's fakes come in two halves of 32,
    each with batch statistics of its own;
  * real images of the ResNet script carry dequantisation noise;
  * batch norm always uses batch statistics, also when sampling.
No batch norm in a critic with gradient penalty (§4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.critic_losses import CriticLoss
from baselines.layers import (
    DownBlock,
    FirstDownBlock,
    FlatBlock,
    SameConv2d,
    SameConvTranspose2d,
    UpBlock,
    init_glorot,
    mirrored,
    plain_conv,
)
from baselines.losses import gradient_penalty, wasserstein_critic_loss, wasserstein_generator_loss
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

PAPER = Paper(
    "gulrajani2017wgangp", "Gulrajani et al., Improved Training of Wasserstein GANs, 2017", "1704.00028"
)
HE = 2**0.5
"""tflib's ``he_init``: Glorot-uniform times √2."""


@dataclass(frozen=True, kw_only=True)
class WganGpSettings(Settings):
    """Hyper-parameters of the released scripts.

    Attributes:
        width: DIM of the scripts.
        decay_iters: the learning rate falls linearly to 0 over so many G-iterations; 0 means constant.
        penalty: λ of Eq. 3.
        generator_batches: latent batches of size `batch` per generator update, each with its own statistics.
        critic_batch_parts: parts in which the critic's fakes are generated.
        scaling: of real pixels x: `unit` x/255, `symmetric` 2·(x/255 − ½), `dequantised` 2·(x/256 − ½) +
            U[0, 1/128).

    """

    width: int
    learning_rate: float
    beta1: float
    beta2: float
    decay_iters: int
    penalty: float
    critic_steps: int
    generator_batches: int
    critic_batch_parts: int
    scaling: Literal["unit", "symmetric", "dequantised"]


# --- Networks: CIFAR-10 (gan_cifar.py), also run by dcgan/cifar10 and wgan/cifar10 ----------------------


class CifarGenerator(nn.Module):
    """Linear to 4×4, three 5×5 doublings; batch norm and ReLU in every mode; tanh."""

    memory_format = torch.contiguous_format  # on a CPU: the wide 5×5 layers lose in channels_last

    def __init__(self, latent: int, width: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.widest = 4 * width
        self.project = nn.Linear(latent, self.widest * 16)
        self.norm1 = nn.BatchNorm1d(self.widest * 16)  # over features: it precedes the reshape
        self.up1 = SameConvTranspose2d(4 * width, 2 * width)
        self.norm2 = nn.BatchNorm2d(2 * width)
        self.up2 = SameConvTranspose2d(2 * width, width)
        self.norm3 = nn.BatchNorm2d(width)
        self.up3 = SameConvTranspose2d(width, shape[0])
        init_glorot(self.project)
        for layer in (self.up1, self.up2, self.up3):
            init_glorot(layer, HE)

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, 32, 32] in −1..1."""
        h = F.relu(self.norm1(self.project(z))).reshape(-1, self.widest, 4, 4)
        h = F.relu(self.norm2(self.up1(mirrored(h), on_mirrored=True)))
        h = F.relu(self.norm3(self.up2(h, on_mirrored=True)))
        return torch.tanh(mirrored(self.up3(h, on_mirrored=True)))


class CifarCritic(nn.Module):
    """Three 5×5 stride-2 convolutions, leaky ReLU; batch norm on the last two only without penalty."""

    memory_format = torch.contiguous_format  # on a CPU: the wide 5×5 layers lose in channels_last

    def __init__(self, width: int, shape: tuple[int, int, int], batch_norm: bool) -> None:
        super().__init__()
        self.down1 = SameConv2d(shape[0], width, 5, 2)
        self.down2 = SameConv2d(width, 2 * width, 5, 2)
        self.norm2 = nn.BatchNorm2d(2 * width) if batch_norm else nn.Identity()
        self.down3 = SameConv2d(2 * width, 4 * width, 5, 2)
        self.norm3 = nn.BatchNorm2d(4 * width) if batch_norm else nn.Identity()
        self.value = nn.Linear(4 * width * 16, 1)
        for layer in (self.down1, self.down2, self.down3):
            init_glorot(layer, HE)
        init_glorot(self.value)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, 32, 32] in −1..1 → f(x), [B]."""
        x = F.leaky_relu(self.down1(mirrored(x), on_mirrored=True), 0.2)
        x = F.leaky_relu(self.norm2(self.down2(x, on_mirrored=True)), 0.2)
        x = F.leaky_relu(self.norm3(self.down3(x, on_mirrored=True)), 0.2)
        value: Tensor = self.value(mirrored(x).flatten(1))
        return value.squeeze(1)


# --- Networks: MNIST (gan_mnist.py) -------------------------------------------------------------------


class MnistGenerator(nn.Module):
    """Linear to 4×4, three doublings with a crop to 7×7 after the first; ReLU, sigmoid, no norm."""

    def __init__(self, s: WganGpSettings) -> None:
        super().__init__()
        self.widest = 4 * s.width
        self.project = nn.Linear(s.latent, self.widest * 16)
        self.up1 = SameConvTranspose2d(4 * s.width, 2 * s.width)
        self.up2 = SameConvTranspose2d(2 * s.width, s.width)
        self.up3 = SameConvTranspose2d(s.width, 1)
        init_glorot(self.project)
        for layer in (self.up1, self.up2, self.up3):
            init_glorot(layer, HE)

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, 1, 28, 28] in 0..1."""
        h = F.relu(self.project(z)).reshape(-1, self.widest, 4, 4)
        h = F.relu(self.up1(mirrored(h), on_mirrored=True))[:, :, 1:, 1:]  # the last row and column
        h = F.relu(self.up2(h, on_mirrored=True))
        return torch.sigmoid(mirrored(self.up3(h, on_mirrored=True)))


class MnistCritic(nn.Module):
    """Three 5×5 stride-2 convolutions (14, 7, 4 pixels), leaky ReLU, no norm; f(x), [B]."""

    def __init__(self, s: WganGpSettings) -> None:
        super().__init__()
        self.down1 = SameConv2d(1, s.width, 5, 2)
        self.down2 = SameConv2d(s.width, 2 * s.width, 5, 2)
        self.down3 = SameConv2d(2 * s.width, 4 * s.width, 5, 2)
        self.value = nn.Linear(4 * s.width * 16, 1)
        for layer in (self.down1, self.down2, self.down3):
            init_glorot(layer, HE)
        init_glorot(self.value)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 1, 28, 28] in 0..1 → f(x), [B]."""
        x = mirrored(x)
        for layer in (self.down1, self.down2, self.down3):
            x = F.leaky_relu(layer(x, on_mirrored=True), 0.2)
        value: Tensor = self.value(mirrored(x).flatten(1))
        return value.squeeze(1)


# --- Networks: CIFAR-10, ResNet (gan_cifar_resnet.py, App. F) ------------------------------------------


class ResnetGenerator(nn.Module):
    """Linear to 4×4, three up-blocks of constant width, batch norm, ReLU, 3×3, tanh.

    With `classes`, the batch norms of the blocks are conditional, the last one is not. `late` blocks enlarge
    before their second convolution (App. F), others before the first (released script).
    """

    def __init__(
        self, latent: int, width: int, norm_eps: float = 1e-5, classes: int = 0, late: bool = False
    ) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(latent, width * 16)
        self.blocks = nn.Sequential(*(UpBlock(width, width, norm_eps, classes, late=late) for _ in range(3)))
        self.norm = nn.BatchNorm2d(width, eps=norm_eps)
        self.out = plain_conv(width, 3, 3)
        init_glorot(self.project)
        init_glorot(self.out)

    def forward(self, z: Tensor, *classes: Tensor) -> Tensor:
        """[B, latent], and int64 [B] if conditional → images [B, 3, 32, 32] in −1..1."""
        h = self.project(z).reshape(-1, self.width, 4, 4)
        for block in self.blocks:
            h = block(h, *classes)
        return torch.tanh(self.out(F.relu(self.norm(h))))


class ResnetCritic(nn.Module):
    """Two down-blocks, two flat ones, ReLU, mean over space, linear; no norm anywhere."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            FirstDownBlock(3, width, plain_conv),
            DownBlock(width, plain_conv),
            FlatBlock(width, plain_conv),
            FlatBlock(width, plain_conv),
        )
        self.value = nn.Linear(width, 1)
        init_glorot(self.value)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] in −1..1 → f(x), [B]."""
        value: Tensor = self.value(self.features(x))
        return value.squeeze(1)

    def features(self, x: Tensor) -> Tensor:
        """Images → what the linear layer sees, [B, width]."""
        features: Tensor = F.relu(self.blocks(x)).mean((2, 3))
        return features


def players(s: WganGpSettings, generator: nn.Module, critic: nn.Module) -> Players:
    """Both networks with Adam as TensorFlow has it."""
    g, c = (
        EpsHatAdam(network.parameters(), lr=s.learning_rate, betas=(s.beta1, s.beta2))
        for network in (generator, critic)
    )
    return Players(generator, critic, g, c)


def build_mnist(s: WganGpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of gan_mnist.py."""
    return players(s, MnistGenerator(s), MnistCritic(s))


def build_cnn(s: WganGpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of gan_cifar.py in mode wgan-gp."""
    return players(s, CifarGenerator(s.latent, s.width, shape), CifarCritic(s.width, shape, batch_norm=False))


def build_resnet(s: WganGpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of gan_cifar_resnet.py, unconditional."""
    return players(s, ResnetGenerator(s.latent, s.width), ResnetCritic(s.width))


# --- One generator iteration --------------------------------------------------------------------------


def learning_rate(s: WganGpSettings, k: int) -> float:
    """Constant, or linear from `learning_rate` at k = 0 to 0 at `decay_iters`."""
    return s.learning_rate * (max(0.0, 1 - k / s.decay_iters) if s.decay_iters else 1.0)


def set_learning_rates(s: WganGpSettings, p: Players, k: int) -> None:
    """Of G-iteration k."""
    set_learning_rate(p.critic_optimiser, learning_rate(s, k))
    set_learning_rate(p.generator_optimiser, learning_rate(s, k + 1))  # the scripts count it to the next loop


def scaled(s: WganGpSettings, pixels: Tensor, draws: Draws) -> Tensor:
    """Pixels in the range of the generator's output."""
    if s.scaling == "unit":
        return pixels / 255
    if s.scaling == "dequantised":
        return 2 * (pixels / 256 - 0.5) + draws.uniform("dequantise", *pixels.shape) / 128
    return 2 * (pixels / 255 - 0.5)


def iterate(s: WganGpSettings, p: Players, k: int, draws: Draws) -> Losses:
    """`critic_steps` critic updates with gradient penalty, then one of the generator (Algorithm 1)."""
    set_learning_rates(s, p, k)
    for _ in range(s.critic_steps):
        losses = critic_step(s, p, scaled(s, draws.images(), draws), draws)
    return {**losses, "generator": generator_step(s, p, draws)}


def critic_step(s: WganGpSettings, p: Players, real: Tensor, draws: Draws) -> Losses:
    """Wasserstein loss plus λ times the penalty on the same real and generated images."""
    with torch.no_grad():
        parts = draws.latent(len(real)).chunk(s.critic_batch_parts)
        fake = torch.cat([p.generator(part) for part in parts])
    wasserstein = wasserstein_critic_loss(p.critic(real), p.critic(fake))
    penalty = gradient_penalty(p.critic, real, fake, draws.uniform("penalty", len(real)))
    update(p.critic_optimiser, wasserstein + s.penalty * penalty)
    return {"critic": wasserstein.detach(), "gradient_penalty": penalty.detach()}


def generator_step(s: WganGpSettings, p: Players, draws: Draws) -> Tensor:
    """−f(G(z)), over `generator_batches` batches with statistics of their own."""
    with frozen(p.critic):
        fake = torch.cat([p.generator(draws.latent(s.batch)) for _ in range(s.generator_batches)])
        loss = wasserstein_generator_loss(p.critic(fake))
        update(p.generator_optimiser, loss)
    return loss.detach()


def critic_updates(s: WganGpSettings, k: int) -> int:
    """Also the number of real minibatches."""
    return s.critic_steps * k


def wasserstein(s: Settings) -> CriticLoss:  # noqa: ARG001
    """Minus the estimate, without penalty."""
    return CriticLoss("wasserstein")


# --- Experiments --------------------------------------------------------------------------------------

MNIST_PY = "gan_mnist.py"
CIFAR_PY = "gan_cifar.py"
RESNET_PY = "gan_cifar_resnet.py"
WIDTH_128 = Deviation(
    "width 128",
    "the script's DIM as released; its comment says that this overfits and 64 is probably better",
    "which of the two made Figure 3 is not printed",
)
ONE_MORE = Deviation(
    "as many generator updates as the script has iterations",
    "the script leaves the generator alone in its first iteration; critic updates are as many",
    "one generator update more, the last; of cifar10-resnet none, as the rate is 0 by then",
)

CIFAR10_CNN = Experiment(
    name="wgan_gp/cifar10-cnn",
    title="WGAN-GP on CIFAR-10, DCGAN-like networks (Fig. 3, Adam)",
    paper=PAPER,
    summary="5×5 stride-2 networks of width 128, batch norm in the generator; Adam, λ = 10, 5 critic steps",
    dataset="cifar10",
    image_shape=(3, 32, 32),
    image_range=(-1.0, 1.0),
    settings=cited(
        WganGpSettings,
        batch=(64, CIFAR_PY, HIGH),
        latent=(128, CIFAR_PY, HIGH),
        prior=("normal", CIFAR_PY, HIGH),
        epoch_end=("drop", CIFAR_PY, MEDIUM),
        sampling_statistics=("batch", CIFAR_PY, HIGH),
        sampling_batch=(100, CIFAR_PY + ": for the Inception score", HIGH),
        width=(128, CIFAR_PY, HIGH),
        learning_rate=(1e-4, CIFAR_PY, HIGH),
        beta1=(0.5, CIFAR_PY, HIGH),
        beta2=(0.9, CIFAR_PY, HIGH),
        decay_iters=(0, CIFAR_PY, HIGH),
        penalty=(10.0, "paper §4", HIGH),
        critic_steps=(5, "paper Algorithm 1", HIGH),
        generator_batches=(1, CIFAR_PY, HIGH),
        critic_batch_parts=(1, CIFAR_PY, HIGH),
        scaling=("symmetric", CIFAR_PY, HIGH),
    ),
    build=build_cnn,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=wasserstein,
    budget=Budget(200_000, "axis of Figure 3", Source("paper Fig. 3 and " + CIFAR_PY, HIGH)),
    deviations=(
        Deviation(
            "Adam betas (.5, .9)",
            "released script; Algorithm 1 prints (0, .9)",
            "momentum in both networks",
        ),
        WIDTH_128,
        ONE_MORE,
    ),
    headline=True,
)

CIFAR10_RESNET = Experiment(
    name="wgan_gp/cifar10-resnet",
    title="WGAN-GP on CIFAR-10, ResNet, unsupervised (Table 3)",
    paper=PAPER,
    summary="residual networks of width 128, batch norm in the generator; Adam with linear decay, λ = 10",
    dataset="cifar10",
    image_shape=(3, 32, 32),
    image_range=(-1.0, 1.0),
    settings=CIFAR10_CNN.settings.revised(
        batch=(64, "paper App. F; " + RESNET_PY, HIGH),
        latent=(128, RESNET_PY, HIGH),
        prior=("normal", RESNET_PY, HIGH),
        epoch_end=("drop", RESNET_PY, MEDIUM),
        sampling_statistics=("batch", RESNET_PY, HIGH),
        width=(128, RESNET_PY, HIGH),
        sampling_batch=(100, RESNET_PY + ": for the Inception score", HIGH),
        learning_rate=(2e-4, "paper App. F", HIGH),
        beta1=(0.0, "paper App. F", HIGH),
        beta2=(0.9, "paper App. F", HIGH),
        decay_iters=(100_000, "paper App. F", HIGH),
        generator_batches=(2, RESNET_PY, HIGH),
        critic_batch_parts=(2, RESNET_PY, HIGH),
        scaling=("dequantised", RESNET_PY, HIGH),
    ),
    build=build_resnet,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=wasserstein,
    budget=Budget(100_000, "as printed", Source("paper App. F and " + RESNET_PY, HIGH)),
    deviations=(
        Deviation(
            "generator updates on 2 × 64 images; critic fakes in 2 × 32; dequantisation noise",
            "released script; the paper says batch 64 and mentions no noise",
            "batch statistics of smaller parts; a larger generator batch",
        ),
        Deviation(
            "up-blocks enlarge before the first convolution",
            "released script; App. F says before the second",
            "the first convolution works at double resolution",
        ),
        ONE_MORE,
    ),
    headline=True,
)

DIGITS = Experiment(
    name="wgan_gp/digits",
    title="WGAN-GP on the 4 000 embedded digits",
    paper=PAPER,
    summary="the MNIST networks of the released script at DIM 16 (64), batch 16 (50); no norm; Adam, λ = 10",
    dataset="digits",
    image_shape=(1, 28, 28),
    image_range=(0.0, 1.0),
    settings=cited(
        WganGpSettings,
        batch=(16, "suite: 50 in " + MNIST_PY + ", reduced for two CPU cores", SUITE),
        latent=(128, MNIST_PY, HIGH),
        prior=("normal", MNIST_PY, HIGH),
        epoch_end=("drop", MNIST_PY, MEDIUM),
        sampling_statistics=("none", MNIST_PY, HIGH),
        sampling_batch=(0, "unused: no batch norm", HIGH),
        width=(16, "suite: 64 in " + MNIST_PY + ", narrowed for two CPU cores", SUITE),
        learning_rate=(1e-4, MNIST_PY, HIGH),
        beta1=(0.5, MNIST_PY, HIGH),
        beta2=(0.9, MNIST_PY, HIGH),
        decay_iters=(0, MNIST_PY, HIGH),
        penalty=(10.0, "paper §4", HIGH),
        critic_steps=(5, "paper Algorithm 1", HIGH),
        generator_batches=(1, MNIST_PY, HIGH),
        critic_batch_parts=(1, MNIST_PY, HIGH),
        scaling=("unit", MNIST_PY, HIGH),
    ),
    build=build_mnist,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    critic_loss=wasserstein,
    budget=Budget(None, "set by the suite", Source("suite", SUITE)),
    deviations=(
        Deviation(
            "DIM 16, batch 16, 4 000 digits",
            "a run of the quick suite has to fit two CPU cores",
            "not comparable with any number of the paper",
        ),
        CIFAR10_CNN.deviations[0],
    ),
)

EXPERIMENTS = (CIFAR10_CNN, CIFAR10_RESNET, DIGITS)
