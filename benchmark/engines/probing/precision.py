"""A probe in float64: networks, and what images become."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment, Players


def in_double(experiment: Experiment[Any]) -> Any:
    """Its `build`, with the same initial weights in float64."""

    def build(s: Any, shape: tuple[int, int, int], mean_image: Tensor) -> Players:
        with default_dtype("float32"):
            players = experiment.build(s, shape, mean_image)
        for network in (players.generator, players.critic):
            network.double()
            network.register_forward_pre_hook(_to_double)
        return players

    return build


def _to_double(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x.double() if isinstance(x, Tensor) and x.is_floating_point() else x for x in given)


@contextmanager
def default_dtype(numerics: str) -> Iterator[None]:
    """Torch's default dtype, which decides what uint8 images become."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if numerics == "float64" else torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
