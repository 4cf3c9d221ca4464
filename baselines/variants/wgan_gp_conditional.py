"""WGAN-GP on CIFAR-10 with labels (Table 3, supervised): ``gan_cifar_resnet.py`` as released, an AC-GAN.

Tested against that code's own numbers (tests/golden/wgangp_resnet_cond). Its networks are those of
`baselines.wgan_gp` but for the norms that know the class and the critic's class head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.layers import init_glorot
from baselines.losses import gradient_penalty, wasserstein_critic_loss, wasserstein_generator_loss
from baselines.spec import (
    HIGH,
    Confidence,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Players,
    Settings,
    cited,
    frozen,
    update,
)
from baselines.wgan_gp import (
    CIFAR10_RESNET,
    PAPER,
    RESNET_PY,
    ResnetCritic,
    ResnetGenerator,
    WganGpSettings,
    critic_updates,
    players,
    scaled,
    set_learning_rates,
    wasserstein,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


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


# --- Networks -----------------------------------------------------------------------------------------


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


# --- One generator iteration --------------------------------------------------------------------------


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


# --- Experiments --------------------------------------------------------------------------------------


def _as_cited(settings: Settings) -> Mapping[str, tuple[object, str, Confidence]]:
    """What `cited` takes, from settings of another class."""
    sources = settings.sources
    return {n: (v, sources[n].where, sources[n].confidence) for n, v in settings.values().items()}


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
    critic_loss=wasserstein,
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
