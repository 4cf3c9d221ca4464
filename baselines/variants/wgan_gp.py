"""Further experiments of WGAN-GP, with the networks only they have: AC-GAN heads and ``gan_64x64.py``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping  # noqa: TC003 (settings' annotations are evaluated)
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.layers import NormedDownBlock, UpBlock, init_glorot, layer_norm, plain_conv
from baselines.losses import gradient_penalty, wasserstein_critic_loss, wasserstein_generator_loss
from baselines.optimisers import TensorFlowRMSprop
from baselines.spec import (
    HIGH,
    LOW,
    SUITE,
    Budget,
    Confidence,
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
from baselines.variants.wgan_gp_toy import EXPERIMENTS as TOYS
from baselines.wgan_gp import (
    CIFAR10_CNN,
    CIFAR10_RESNET,
    CIFAR_PY,
    DIGITS,
    MNIST_PY,
    PAPER,
    RESNET_PY,
    ResnetCritic,
    ResnetGenerator,
    WganGpSettings,
    build_cnn,
    critic_updates,
    iterate,
    players,
    scaled,
    set_learning_rates,
)

LARGE_PY = "gan_64x64.py"


def _as_cited(settings: Settings) -> Mapping[str, tuple[object, str, Confidence]]:
    """What `cited` takes, from settings of another class."""
    sources = settings.sources
    return {n: (v, sources[n].where, sources[n].confidence) for n, v in settings.values().items()}


# --- MNIST, and CIFAR-10 with the networks of Figure 3 -------------------------------------------------


def build_cnn_rmsprop(s: WganGpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:
    """Make the networks of gan_cifar.py in mode wgan-gp with the optimiser of its mode wgan."""
    p = build_cnn(s, shape, mean_image)
    g, c = (TensorFlowRMSprop(n.parameters(), lr=s.learning_rate) for n in (p.generator, p.critic))
    return Players(p.generator, p.critic, g, c)


MNIST = dataclasses.replace(
    DIGITS,
    name="wgan_gp/mnist",
    title="WGAN-GP on MNIST",
    summary="5×5 stride-2 networks of width 64, no norm; Adam, λ = 10, 5 critic steps",
    dataset="mnist",
    settings=DIGITS.settings.revised(batch=(50, MNIST_PY, HIGH), width=(64, MNIST_PY, HIGH)),
    budget=Budget(200_000, "ITERS of the script; the paper prints no MNIST score", Source(MNIST_PY, HIGH)),
    deviations=(
        Deviation(
            "all 60 000 training images",
            "the suite's MNIST; the script's mnist.pkl.gz has 50 000, the others being validation images",
            "a fifth more images to learn from",
        ),
        CIFAR10_CNN.deviations[0],
    ),
)

CIFAR10_CNN_RMSPROP = dataclasses.replace(
    CIFAR10_CNN,
    name="wgan_gp/cifar10-cnn-rmsprop",
    title="WGAN-GP on CIFAR-10, DCGAN-like networks (Fig. 3, RMSProp)",
    summary="the networks of cifar10-cnn with the RMSProp of the weight-clipping run instead of Adam",
    settings=CIFAR10_CNN.settings.revised(
        learning_rate=(5e-5, "paper Fig. 3: as the clipping run, whose rate is in " + CIFAR_PY, HIGH),
        beta1=(0.0, "unused: RMSProp", HIGH),
        beta2=(0.0, "unused: RMSProp; its decay .9 is TensorFlow's default", HIGH),
    ),
    build=build_cnn_rmsprop,
    deviations=(
        Deviation(
            "gradient penalty with RMSProp",
            "Figure 3 has this curve, but the released script has no mode for it",
            "put together from the script's modes wgan (optimiser) and wgan-gp (everything else)",
        ),
    ),
    headline=False,
)

CIFAR10_CNN_BETA1_0 = dataclasses.replace(
    CIFAR10_CNN,
    name="wgan_gp/cifar10-cnn-beta1-0",
    title="WGAN-GP on CIFAR-10, DCGAN-like networks, Adam as in Algorithm 1",
    summary="cifar10-cnn with Adam betas (0, .9), the paper's side of a conflict",
    settings=CIFAR10_CNN.settings.revised(beta1=(0.0, "paper Algorithm 1", HIGH)),
    deviations=(
        Deviation(
            "Adam betas (0, .9)",
            "Algorithm 1; the script that made Figure 3 has (.5, .9)",
            "no momentum in either network",
        ),
    ),
    headline=False,
)

# --- CIFAR-10, ResNet: as App. F prints it, and with labels (Table 3, supervised) ----------------------


@dataclass(frozen=True, kw_only=True)
class AcGanSettings(WganGpSettings):
    """Settings of the conditional run.

    Attributes:
        classes: of the labels.
        critic_class_scale: of the cross-entropy of real images in the critic's loss.
        generator_class_scale: of the cross-entropy of generated images in the generator's loss.

    """

    classes: int
    critic_class_scale: float
    generator_class_scale: float


class AcGanCritic(ResnetCritic):
    """The ResNet critic with a second linear layer that tells the class."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width)
        self.classify = nn.Linear(width, classes)
        init_glorot(self.classify)

    def forward(self, x: Tensor, classes: Tensor) -> Tensor:  # type: ignore[override]
        """Images and their classes → [B, 2]: f(x), and the cross-entropy of the class."""
        h = self.features(x)
        value: Tensor = self.value(h).squeeze(1)
        return torch.stack((value, F.cross_entropy(self.classify(h), classes, reduction="none")), 1)


