"""GAN 2014 on CIFAR-10: ``cifar10_fully_connected.yaml`` and ``cifar10_convolutional.yaml`` (Fig. 2).

Networks and settings are those of the released files; the paper prints none. Images are contrast-normalised.
The joint step and its schedules are `baselines.gan`'s, which golden vectors cover.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.gan import (
    MNIST,
    RELEASED,
    Critic,
    GanSettings,
    Maxout,
    dropout,
    joint_step,
    players,
    set_rates,
)
from baselines.spec import HIGH, Budget, Deviation, Draws, Experiment, Losses, Players, Source
from baselines.variants.gan_tfd import Stem, init_uniform, of_file


@dataclass(frozen=True, kw_only=True)
class CifarSettings(GanSettings):
    """Settings of the runs on CIFAR-10.

    Attributes:
        contrast_norm: Euclidean norm of every image, less its mean, as the networks see it.
        output_init: initial weights of the generator's last layer are uniform within ± this.

    """

    contrast_norm: float
    output_init: float


@dataclass(frozen=True, kw_only=True)
class ConvSettings(CifarSettings):
    """Settings of the convolutional run.

    Attributes:
        critic_channels: of the critic's three convolutions.
        conv_pieces: maxout pieces of each of their channels.

    """

    critic_channels: tuple[int, ...]
    conv_pieces: int


# --- Networks -----------------------------------------------------------------------------------------


class LinearGenerator(nn.Module):
    """Stem, then a linear layer: images are contrast-normalised, so unbounded."""

    def __init__(self, s: CifarSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.stem = Stem(s, s.generator_units)
        self.y = nn.Linear(s.generator_units, math.prod(shape))
        init_uniform(self.y, s.output_init)

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, H, W]."""
        return self.y(self.stem(z)).reshape(-1, *self.shape)  # type: ignore[no-any-return]


class UntiedConvTranspose2d(nn.ConvTranspose2d):
    """5×5 stride-3 transposed convolution with a bias of its own for every output value."""

    def __init__(self, channels_in: int, shape: tuple[int, int, int]) -> None:
        super().__init__(channels_in, shape[0], 5, stride=3, bias=False)
        self.untied_bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """[B, C, H, W] → [B, *shape], with H' = 3·(H − 1) + 5."""
        return super().forward(x, output_size) + self.untied_bias


class ConvGenerator(nn.Module):
    """Stem, its units as 10×10 maps, then the transposed convolution to 32×32; no squashing."""

    def __init__(self, s: ConvSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.side = (shape[1] - 5) // 3 + 1
        self.stem = Stem(s, s.generator_units)
        self.y = UntiedConvTranspose2d(s.generator_units // self.side**2, shape)
        nn.init.uniform_(self.y.weight, -s.output_init, s.output_init)

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, H, W]."""
        images: Tensor = self.y(self.stem(z).reshape(len(z), -1, self.side, self.side))
        return images


class MaxoutConv2d(nn.Conv2d):
    """Convolution, the largest of each channel's `pieces`, then max-pooling that keeps partial windows."""

    def __init__(
        self, channels_in: int, channels: int, pieces: int, kernel: int, padding: int, pool: int
    ) -> None:
        super().__init__(channels_in, channels * pieces, kernel, padding=padding)
        self.pieces, self.pool = pieces, pool

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] → [B, channels, H', W']."""
        h = super().forward(x)
        h = h.reshape(len(h), -1, self.pieces, *h.shape[2:]).amax(2)
        return F.max_pool2d(h, self.pool, stride=2, ceil_mode=True)


class ConvCritic(nn.Module):
    """Three maxout convolutions and a maxout layer, dropout before each; returns the logit of D(x), [B]."""

    def __init__(self, s: ConvSettings, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.keep_input, self.keep_hidden = s.keep_input, s.keep_hidden
        first, second, third = s.critic_channels
        self.h0 = MaxoutConv2d(shape[0], first, s.conv_pieces, kernel=8, padding=4, pool=4)
        self.h1 = MaxoutConv2d(first, second, s.conv_pieces, kernel=8, padding=3, pool=4)
        self.h2 = MaxoutConv2d(second, third, s.conv_pieces, kernel=5, padding=3, pool=2)
        self.h3 = Maxout(third * 5 * 5, s.maxout_units, s.maxout_pieces)  # 32 pixels → 16 → 7 → 5
        self.y = nn.Linear(s.maxout_units, 1)
        init_uniform(self, s.critic_init)

    def forward(self, x: Tensor, draws: Draws | None = None) -> Tensor:
        """Logits; with `draws`, single activations are dropped, of the maps too."""
        h = self.h0(dropout(x, self.keep_input, draws))
        for layer in (self.h1, self.h2):
            h = layer(dropout(h, self.keep_hidden, draws))
        h = self.h3(dropout(h, self.keep_hidden, draws).flatten(1))
        logit: Tensor = self.y(dropout(h, self.keep_hidden, draws))
        return logit.squeeze(1)


def build_cifar_fc(s: CifarSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of ``cifar10_fully_connected.yaml``."""
    return players(s, LinearGenerator(s, shape), Critic(s, shape))


