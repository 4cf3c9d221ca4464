"""SN-GAN's settings A–F (Table 1), and the methods it is compared with in Table 2 on the same CNN.

The comparisons were not released. They follow the paper's text; what it does not print (optimiser setting of
a row, place of the norms, coefficient) is marked in the settings and listed as a deviation.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.losses import gradient_penalty, orthonormal_penalty
from baselines.sngan import (
    CHAINER_NORM_EPS,
    CIFAR10_CNN,
    LOSSES,
    PAPER,
    CnnCritic,
    CnnGenerator,
    SnganSettings,
    critic_loss_of,
    critic_updates,
    generator_step,
    minibatches,
    players,
)
from baselines.spec import (
    HIGH,
    LOW,
    SUITE,
    Confidence,
    Deviation,
    Draws,
    Experiment,
    Losses,
    Players,
    cited,
    update,
)

SECTION4 = "paper §4"
SECTION41 = "paper §4.1"
UNPRINTED_WEIGHTS, UNPRINTED_SETTING = CIFAR10_CNN.deviations[:2]

SETTINGS = {
    "a": (1e-4, 0.5, 0.9, 5),
    "b": (1e-4, 0.5, 0.999, 1),
    "c": (2e-4, 0.5, 0.999, 1),
    "d": (1e-3, 0.5, 0.9, 5),
    "e": (1e-3, 0.5, 0.999, 5),
    "f": (1e-3, 0.9, 0.999, 5),
}
"""Table 1: learning rate and betas of Adam, critic steps per G-iteration."""


def setting(letter: str, note: str, confidence: Confidence) -> dict[str, tuple[object, str, Confidence]]:
    """What `revised` takes, from a row of Table 1."""
    names = ("learning_rate", "beta1", "beta2", "critic_steps")
    where = f"paper Table 1, setting {letter.upper()}{note}"
    return {name: (value, where, confidence) for name, value in zip(names, SETTINGS[letter], strict=True)}


@dataclass(frozen=True, kw_only=True)
class ComparisonSettings(SnganSettings):
    """What constrains the critic in place of spectral norm; 0 means that a constraint is not used.

    Attributes:
        critic_norm: batch or layer norm with offsets only, after every convolution but the first; weight norm
            without g in every layer; or none.
        clip: bound of the convolutions' weights after each critic step; their biases and the dense layer
            are free.
        gradient_penalty: λ of the two-sided gradient penalty.
        orthonormal_penalty: coefficient of Σ ‖WᵀW − I‖²_F; if used, initial weights are orthonormal.

    """

    critic_norm: Literal["none", "batch", "layer", "weight"]
    clip: float
    gradient_penalty: float
    orthonormal_penalty: float


class Offset(nn.Module):
    """The learned offset, per channel, that a norm without learned scale keeps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → the same shape."""
        return x + self.offset[:, None, None]


def batch_norm(channels: int) -> nn.Module:
    """Batch norm without γ."""
    return nn.Sequential(nn.BatchNorm2d(channels, eps=CHAINER_NORM_EPS, affine=False), Offset(channels))


def layer_norm(channels: int) -> nn.Module:
    """Layer norm over C, H, W without γ; ε as in the WGAN-GP code, since nothing is printed."""
    return nn.Sequential(nn.GroupNorm(1, channels, eps=1e-5, affine=False), Offset(channels))


def unit_rows(weight: Tensor) -> Tensor:
    """w/‖w‖₂ for the weights w of each output; the gradient goes through the norm."""
    norms: Tensor = weight.flatten(1).norm(dim=1)
    return weight / norms.reshape(-1, *[1] * (weight.dim() - 1))


class PlainConv2d(nn.Conv2d):
    """Convolution with the arguments and padding of `SNConv2d`."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__(channels_in, channels_out, kernel, stride, padding=(kernel - 1) // 2)


class WNConv2d(PlainConv2d):
    """Convolution with weight norm without g."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, C', H/stride, W/stride]."""
        return F.conv2d(x, unit_rows(self.weight), self.bias, self.stride, self.padding)


