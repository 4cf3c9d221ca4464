"""WGAN-GP on LSUN bedrooms, 64 × 64: the ResNets ``gan_64x64.py`` starts with, and norms in their critic.

They are none of the seven pairs of networks of Figure 2: the script was changed after the paper.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from baselines.layers import NormedDownBlock, UpBlock, init_glorot, layer_norm, plain_conv
from baselines.spec import HIGH, LOW, SUITE, Budget, Deviation, Experiment, Players, Source, cited
from baselines.wgan_gp import (
    CIFAR_PY,
    ONE_MORE,
    PAPER,
    WganGpSettings,
    critic_updates,
    iterate,
    players,
    wasserstein,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LARGE_PY = "gan_64x64.py"


@dataclass(frozen=True, kw_only=True)
class NormedSettings(WganGpSettings):
    """Settings with a choice of norm in the critic's blocks."""

    critic_norm: Literal["none", "layer", "batch"]


# --- Networks -----------------------------------------------------------------------------------------

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


# --- Experiments --------------------------------------------------------------------------------------

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
        sampling_batch=(64, LARGE_PY + ": fixed_noise, its only samples", HIGH),
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
    critic_loss=wasserstein,
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
        ONE_MORE,
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