def build_conditional(s: AcGanSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of gan_cifar_resnet.py as released: CONDITIONAL and ACGAN."""
    generator = ResnetGenerator(s.latent, s.width, classes=s.classes)
    return players(s, generator, AcGanCritic(s.width, s.classes))


def build_resnet_late(s: WganGpSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the ResNets of App. F, whose up-blocks enlarge before the second convolution."""
    return players(s, ResnetGenerator(s.latent, s.width, late=True), ResnetCritic(s.width))


def iterate_conditional(s: AcGanSettings, p: Players, k: int, draws: Draws) -> Losses:
    """As `iterate`; the generator is told uniform random classes and gets the critic's opinion on them."""
    set_learning_rates(s, p, k)
    for _ in range(s.critic_steps):
        losses = conditional_critic_step(s, p, draws)
    with frozen(p.critic):
        classes = [draws.labels(s.batch) for _ in range(s.generator_batches)]
        images = [p.generator(draws.latent(s.batch), labels) for labels in classes]
        value, cross_entropy = p.critic(torch.cat(images), torch.cat(classes)).unbind(1)
        wasserstein, class_loss = wasserstein_generator_loss(value), cross_entropy.mean()
        update(p.generator_optimiser, wasserstein + s.generator_class_scale * class_loss)
    return {**losses, "generator": wasserstein.detach(), "class_of_fake": class_loss.detach()}


def conditional_critic_step(s: AcGanSettings, p: Players, draws: Draws) -> Losses:
    """Fakes have the classes of the real images; only real images teach the critic to tell classes."""
    pixels, classes = draws.labelled_images()
    real = scaled(s, pixels, draws)
    with torch.no_grad():
        parts = zip(*(t.chunk(s.critic_batch_parts) for t in (draws.latent(len(real)), classes)), strict=True)
        fake = torch.cat([p.generator(z, labels) for z, labels in parts])
    real_value, cross_entropy = p.critic(real, classes).unbind(1)
    wasserstein = wasserstein_critic_loss(real_value, p.critic(fake, classes)[:, 0])
    penalty = gradient_penalty(
        lambda x: p.critic(x, classes)[:, 0], real, fake, draws.uniform("penalty", len(real))
    )
    class_loss = cross_entropy.mean()
    update(p.critic_optimiser, wasserstein + s.penalty * penalty + s.critic_class_scale * class_loss)
    losses = {"critic": wasserstein, "gradient_penalty": penalty, "class_of_real": class_loss}
    return {name: loss.detach() for name, loss in losses.items()}


CIFAR10_RESNET_CONDITIONAL: Experiment[AcGanSettings] = Experiment(
    name="wgan_gp/cifar10-resnet-conditional",
    title="WGAN-GP on CIFAR-10, ResNet with AC-GAN heads, supervised (Table 3)",
    paper=PAPER,
    summary="cifar10-resnet with conditional batch norm in the generator and a class head in the critic",
    dataset="cifar10",
    image_shape=(3, 32, 32),
    image_range=(-1.0, 1.0),
    classes=10,
    settings=cited(
        AcGanSettings,
        **_as_cited(CIFAR10_RESNET.settings),
        classes=(10, "CIFAR-10", HIGH),
        critic_class_scale=(1.0, RESNET_PY, HIGH),
        generator_class_scale=(0.1, RESNET_PY, HIGH),
    ),
    build=build_conditional,
    iterate=iterate_conditional,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    budget=CIFAR10_RESNET.budget,
    deviations=(
        *CIFAR10_RESNET.deviations,
        Deviation(
            "class losses scaled by 1 (critic, real images only) and .1 (generator)",
            "released script; the paper prints no scales",
            "weight of the class beside the realism of an image",
        ),
        Deviation(
            "the generator's last batch norm knows no class",
            "released script",
            "classes act on the blocks alone",
        ),
    ),
)

CIFAR10_RESNET_PRINTED = dataclasses.replace(
    CIFAR10_RESNET,
    name="wgan_gp/cifar10-resnet-printed",
    title="WGAN-GP on CIFAR-10, ResNet, unsupervised, as App. F prints it",
    summary="cifar10-resnet with batches of 64 everywhere, up-blocks enlarging late, no dequantisation noise",
    settings=CIFAR10_RESNET.settings.revised(
        generator_batches=(1, "paper App. F: batch 64", HIGH),
        critic_batch_parts=(1, "paper App. F mentions no parts; unconfirmed", LOW),
        scaling=("symmetric", "paper mentions no noise; unconfirmed, as in " + CIFAR_PY, LOW),
    ),
    build=build_resnet_late,
    deviations=(
        Deviation(
            "batches of 64, up-blocks enlarging before the second convolution, no noise",
            "App. F; the script that made Table 3 has 2 × 64, enlarges first, and adds noise",
            "not the released run; shows what these differences are worth",
        ),
    ),
    headline=False,
)

# --- LSUN bedrooms, 64 × 64: the ResNets gan_64x64.py is released with, and norms in their critic -------


@dataclass(frozen=True, kw_only=True)
class NormedSettings(WganGpSettings):
    """Settings with a choice of norm in the critic's blocks."""

    critic_norm: Literal["none", "layer", "batch"]


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda _: nn.Identity(),
    "layer": layer_norm,
    "batch": nn.BatchNorm2d,
}