class WNLinear(nn.Linear):
    """Linear layer with weight norm without g."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, features_in] → [B, features_out]."""
        return F.linear(x, unit_rows(self.weight), self.bias)


def build_comparison(s: ComparisonSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Table 3 with another constraint on the critic."""
    if s.critic_norm == "weight":
        critic = CnnCritic(s, shape, WNConv2d, WNLinear)
    else:
        norm = {"none": None, "batch": batch_norm, "layer": layer_norm}[s.critic_norm]
        critic = CnnCritic(s, shape, PlainConv2d, nn.Linear, norm)
    if s.orthonormal_penalty:
        for weight in weights(critic):
            nn.init.orthogonal_(weight)
    return players(s, CnnGenerator(s, shape), critic)


def weights(critic: nn.Module) -> list[Tensor]:
    """Of all layers, without biases and offsets."""
    return [m.weight for m in critic.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def clip_convolutions(critic: nn.Module, bound: float) -> None:
    """Weights of the convolutions into ±bound, in place."""
    with torch.no_grad():
        for m in critic.modules():
            if isinstance(m, nn.Conv2d):
                m.weight.clamp_(-bound, bound)


def iterate_comparison(s: ComparisonSettings, p: Players, k: int, draws: Draws) -> Losses:
    """Update the generator, then `critic_steps` times the critic, as for SN-GAN."""
    generator_loss = generator_step(s, p, k, draws)
    for _ in range(s.critic_steps):
        losses = comparison_step(s, p, draws)
    return {**losses, "generator": generator_loss}


def comparison_step(s: ComparisonSettings, p: Players, draws: Draws) -> Losses:
    """Adversarial loss plus the penalties in use; then clip."""
    real, fake = minibatches(s, p, draws)
    critic_loss, _ = LOSSES[s.loss]
    total = critic_loss(p.critic(real), p.critic(fake))
    losses = {"critic": total.detach()}
    if s.gradient_penalty:
        penalty = gradient_penalty(p.critic, real, fake, draws.uniform("penalty", len(real)))
        losses["gradient_penalty"] = penalty.detach()
        total = total + s.gradient_penalty * penalty
    if s.orthonormal_penalty:
        penalty = orthonormal_penalty(weights(p.critic))
        losses["orthonormal_penalty"] = penalty.detach()
        total = total + s.orthonormal_penalty * penalty
    update(p.critic_optimiser, total)
    if s.clip:
        clip_convolutions(p.critic, s.clip)
    return losses


_STANDARD = CIFAR10_CNN.settings.revised(loss=("standard", "paper Eq. 15", HIGH))
_UNCONSTRAINED = cited(
    ComparisonSettings,
    **{
        n: (v, _STANDARD.sources[n].where, _STANDARD.sources[n].confidence)
        for n, v in _STANDARD.values().items()
    },
    critic_norm=("none", SECTION41, HIGH),
    clip=(0.0, "unused: no clipping", HIGH),
    gradient_penalty=(0.0, "unused: no gradient penalty", HIGH),
    orthonormal_penalty=(0.0, "unused: no orthonormal penalty", HIGH),
).revised(**setting("c", "; which setting this row has is not printed, unconfirmed", LOW))

UPDATES_AS_FOR_SN = Deviation(
    "generator first, then the critic, real and generated images in passes of their own",
    "the comparisons were not released; as the released SN-GAN updater",
    "small; batch norm sees real and generated images apart",
)


def _comparison(
    name: str, row: str, summary: str, *own: Deviation, **changes: tuple[object, str, Confidence]
) -> Experiment[ComparisonSettings]:
    """Row of Table 2, with its own deviations and what it changes in the unconstrained critic."""
    settings = _UNCONSTRAINED.revised(**changes)
    return Experiment(
        name=f"sngan/cifar10-cnn-{name}",
        title=f"{row} on CIFAR-10, standard CNN (SN-GAN Table 2)",
        paper=PAPER,
        summary=summary,
        dataset=CIFAR10_CNN.dataset,
        image_shape=CIFAR10_CNN.image_shape,
        image_range=CIFAR10_CNN.image_range,
        settings=settings,
        build=build_comparison,
        iterate=iterate_comparison,
        real_batches=critic_updates,
        critic_updates=critic_updates,
        critic_loss=critic_loss_of,
        budget=CIFAR10_CNN.budget,
        deviations=(*own, UPDATES_AS_FOR_SN, UNPRINTED_WEIGHTS, _setting_unprinted(settings)),
    )


def _setting_unprinted(s: ComparisonSettings) -> Deviation:
    values = (s.learning_rate, s.beta1, s.beta2, s.critic_steps)
    (letter,) = (letter for letter, row in SETTINGS.items() if row == values)
    return dataclasses.replace(UNPRINTED_SETTING, what=f"optimiser setting {letter.upper()}")


PLACE_OF_NORMS = Deviation(
    "norm after every convolution but the first; a learned offset stays",
    "the paper says only that γ is left out; places and offset are those of chainer-gan-lib's batch norm",
    "unknown",
)

COMPARISONS = (
    _comparison(
        "clip",
        "Weight clipping",
        "standard loss, not Wasserstein; convolution weights within ±.01, Adam",
        Deviation(
            "only the weights of convolutions are clipped, after each critic step",
            "§4.1, taken literally: biases and the dense layer are free; when to clip is not printed",
            "the critic is less constrained than WGAN's, which clips every parameter",
        ),
        clip=(0.01, SECTION41, HIGH),
    ),
    _comparison(
        "gan-gp",
        "GAN-GP",
        "standard loss with gradient penalty, λ = 10",
        gradient_penalty=(10.0, SECTION41, HIGH),
    ),
    _comparison(
        "wgan-gp",
        "WGAN-GP",
        "Wasserstein loss with gradient penalty, λ = 10; five critic steps",
        Deviation(
            "(‖∇D‖₂ − 1)²",
            "App. D.4 and the WGAN-GP paper; the formula in §4 misprints the square",
            "none: a slip of the pen",
        ),
        loss=("wasserstein", SECTION4, HIGH),
        gradient_penalty=(10.0, SECTION41, HIGH),
        **setting(
            "a", ", from the WGAN-GP paper; which setting this row has is not printed, unconfirmed", LOW
        ),
    ),
    _comparison(
        "bn",
        "Batch norm",
        "standard loss, batch norm without learned scale in the critic",
        PLACE_OF_NORMS,
        critic_norm=("batch", SECTION41 + "; without γ", HIGH),
    ),
    _comparison(
        "ln",
        "Layer norm",
        "standard loss, layer norm without learned scale in the critic",
        PLACE_OF_NORMS,
        Deviation(
            "statistics over C, H, W, offset per channel, ε = 1e-5",
            "not printed; as in the WGAN-GP authors' code",
            "small",
        ),
        critic_norm=("layer", SECTION41 + "; without γ", HIGH),
    ),
    _comparison(
        "wn",
        "Weight norm",
        "standard loss, every critic layer's weights of norm 1 per output (no g)",
        Deviation(
            "no data-dependent initialisation",
            "the weight-norm paper has one; SN-GAN does not mention it",
            "unknown",
        ),
        critic_norm=("weight", SECTION41 + "; without g", HIGH),
    ),
    _comparison(
        "orthonormal",
        "Orthonormal regularisation",
        "standard loss plus ‖WᵀW − I‖²_F of every critic layer, orthonormal initial weights",
        Deviation(
            "penalty with coefficient 1",
            "the paper prints none: the suite takes the formula as it stands",
            "how strongly weights are held orthonormal is the suite's choice",
        ),
        orthonormal_penalty=(1.0, "suite: the coefficient is not printed, unconfirmed", SUITE),
    ),
)
