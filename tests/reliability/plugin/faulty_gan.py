"""A third party's baseline whose runs go wrong, each in its own way, after two G-iterations."""

from dataclasses import replace

import torch

from baselines import gan


def nan_loss(s, p, k, draws):
    """From the third G-iteration on, the critic's weights are NaN."""
    if k == 2:
        next(p.critic.parameters()).data.fill_(torch.nan)
    return gan.iterate(s, p, k, draws)


def infinite_images(s, p, k, draws):
    """The losses stay finite, but the generator makes infinite images."""
    losses = gan.iterate(s, p, k, draws)
    if k == 2:
        for parameter in p.generator.parameters():
            parameter.data.fill_(torch.inf)
    return {name: torch.zeros_like(loss) for name, loss in losses.items()}


def out_of_memory(s, p, k, draws):
    """Asks for a petabyte."""
    if k == 2:
        torch.empty(2**50, dtype=torch.uint8)
    return gan.iterate(s, p, k, draws)


EXPERIMENTS = tuple(
    replace(gan.DIGITS, name=f"faulty/{name}", iterate=iterate)
    for name, iterate in (
        ("nan-loss", nan_loss),
        ("infinite-images", infinite_images),
        ("out-of-memory", out_of_memory),
    )
)
