"""Mixed precision: the forward passes of a G-iteration in bfloat16, by `torch.autocast`.

A forward pass is a call of a module with weights that is not within another one. Autocast is entered around
it and left after it, and what it returns is made float32. So losses, gradient penalties, optimiser steps,
weights and the optimisers' states are float32; a backward pass computes in the types that the forward pass
had, outside of autocast, as torch's documentation asks. There is no gradient scaler: bfloat16 has the range
of float32. Images that are scored or shown are made in float32.

Around all of `iterate`, autocast would keep bfloat16 copies of weights that an optimiser has changed since.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from benchmark.training.policies import MIXED
from benchmark.training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Draws, Experiment, Losses, Players
    from benchmark.training.loss_history import LossHistory
    from benchmark.training.trainer import State


class MixedTrainer(Trainer):
    """A `Trainer` in mixed precision; takes the same, and continues checkpoints of this profile only."""

    def __init__(self, experiment: Experiment[Any], **given: Any) -> None:
        super().__init__(in_bfloat16(experiment), **given)

    def _resume(self, images: Tensor) -> tuple[State, Players, LossHistory]:
        self._numerics = MIXED
        return super()._resume(images)


def in_bfloat16(experiment: Experiment[Any]) -> Experiment[Any]:
    """The experiment with G-iterations in mixed precision, on devices that torch has it for."""

    def iterate(s: Any, players: Players, k: int, draws: Draws) -> Losses:
        with forward_passes(next(players.generator.parameters()).device.type):
            return experiment.iterate(s, players, k, draws)

    return replace(experiment, iterate=iterate)


@contextmanager
def forward_passes(device_type: str) -> Iterator[None]:
    """Modules that are called within compute in bfloat16 and return float32."""
    if not torch.amp.is_autocast_available(device_type):
        yield
        return
    forward = _Forward(device_type)
    hooks = (
        register_module_forward_pre_hook(forward.before),
        register_module_forward_hook(forward.after, always_call=True),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Forward:
    """Autocast from the outermost call of a module to its end."""

    def __init__(self, device_type: str) -> None:
        self._autocast = torch.autocast(device_type, torch.bfloat16)
        self._depth = 0

    def before(self, module: nn.Module, _: Any) -> None:
        """A module is called. Those without weights, such as losses, are left as they are."""
        if self._depth == 0:
            if next(module.parameters(), None) is None:
                return
            self._autocast.__enter__()  # type: ignore[no-untyped-call]
        self._depth += 1

    def after(self, _: nn.Module, __: Any, output: Any) -> Any:
        """A module returns, or raises."""
        if self._depth == 0:
            return None
        self._depth -= 1
        if self._depth:
            return None
        self._autocast.__exit__(None, None, None)
        return _float32(output)


def _float32(value: Any) -> Any:
    """Its bfloat16 tensors as float32, also in tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype == torch.bfloat16 else value
    if isinstance(value, dict):
        return {key: _float32(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_float32, value))
    return value
