"""WGAN on LSUN bedrooms, no batch norm in the generator (Fig. 6): constant width, or released ``--noBN``.

The latter is tested against the released code's own numbers (tests/golden/wgan_nobnG_dcgan64).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from torch import Tensor, nn

from baselines.spec import HIGH, LOW, Budget, Deviation, Experiment, Players, Source
from baselines.variants.wgan_mlp import NO_NORM, NOT_PRINTED, drawn
from baselines.wgan import LSUN64, Critic, WganSettings, doubling_widths, players

# --- Networks -----------------------------------------------------------------------------------------


class NormFreeGenerator(nn.Module):
    """4×4 transposed convolutions from 1×1 up to the given widths, ReLU; tanh; no norm, no biases."""

    def __init__(self, latent: int, widths: list[int], shape: tuple[int, int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False)]
        for channels, below in zip(widths, [*widths[1:], shape[0]], strict=True):
            layers += [nn.ReLU(), nn.ConvTranspose2d(channels, below, 4, 2, 1, bias=False)]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """[B, latent] → images [B, C, H, W] in −1..1."""
        images: Tensor = self.layers(z[:, :, None, None])
        return images


def constant_width(latent: int, width: int, shape: tuple[int, int, int]) -> NormFreeGenerator:
    """As many channels in every layer (Fig. 6)."""
    return NormFreeGenerator(latent, [width] * len(doubling_widths(width, shape)), shape)


def build_nobn(s: WganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Norm-free generator of constant width (Fig. 6); batch norm stays in the critic."""
    networks = constant_width(s.latent, s.width, shape), Critic(s.width, s.slope, shape)
    return players(s, *(drawn(network, s.init_std) for network in networks))


def build_nobn_halving(s: WganSettings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
    """Norm-free generator with DCGAN's widths (DCGAN_G_nobn); batch norm stays in the critic."""
    generator = NormFreeGenerator(s.latent, doubling_widths(s.width, shape)[::-1], shape)
    return players(
        s, *(drawn(network, s.init_std) for network in (generator, Critic(s.width, s.slope, shape)))
    )


# --- Experiments --------------------------------------------------------------------------------------

_LSUN64: Experiment[Any] = LSUN64

LSUN64_NOBN = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-nobn",
    title="WGAN, generator of constant width without batch norm, on LSUN bedrooms (Fig. 6)",
    summary="lsun64 with a generator of 64 channels throughout and no norm; the critic keeps its batch norm",
    settings=LSUN64.settings.revised(
        width=(64, "unconfirmed in the generator: fits Fig. 6's more than tenfold fewer parameters", LOW),
        **NO_NORM,
    ),
    build=build_nobn,
    budget=Budget(None, "not printed", Source("paper Fig. 6 shows samples without their iteration", HIGH)),
    deviations=(
        Deviation(
            "64 channels in every layer of the generator",
            "paper Fig. 6: constant number of filters; released DCGAN_G_nobn halves them as DCGAN does",
            "about a twelfth of the parameters; the other side is lsun64-nobn-halving",
        ),
        *LSUN64.deviations,
    ),
)

LSUN64_NOBN_HALVING = dataclasses.replace(
    LSUN64_NOBN,
    name="wgan/lsun64-nobn-halving",
    title="WGAN, DCGAN generator without batch norm, on LSUN bedrooms (released --noBN)",
    summary="lsun64 without batch norm in the generator, widths 512 to 64 as released",
    settings=LSUN64.settings.revised(**NO_NORM),
    build=build_nobn_halving,
    budget=NOT_PRINTED,
    deviations=(
        Deviation(
            "the generator's widths halve towards the image",
            "released DCGAN_G_nobn; the text of Fig. 6 says constant number of filters",
            "not the run of Fig. 6, which has about a twelfth of the parameters",
        ),
        *LSUN64.deviations,
    ),
)
