"""Adversarial losses on critic outputs before any sigmoid; each takes [B, ...] and returns a scalar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor


def standard_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """−log σ(D(x)) − log(1 − σ(D(G(z)))), averaged: cross-entropy with labels 1 and 0 (GAN 2014, Eq. 1)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_generator_loss(fake: Tensor) -> Tensor:
    """−log σ(D(G(z))), averaged (GAN 2014, §3: maximise log D rather than minimise log(1 − D))."""
    return F.softplus(-fake).mean()


def wasserstein_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E f(G(z)) − E f(x): minus the Wasserstein estimate (WGAN 2017, Eq. 2 and Algorithm 1, negated)."""
    return fake.mean() - real.mean()


def wasserstein_generator_loss(fake: Tensor) -> Tensor:
    """−E f(G(z)) (WGAN 2017, Algorithm 1)."""
    return -fake.mean()


def hinge_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 − D(x)) + E max(0, 1 + D(G(z))) (SN-GAN 2018, Eq. 16)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator_loss(fake: Tensor) -> Tensor:
    """−E D(G(z)) (SN-GAN 2018, Eq. 17)."""
    return -fake.mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """E (‖∇D(x̂)‖₂ − 1)², two-sided, with x̂ = x + mix·(G(z) − x) (WGAN-GP 2017, Eq. 3, without λ).

    Args:
        critic: maps [B, ...] to one value per sample.
        real: data [B, ...], in the scale the critic sees.
        fake: generated [B, ...], without gradient history.
        mix: U[0, 1) with *one* value per sample, [B].

    """
    mix = mix.reshape(-1, *[1] * (real.dim() - 1))
    between = (real + mix * (fake - real)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    slopes: Tensor = gradient.flatten(1).norm(2, dim=1)
    return ((slopes - 1) ** 2).mean()


def orthonormal_penalty(weights: Iterable[Tensor]) -> Tensor:
    """Σ ‖WᵀW − I‖²_F over weights viewed as [out, rest] (SN-GAN 2018, §4.1, without coefficient).

    Where W is wider than high, ‖WWᵀ − I‖²_F, which is smaller to compute and differs by a constant:
    the number of columns less that of rows, which no W can avoid.
    """
    parts = []
    for weight in weights:
        matrix = weight.flatten(1)
        gram = matrix @ matrix.t() if matrix.shape[0] < matrix.shape[1] else matrix.t() @ matrix
        parts.append((gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).square().sum())
    return torch.stack(parts).sum()
