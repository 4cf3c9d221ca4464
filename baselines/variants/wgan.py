"""Further experiments of WGAN: Algorithm 1 as printed and the released code, one difference at a time.

Schedules and clipping, on the networks of `baselines.wgan`. MLPs are in `wgan_mlp`, generators without batch
norm in `wgan_nobn`, the GANs that WGAN is compared with (−log D) in `wgan_gan_baselines`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from baselines.spec import HIGH, Deviation, Experiment
from baselines.variants.wgan_gan_baselines import LSUN64_GAN_DCGAN, LSUN64_GAN_MLP, LSUN64_GAN_NOBN
from baselines.variants.wgan_mlp import (
    LSUN64_MLP,
    LSUN64_MLP_4_HIDDEN,
    LSUN64_MLP_MLP,
    LSUN64_MLP_MLP_HIGH_RATE,
    NOT_PRINTED,
)
from baselines.variants.wgan_nobn import LSUN64_NOBN, LSUN64_NOBN_HALVING
from baselines.wgan import CIFAR10, LSUN64, MAIN

_LSUN64: Experiment[Any] = LSUN64
_CONSTANT = ("constant", "paper Algorithm 1; 100/5 in " + MAIN, HIGH)
_AFTER = ("after", "paper Algorithm 1; before in " + MAIN, HIGH)
_FIVE = Deviation(
    "always 5 critic steps",
    "paper Algorithm 1; the released code makes 100 below G-iteration 25 and at every 500th",
    "an earlier critic is farther from optimal; mostly the look of the curves, says the README",
)
_CLIPPED_AFTER = Deviation(
    "clipped after each critic step",
    "paper Algorithm 1; the released code clips before it",
    "the generator sees a critic inside the box",
)

LSUN64_CONSTANT5 = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-constant5",
    title="WGAN with DCGAN networks on LSUN bedrooms, always 5 critic steps",
    summary="lsun64 with Algorithm 1's schedule instead of 100/5",
    settings=LSUN64.settings.revised(critic_schedule=_CONSTANT),
    deviations=(
        _FIVE,
        Deviation("clamped before each critic step", "released code", "as in lsun64"),
        LSUN64.deviations[1],
    ),
)

LSUN64_CLIP_AFTER = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-clip-after",
    title="WGAN with DCGAN networks on LSUN bedrooms, clipped after each critic step",
    summary="lsun64 with Algorithm 1's order of step and clipping",
    settings=LSUN64.settings.revised(clip_when=_AFTER),
    deviations=(
        _CLIPPED_AFTER,
        Deviation("100 critic steps at first and every 500th iteration", "released code", "as in lsun64"),
        LSUN64.deviations[1],
    ),
)

LSUN64_PRINTED = dataclasses.replace(
    _LSUN64,
    name="wgan/lsun64-printed",
    title="WGAN with DCGAN networks on LSUN bedrooms, Algorithm 1 as printed",
    summary="lsun64 with always 5 critic steps and clipping after each",
    settings=LSUN64.settings.revised(critic_schedule=_CONSTANT, clip_when=_AFTER),
    deviations=(_FIVE, _CLIPPED_AFTER, LSUN64.deviations[1]),
)

CIFAR10_100_5 = dataclasses.replace(
    CIFAR10,
    name="wgan/cifar10-100-5",
    title="WGAN on CIFAR-10 (the WGAN-GP authors' clipping mode) with the 100/5 schedule",
    summary="cifar10 with 100 critic steps below G-iteration 25 and at every 500th, else 5",
    settings=CIFAR10.settings.revised(critic_schedule=("100/5", MAIN + ", which has other networks", HIGH)),
    budget=NOT_PRINTED,
    deviations=(
        Deviation(
            "100/5 critic steps on the WGAN-GP authors' network",
            "the schedule of the WGAN code; gan_cifar.py always makes 5",
            "shows what the schedule is worth on CIFAR-10; no curve to compare with",
        ),
        *CIFAR10.deviations,
    ),
    headline=False,
)

EXPERIMENTS: tuple[Experiment[Any], ...] = (
    LSUN64_MLP,
    LSUN64_MLP_4_HIDDEN,
    LSUN64_MLP_MLP,
    LSUN64_MLP_MLP_HIGH_RATE,
    LSUN64_NOBN,
    LSUN64_NOBN_HALVING,
    LSUN64_CONSTANT5,
    LSUN64_CLIP_AFTER,
    LSUN64_PRINTED,
    CIFAR10_100_5,
    LSUN64_GAN_DCGAN,
    LSUN64_GAN_MLP,
    LSUN64_GAN_NOBN,
)
