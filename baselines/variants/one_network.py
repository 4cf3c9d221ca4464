"""DCGAN, WGAN and WGAN-GP on one pair of networks, on the embedded digits: WGAN-GP's Figure 3 in small.

The networks are those of ``gan_cifar.py`` at width 16 with one channel; losses, optimisers and schedules are
those of its three modes, as in dcgan/cifar10, wgan/cifar10 and wgan_gp/cifar10-cnn. No paper prints a number
for them. The critic of WGAN-GP takes a norm, so that a suite can ask what §4's "no batch norm" is worth.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from baselines import dcgan, wgan, wgan_gp
from baselines.spec import HIGH, SUITE, Budget, Confidence, Deviation, Experiment, Players, Source
from baselines.variants.wgan_gp_lsun64 import NORMS, NormedSettings
from baselines.wgan_gp import CIFAR_PY

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn


# --- Networks -----------------------------------------------------------------------------------------


class NormedCritic(wgan_gp.CifarCritic):
    """The critic of gan_cifar.py with a norm on its last two convolutions; weights start as without."""

    def __init__(self, width: int, shape: tuple[int, int, int], norm: Callable[[int], nn.Module]) -> None:
        super().__init__(width, shape, batch_norm=False)
        self.add_module("norm2", norm(2 * width))
        self.add_module("norm3", norm(4 * width))


def build(s: NormedSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Make the networks of gan_cifar.py, the critic with `critic_norm`."""
    generator = wgan_gp.CifarGenerator(s.latent, s.width, shape)
    return wgan_gp.players(s, generator, NormedCritic(s.width, shape, NORMS[s.critic_norm]))


# --- Experiments --------------------------------------------------------------------------------------

_SMALL: dict[str, tuple[object, str, Confidence]] = {
    "batch": (16, "suite: 64 in " + CIFAR_PY + ", reduced for two CPU cores", SUITE),
    "width": (16, "suite: 128 in " + CIFAR_PY + ", narrowed for two CPU cores", SUITE),
}


def _small(experiment: Experiment[Any], title: str, **changes: Any) -> Experiment[Any]:
    """An experiment on CIFAR-10 made narrow, on digits of 32 × 32 pixels."""
    given: dict[str, Any] = {
        "name": f"{experiment.baseline}/digits-cnn",
        "title": f"{title} on the 4 000 embedded digits, Figure 3's networks in small",
        "summary": f"{experiment.summary.replace('128', '16 (128)')}; one channel, batch 16 (64)",
        "dataset": "digits",
        "image_shape": (1, 32, 32),
        "settings": experiment.settings.revised(**_SMALL),
        "budget": Budget(None, "set by the suite", Source("suite", SUITE)),
        "deviations": (
            Deviation(
                "width 16, batch 16, one channel, 4 000 digits",
                "a few seeds have to fit two CPU cores",
                "not comparable with any number or curve of a paper",
            ),
            *(d for d in experiment.deviations if d not in (wgan_gp.WIDTH_128, wgan_gp.ONE_MORE)),
        ),
        "headline": False,
    }
    return dataclasses.replace(experiment, **{**given, **changes})


_CNN = wgan_gp.CIFAR10_CNN.settings
DCGAN = _small(dcgan.CIFAR10, "DCGAN")
WGAN = _small(wgan.CIFAR10, "WGAN")
WGAN_GP = _small(
    wgan_gp.CIFAR10_CNN,
    "WGAN-GP",
    settings=NormedSettings(**_CNN.values(), sources=_CNN.sources, critic_norm="none").revised(
        **_SMALL, critic_norm=("none", "paper §4: no batch norm in a penalised critic", HIGH)
    ),
    build=build,
)

EXPERIMENTS = (DCGAN, WGAN, WGAN_GP)
