"""Randomness without state: what G-iteration k draws is a pure function of (seed, purpose, k).

Streams come from NumPy's Philox, a counter-based generator with a 128-bit key; the key is the start of
SHA-256("ganbench|seed|purpose|index"). `exact_draws` makes numbers of them, equal on every machine; they are
drawn on the CPU and moved, and so equal on every device. Epoch e's order of the training images is a
permutation drawn with index e. Therefore a checkpoint needs no generator state, and an evaluation cannot
shift training.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from benchmark import data
from benchmark.training import exact_draws

if TYPE_CHECKING:
    from baselines.spec import Experiment

Purpose = Literal[
    "init", "data", "points", "latent", "label", "penalty", "dropout", "dequantise", "global", "evaluate"
]

_LARGE = 1 << 30
_RELEASE_EVERY = 4
"""Of images mapped from a file of more than `_LARGE` bytes, pages are given back every few minibatches."""


def key(seed: int, purpose: Purpose, index: int | str) -> bytes:
    """32 bytes that belong to (seed, purpose, index) alone."""
    return hashlib.sha256(f"ganbench|{seed}|{purpose}|{index}".encode()).digest()


def stream(seed: int, purpose: Purpose, index: int | str) -> exact_draws.Bits:
    """The CPU stream of (seed, purpose, index); the index of "init" is a name."""
    return np.random.Philox(key=int.from_bytes(key(seed, purpose, index)[:16], "little"))


def torch_seed(seed: int, purpose: Purpose, index: int) -> int:
    """A 63-bit seed for a torch generator (of which torch's CPU generator uses 32 bits)."""
    return int.from_bytes(key(seed, purpose, index)[16:24], "little") >> 1


def latents(prior: str, bits: exact_draws.Bits, n: int, dimension: int) -> Tensor:
    """Latents [n, dimension], float32 on the CPU, from a prior of `baselines.spec.Settings`."""
    if prior == "normal":
        return normal(bits, n, dimension)
    half_width = {"uniform": 1.0, "uniform-sqrt3": math.sqrt(3)}[prior]
    return (2 * uniform(bits, n, dimension) - 1) * half_width


def uniform(bits: exact_draws.Bits, *shape: int) -> Tensor:
    """U[0, 1), float32 on the CPU."""
    return torch.from_numpy(exact_draws.uniforms32(bits, math.prod(shape))).view(shape)


def normal(bits: exact_draws.Bits, *shape: int) -> Tensor:
    """N(0, 1), float32 on the CPU."""
    return torch.from_numpy(exact_draws.normals(bits, math.prod(shape))).view(shape)


def random_classes(bits: exact_draws.Bits, n: int, classes: int) -> Tensor:
    """Uniform classes in 0 … classes−1, int64 [n] on the CPU."""
    return torch.from_numpy(exact_draws.classes(bits, n, classes))


class SeededDraws:
    """The draws of one run; `at` moves them to a G-iteration. Implements `baselines.spec.Draws`.

    Args:
        experiment: gives the batch, the prior, the end of an epoch and the data position of an iteration.
        seed: the run's seed.
        images: training images, uint8 [N, C, H, W], where they fit: on the training device, or on the CPU
            (perhaps mapped from a file), from where only the minibatches are moved. None (N = 0) for an
            experiment that draws its data.
        labels: their classes, int64 [N], beside the images; for conditional experiments.
        device: the training device; that of the images unless given.

    Attributes:
        images_seen: real images handed out so far, over all iterations; a resumed run sets it.

    """

    def __init__(
        self,
        experiment: Experiment[Any],
        seed: int,
        images: Tensor,
        labels: Tensor | None = None,
        device: torch.device | None = None,
    ) -> None:
        self._experiment, self._settings = experiment, experiment.settings
        self._seed, self._images, self._labels = seed, images, labels
        self._device = device or images.device
        self._is_large = images.nbytes > _LARGE
        self._n = len(images)
        batch, end = self._settings.batch, self._settings.epoch_end
        self._batch: int = batch
        if batch > self._n and not experiment.points:
            raise ValueError(f"a batch of {batch} from {self._n} images")
        # Batches per epoch; with `wrap` the batches run on over the end of an epoch.
        self._per_epoch: int = {"drop": self._n // batch, "keep": math.ceil(self._n / batch), "wrap": 0}[end]
        self._order = lru_cache(maxsize=2)(self._epoch_order)
        self._streams: dict[str, exact_draws.Bits] = {}
        self.images_seen = 0
        self.at(0)

    def at(self, k: int) -> SeededDraws:
        """Move to the start of G-iteration k (from 0)."""
        self._k = k
        self._streams.clear()
        self._batch_index: int = self._experiment.real_batches(self._settings, k)
        return self

    @property
    def epoch(self) -> int:
        """Epoch of the next real minibatch, from 0."""
        if self._per_epoch:
            return self._batch_index // self._per_epoch
        return self._batch_index * self._batch // self._n

    def images(self) -> Tensor:
        """Next real minibatch, uint8 [B, C, H, W]."""
        return self._moved(self._chosen(self._next_batch()))

    def labelled_images(self) -> tuple[Tensor, Tensor]:
        """Next real minibatch, uint8 [B, C, H, W], and its classes, int64 [B]."""
        if self._labels is None:
            raise ValueError(f"{self._experiment.name} asks for labels, but the run has none")
        chosen = self._next_batch()
        return self._moved(self._chosen(chosen)), self._moved(self._labels.index_select(0, chosen))

    def skip_images(self) -> None:
        """Pass over one real minibatch."""
        self._batch_index += 1

    def latent(self, n: int) -> Tensor:
        """Latents [n, latent] of this iteration, on the training device."""
        z = latents(self._settings.prior, self._stream("latent"), n, self._settings.latent)
        return self._moved(z)

    def labels(self, n: int) -> Tensor:
        """Uniform random classes, int64 [n], on the training device."""
        return self._moved(random_classes(self._stream("label"), n, self._experiment.classes))

    def uniform(self, purpose: Literal["penalty", "dequantise", "points"], *shape: int) -> Tensor:
        """U[0, 1), float32, on the training device."""
        return self._moved(uniform(self._stream(purpose), *shape))

    def normal(self, purpose: Literal["points"], *shape: int) -> Tensor:
        """N(0, 1), float32, on the training device."""
        return self._moved(normal(self._stream(purpose), *shape))

    def keep(self, probability: float, *shape: int) -> Tensor:
        """Float 0/1 mask, 1 with this probability to 2^-33, on the training device."""
        mask = exact_draws.trials(self._stream("dropout"), math.prod(shape), probability)
        return self._moved(torch.from_numpy(mask).view(shape)).float()

    def seed(self) -> int:
        """63 bits of this iteration, for generators of other libraries."""
        return torch_seed(self._seed, "global", self._k)

    def _chosen(self, indices: Tensor) -> Tensor:
        images = self._images.index_select(0, indices)
        if self._is_large and self._batch_index % _RELEASE_EVERY == 0:
            data.release(self._images)
        return images

    def _next_batch(self) -> Tensor:
        if not self._n:
            raise ValueError(f"{self._experiment.name} asks for images, but its data are drawn")
        batch = self._batch
        if self._per_epoch:
            epoch, slot = divmod(self._batch_index, self._per_epoch)
            chosen = self._order(epoch)[slot * batch : (slot + 1) * batch]
        else:
            epoch, start = divmod(self._batch_index * batch, self._n)
            chosen = self._order(epoch)[start : start + batch]
            if len(chosen) < batch:
                chosen = torch.cat((chosen, self._order(epoch + 1)[: batch - len(chosen)]))
        self._batch_index += 1
        self.images_seen += len(chosen)
        return chosen

    def _stream(self, purpose: Purpose) -> exact_draws.Bits:
        if purpose not in self._streams:
            self._streams[purpose] = stream(self._seed, purpose, self._k)
        return self._streams[purpose]

    def _epoch_order(self, epoch: int) -> Tensor:
        order = exact_draws.permutation(stream(self._seed, "data", epoch), self._n)
        return torch.from_numpy(order).to(self._images.device)

    def _moved(self, tensor: Tensor) -> Tensor:
        if tensor.is_cuda or self._device.type == "cpu":  # "cuda" and "cuda:0" are one device, but not equal
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)
