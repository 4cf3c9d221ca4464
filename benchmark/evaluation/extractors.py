"""The feature extractors protocols name, and the one loop that runs them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.errors import UserError, did_you_mean
from benchmark.evaluation import digits_lenet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Fixed, because on a GPU the features depend on it in the last bits.
BATCH_SIZE = 500

_LOADERS: dict[str, Callable[[], nn.Module]] = {digits_lenet.NAME: digits_lenet.load}
CHANNELS = {digits_lenet.NAME: 1}


def load(name: str) -> nn.Module:
    """Load an extractor on the CPU: uint8 [N,C,H,W] -> (features [N,D], logits [N,K]), both float32.

    Raises:
        UserError: unknown name, or weights that are not the recorded ones.

    """
    if name not in _LOADERS:
        raise UserError(f"unknown feature extractor '{name}'", do=did_you_mean(name, _LOADERS))
    return _LOADERS[name]()


def extract(net: nn.Module, images: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Run `net` (on `device`) over uint8 images [N,C,H,W]: features [N,D] and logits [N,K] on the CPU."""
    features, logits = [], []
    with torch.no_grad(), _full_precision(device):
        for batch in torch.split(images, BATCH_SIZE):
            batch_features, batch_logits = net(batch.to(device))
            features.append(batch_features.cpu())
            logits.append(batch_logits.cpu())
    return torch.cat(features), torch.cat(logits)


@contextlib.contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """On CUDA: no TF32 and no algorithm search in convolutions, whatever the training has switched on."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