def build_cifar_conv(s: ConvSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of ``cifar10_convolutional.yaml``."""
    return players(s, ConvGenerator(s, shape), ConvCritic(s, shape))


# --- One generator iteration --------------------------------------------------------------------------


def iterate_cifar(s: CifarSettings, p: Players, k: int, draws: Draws) -> Losses:
    """One joint step on contrast-normalised images."""
    set_rates(s, p, k, draws.epoch)
    return joint_step(p, contrast_normalised(draws.images(), s.contrast_norm), draws)


def contrast_normalised(images: Tensor, norm: float) -> Tensor:
    """Every image less the mean of its values, scaled to the Euclidean norm; one of no contrast stays 0."""
    x = images.flatten(1).to(torch.get_default_dtype())
    x = x - x.mean(1, keepdim=True)
    divisors = x.norm(dim=1, keepdim=True) / norm
    scaled: Tensor = x / divisors.masked_fill(divisors < 1e-8, 1.0)
    return scaled.reshape(images.shape)


# --- Experiments --------------------------------------------------------------------------------------

_MNIST: Experiment[Any] = MNIST

FC_YAML, CONV_YAML = "cifar10_fully_connected.yaml", "cifar10_convolutional.yaml"
_SHOWN = 3.0
_CIFAR = (
    Deviation(
        "samples are shown on a grey scale from −3 to 3, clipped outside",
        "a choice of the suite; the released code divides a sheet by its largest magnitude. Of 5 000 "
        "contrast-normalised training images (a JPEG copy), 0.2 % of the values lie outside",
        "samples have neither the brightness nor the contrast of the images: scores against them mean little",
    ),
    *RELEASED,
)

CIFAR10_FC = dataclasses.replace(
    _MNIST,
    name="gan/cifar10-fc",
    title="GAN on CIFAR-10, fully connected (Fig. 2)",
    summary="ReLU and sigmoid layers of 8000 units, linear output, against a maxout MLP; global contrast "
    "normalisation",
    dataset="cifar10",
    train_images=40_000,
    image_shape=(3, 32, 32),
    image_range=(-_SHOWN, _SHOWN),
    settings=of_file(
        CifarSettings,
        FC_YAML,
        maxout_units=(1600, FC_YAML, HIGH),
        learning_rate=(0.025, FC_YAML, HIGH),
        contrast_norm=(55.0, FC_YAML + ": gcn", HIGH),
        output_init=(0.5, FC_YAML, HIGH),
    ),
    build=build_cifar_fc,
    iterate=iterate_cifar,
    budget=Budget(
        None, "400 per epoch (40 000 / 100); no end is given", Source("paper and " + FC_YAML, HIGH)
    ),
    deviations=_CIFAR,
    headline=False,
)

CIFAR10_CONV = dataclasses.replace(
    CIFAR10_FC,
    name="gan/cifar10-conv",
    title="GAN on CIFAR-10, convolutional (Fig. 2)",
    summary="a transposed convolution after the hidden layers of 8000 units, against maxout convolutions; "
    "global contrast normalisation",
    settings=of_file(
        ConvSettings,
        CONV_YAML,
        batch=(128, CONV_YAML, HIGH),
        maxout_units=(500, CONV_YAML, HIGH),
        learning_rate=(0.004, CONV_YAML, HIGH),
        contrast_norm=(55.0, CONV_YAML + ": gcn", HIGH),
        output_init=(0.05, CONV_YAML, HIGH),
        critic_channels=((32, 32, 192), CONV_YAML, HIGH),
        conv_pieces=(2, CONV_YAML, HIGH),
    ),
    build=build_cifar_conv,
    budget=Budget(
        None, "313 per epoch (⌈40 000 / 128⌉); no end is given", Source("paper and " + CONV_YAML, HIGH)
    ),
    deviations=(
        *_CIFAR,
        Deviation(
            "sizes after pooling 33 → 16 → 7 → 5",
            "cuda-convnet's rule, which keeps partial windows; the file's hints confirm inputs of 33 and 15, "
            "the outputs 7 and 5 follow from the rule",
            "none expected",
        ),
    ),
)
