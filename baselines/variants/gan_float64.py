"""GAN on MNIST with networks, gradients and updates in float64: what rounding is worth.

No paper prints a number for it. Everything else is that of `gan/mnist`: a run starts from the same float32
weights and sees the same images, latents and dropout masks, all of which float64 holds exactly.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from baselines import gan
from baselines.spec import SUITE, Budget, Deviation, Draws, Experiment, Players, Source

if TYPE_CHECKING:
    from torch import Tensor


# --- Networks -----------------------------------------------------------------------------------------


class Generator(gan.Generator):
    """z [B, latent] → images [B, C, H, W] in 0..1, float64."""

    def forward(self, z: Tensor) -> Tensor:
        """Images of latents in any precision."""
        return super().forward(z.double())


class Critic(gan.Critic):
    """Images [B, C, H, W] → logits [B], float64."""

    def forward(self, x: Tensor, draws: Draws | None = None) -> Tensor:
        """Logits of images in any precision."""
        return super().forward(x.double(), draws)


def build(s: gan.GanSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:
    """Make the networks of ``mnist.yaml`` and widen their initial weights."""
    return gan.players(s, Generator(s, shape, mean_image).double(), Critic(s, shape).double())


# --- Experiments --------------------------------------------------------------------------------------

MNIST_FLOAT64: Experiment[gan.GanSettings] = dataclasses.replace(
    gan.MNIST,
    name="gan/mnist-float64",
    title="GAN on MNIST, trained in float64",
    summary=f"{gan.MNIST.summary}, all in float64",
    build=build,
    budget=Budget(None, "set by the suite", Source("suite", SUITE)),
    deviations=(
        *gan.RELEASED,
        Deviation(
            "float64 throughout training",
            "asks whether rounding has a part in the estimate of Table 1; the released code has float32",
            "about half as fast",
        ),
    ),
    headline=False,
)

EXPERIMENTS = (MNIST_FLOAT64,)