class LargeGenerator(nn.Module):
    """Linear to 4×4, four up-blocks of widths 8, 4, 2, 1 × `width`, batch norm, ReLU, 3×3, tanh."""

    def __init__(self, latent: int, width: int) -> None:
        super().__init__()
        widths = [8 * width, 8 * width, 4 * width, 2 * width, width]
        self.widest = widths[0]
        self.project = nn.Linear(latent, self.widest * 16)
        self.blocks = nn.Sequential(*(UpBlock(a, b, 1e-5, first_bias=False) for a, b in pairwise(widths)))
        self.norm = nn.BatchNorm2d(width)
        self.out = plain_conv(width, 3, 3)
        init_glorot(self.project)

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, 3, 64, 64] in −1..1."""
        h = self.blocks(self.project(z).reshape(-1, self.widest, 4, 4))
        return torch.tanh(self.out(F.relu(self.norm(h))))


class LargeCritic(nn.Module):
    """3×3, four down-blocks of widths 2, 4, 8, 8 × `width` with norms, linear; no ReLU at the end."""

    def __init__(self, width: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        self.enter = plain_conv(3, width, 3)
        self.blocks = nn.Sequential(*(NormedDownBlock(a, b, norm) for a, b in pairwise(widths)))
        self.value = nn.Linear(widths[-1] * 16, 1)
        init_glorot(self.enter)
        init_glorot(self.value)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, 64, 64] in −1..1 → f(x), [B]."""
        value: Tensor = self.value(self.blocks(self.enter(x)).flatten(1))
        return value.squeeze(1)


