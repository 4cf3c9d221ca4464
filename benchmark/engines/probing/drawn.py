"""What a probe trains on and starts from: pictures, labels, optimiser states; the same everywhere."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from baselines.spec import Experiment

_STATE_SCALE = 1e-4
"""Of drawn optimiser states: about a squared gradient, so that steps are neither lost nor enormous."""


def pictures(n: int, shape: tuple[int, int, int]) -> Tensor:
    """Drawn images, uint8 [n, C, H, W], the same everywhere."""
    count = n * math.prod(shape)
    return torch.from_numpy((_raw("images", count) & np.uint64(255)).astype(np.uint8)).view(n, *shape)


def labels(n: int, classes: int) -> Tensor | None:
    """Drawn classes, int64 [n]; None where there are none."""
    if not classes:
        return None
    return torch.from_numpy((_raw("labels", n) % np.uint64(classes)).astype(np.int64))


def black(experiment: Experiment[Any]) -> Tensor:
    """One black image of the experiment's size, uint8 [1, C, H, W]."""
    return torch.zeros((1, *experiment.image_shape), dtype=torch.uint8)


def _raw(purpose: str, n: int) -> Any:
    """Words of a counter-based generator, which no version of NumPy may change."""
    key = hashlib.sha256(f"ganbench probe|{purpose}".encode()).digest()
    return np.random.Philox(key=int.from_bytes(key[:16], "little")).random_raw(n)


def draw_state(network: nn.Module, optimiser: torch.optim.Optimizer, player: str, updates: int) -> None:
    """Give every slot that the optimiser has after a step a drawn value; weights stay as they are."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for p in parameters:
        p.grad = torch.zeros_like(p)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    network.load_state_dict(kept)
    for i, p in enumerate(parameters):
        for slot, tensor in optimiser.state[p].items():
            if not isinstance(tensor, Tensor):
                continue
            if tensor.dim() == 0:
                tensor.fill_(max(1, updates))
            else:
                words = _raw(f"{player} {i} {slot}", tensor.numel()) >> np.uint64(40)
                values = (words.astype(np.float32) + 1) * np.float32(_STATE_SCALE * 2.0**-24)
                tensor.copy_(torch.from_numpy(values).view(tensor.shape))
