"""The feature extractors protocols name, and the loop that runs them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from benchmark.errors import UserError, did_you_mean
from benchmark.evaluation import digits_lenet, inception
from benchmark.evaluation.fidelity import NonFiniteScore
from benchmark.evaluation.fit import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH_SIZE = 500
"""Images at a time in a small network. Fixed, because on a GPU the features depend on it in the last bits."""

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Extractor:
    """A feature extractor.

    Attributes:
        load: gives the network for a weights digest.
        channels: of the images it takes.
        batch_size: images at a time; decides the last bits on a GPU.
        costly: whether what it says of real images is kept on disk.
        memory_format: of its weights on the CPU, where it decides the last bits; on CUDA they are contiguous.

    """

    load: Callable[[str], nn.Module]
    channels: tuple[int, ...]
    batch_size: int
    costly: bool
    memory_format: torch.memory_format = torch.contiguous_format


_REGISTRY = {
    digits_lenet.NAME: Extractor(
        lambda _: digits_lenet.load(), CHANNELS[digits_lenet.NAME], BATCH_SIZE, costly=False
    ),
    # torch-fidelity's own batch size; 299 x 299 images take 230 MB in the first layers.
    inception.NAME: Extractor(
        inception.load, CHANNELS[inception.NAME], 64, costly=True, memory_format=torch.channels_last
    ),
}


def get(name: str) -> Extractor:
    """Look an extractor up; `UserError` for an unknown name."""
    if name not in _REGISTRY:
        raise UserError(f"unknown feature extractor '{name}'", do=did_you_mean(name, _REGISTRY))
    return _REGISTRY[name]


def load(name: str, weights_digest: str = "", device: torch.device = _CPU) -> nn.Module:
    """Load an extractor onto `device`: uint8 [N,C,H,W] -> (features [N,D], logits [N,K]), both float32.

    Raises:
        UserError: unknown name, or weights that are not the expected ones.

    """
    extractor = get(name)
    net = extractor.load(weights_digest).to(device)
    if device.type == "cpu":
        net.to(memory_format=extractor.memory_format)  # type: ignore[call-overload]
    return net


def extract(
    net: nn.Module, images: Tensor, device: torch.device, batch_size: int = BATCH_SIZE
) -> tuple[Tensor, Tensor]:
    """Run `net` (on `device`) over uint8 images [N,C,H,W]: features [N,D] and logits [N,K] on the CPU."""
    features, logits = [], []
    with torch.no_grad(), _full_precision(device):
        for batch in torch.split(images, batch_size):
            batch_features, batch_logits = net(batch.to(device))
            features.append(batch_features.cpu())
            logits.append(batch_logits.cpu())
    return torch.cat(features), torch.cat(logits)


class Pass:
    """One pass of images through a network, as they come; only the rows asked for are kept.

    Args:
        net: the network, on `device`.
        device: where it runs.
        batch_size: images at a time, however many come at a time.
        n_features: images, from the first, whose features are kept.
        n_logits: images, from the first, whose logits are kept.

    """

    def __init__(
        self, net: nn.Module, device: torch.device, batch_size: int, n_features: int, n_logits: int
    ) -> None:
        self._net, self._device, self._batch_size = net, device, batch_size
        self._kept = {"features": n_features, "logits": n_logits}
        self._rows: dict[str, Tensor] = {}
        self._waiting: list[Tensor] = []
        self._n_waiting, self._n_done = 0, 0

    @property
    def n_missing(self) -> int:
        """Images still to come."""
        return max(self._kept.values()) - self._n_done - self._n_waiting

    def add(self, images: Tensor) -> None:
        """Take uint8 images [N,C,H,W]; those beyond the last that is asked for are passed over."""
        images = images[: self.n_missing]
        if not len(images):
            return
        self._waiting.append(images)
        self._n_waiting += len(images)
        while self._n_waiting >= self._batch_size or (self._n_waiting and not self.n_missing):
            waiting = torch.cat(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
            batch, rest = waiting[: self._batch_size], waiting[self._batch_size :]
            self._waiting, self._n_waiting = [rest], len(rest)
            self._run(batch)

    def rows(self) -> tuple[Tensor, Tensor]:
        """Features and logits, float32 on the CPU; `ValueError` while images are missing."""
        if self.n_missing > 0:
            raise ValueError(f"{self.n_missing} images are missing")
        return self._rows["features"], self._rows["logits"]

    def _run(self, batch: Tensor) -> None:
        outputs = extract(self._net, batch, self._device, self._batch_size)
        start = self._n_done
        self._n_done += len(batch)
        for (name, n), output in zip(self._kept.items(), outputs, strict=True):
            if not torch.isfinite(output).all():
                raise NonFiniteScore(f"{name} of images {start} to {self._n_done - 1} hold NaN or Inf")
            rows = self._rows.setdefault(name, output.new_empty(n, output.shape[1]))
            rows[start : self._n_done] = output[: max(0, n - start)]


@contextlib.contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """On CUDA: no TF32 and no algorithm search in convolutions, whatever the training has switched on."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