def build_large(s: NormedSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks that gan_64x64.py is released with, GoodGenerator and GoodDiscriminator."""
    return players(s, LargeGenerator(s.latent, s.width), LargeCritic(s.width, NORMS[s.critic_norm]))


_ONE_GPU = "unconfirmed: one GPU in " + LARGE_PY + " at 10dc103"

LSUN64 = Experiment(
    name="wgan_gp/lsun64",
    title="WGAN-GP on LSUN bedrooms, 64 × 64, the released script's ResNets (none of Fig. 2's seven)",
    paper=PAPER,
    summary="residual networks of widths 64 to 512, layer norm in the critic; Adam, λ = 10. Not one of the "
    "seven pairs of networks of Figure 2: the script's README recommends this one",
    dataset="lsun-bedroom",
    image_shape=(3, 64, 64),
    image_range=(-1.0, 1.0),
    settings=cited(
        NormedSettings,
        batch=(64, LARGE_PY, HIGH),
        latent=(128, LARGE_PY, HIGH),
        prior=("normal", "unconfirmed: " + LARGE_PY + " at 10dc103", LOW),
        epoch_end=("drop", "unconfirmed: as " + CIFAR_PY, LOW),
        sampling_statistics=("batch", LARGE_PY, HIGH),
        width=(64, LARGE_PY, HIGH),
        penalty=(10.0, "paper §4", HIGH),
        critic_steps=(5, "paper Algorithm 1", HIGH),
        learning_rate=(1e-4, "paper App. E", HIGH),
        beta1=(0.0, LARGE_PY + " since 2017-05-31", HIGH),
        beta2=(0.9, LARGE_PY, HIGH),
        decay_iters=(0, "none in App. E and " + LARGE_PY, HIGH),
        generator_batches=(1, _ONE_GPU, LOW),
        critic_batch_parts=(1, _ONE_GPU, LOW),
        scaling=("symmetric", LARGE_PY, HIGH),
        critic_norm=("layer", "mode wgan-gp of " + LARGE_PY, HIGH),
    ),
    build=build_large,
    iterate=iterate,
    real_batches=critic_updates,
    critic_updates=critic_updates,
    budget=Budget(
        200_000,
        "ITERS of the script, also the length of Figure 2's runs",
        Source("paper §5.2 and " + LARGE_PY, HIGH),
    ),
    deviations=(
        Deviation(
            "networks that are not among the seven pairs of Figure 2",
            "the script was changed after the paper and now starts with these",
            "to be compared with no panel of Figure 2",
        ),
        Deviation(
            "LSUN bedrooms",
            "the paper's data at 64 × 64; the script is released for ImageNet",
            "other images than the script's",
        ),
        Deviation(
            "Adam betas (0, .9)",
            "the script since 2017-05-31, when these networks came; App. E prints (.5, .9)",
            "no momentum in either network; the other side is lsun64-beta1-half",
        ),
    ),
)


def _lsun64(suffix: str, title: str, summary: str, deviation: Deviation, **changes: Any) -> Experiment[Any]:
    """LSUN64 with changed settings, a length no paper prints, and one more deviation in front."""
    return dataclasses.replace(
        LSUN64,
        name=f"{LSUN64.name}-{suffix}",
        title=f"{LSUN64.title}, {title}",
        summary=summary,
        settings=LSUN64.settings.revised(**changes),
        budget=Budget(None, "not printed", Source("no paper has this run", HIGH)),
        deviations=(deviation, *LSUN64.deviations[: 2 if "beta1" in changes else 3]),
    )


LSUN64_BETA1_HALF = _lsun64(
    "beta1-half",
    "Adam as in App. E",
    "lsun64 with Adam betas (.5, .9), the paper's side of a conflict",
    Deviation("Adam betas (.5, .9)", "App. E; the script has (0, .9)", "momentum in both networks"),
    beta1=(0.5, "paper App. E", HIGH),
)

LSUN64_NO_NORM = _lsun64(
    "no-norm",
    "critic without norm",
    "lsun64 without any norm in the critic, to show what layer norm is worth",
    Deviation("no norm in the critic", "an ablation of the suite", "the critic of §4 at its plainest"),
    critic_norm=("none", "suite: ablation", SUITE),
)

LSUN64_BATCH_NORM = _lsun64(
    "batch-norm",
    "critic with batch norm",
    "lsun64 with batch norm in the critic, only to show why not: the penalty wants one gradient per image, "
    "and batch norm makes f(x) depend on the other images of the batch (paper §4)",
    Deviation(
        "batch norm in a penalised critic",
        "an ablation of the suite; the script's modes without penalty have it there",
        "against §4: the penalised gradients are not those of single images",
    ),
    critic_norm=("batch", "suite: ablation, placed as in modes dcgan and wgan of " + LARGE_PY, SUITE),
)

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    MNIST,
    CIFAR10_CNN_RMSPROP,
    CIFAR10_CNN_BETA1_0,
    CIFAR10_RESNET_CONDITIONAL,
    CIFAR10_RESNET_PRINTED,
    LSUN64,
    LSUN64_BETA1_HALF,
    LSUN64_NO_NORM,
    LSUN64_BATCH_NORM,
    *TOYS,
)
