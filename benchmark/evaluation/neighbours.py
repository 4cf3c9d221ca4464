"""The training image closest to each sample: rightmost columns of Figure 2 of Goodfellow et al. 2014.

    nearest(s) = argmin over training images t of ‖s − t‖² = ‖s‖² + ‖t‖² − 2⟨s, t⟩

over all pixels and channels. With uint8 images every term is an integer below 2¹⁷ times the number of pixels,
which float64 holds exactly in whatever order a matrix product adds: the result is that of integer arithmetic,
on every device. A small distance is no proof of memorisation, and a large one none of the opposite (Theis et
al. 2016).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 1024


class Neighbours(NamedTuple):
    """Per sample: `indices` of the closest training image, int64 [n], and `distances` to it, float64 [n].

    Distances are Euclidean, √Σ(s − t)² over pixels in 0..255.
    """

    indices: Tensor
    distances: Tensor


def nearest(samples: Tensor, training: Tensor, chunk: int = _CHUNK) -> Neighbours:
    """Find the closest training image of each sample, exactly; of equally close ones the first.

    Args:
        samples: uint8 [n, ...]; the search runs on their device.
        training: uint8 [N, ...] of the same size, perhaps mapped from a file or on another device.
        chunk: images of either kind at a time; changes no result. No more of `training` is read at once, and
            at most 3 · chunk images as float64 and chunk² products are held.

    Returns:
        Both on the device of the samples.

    Raises:
        ValueError: not uint8, sizes that differ, no training image, or `chunk` below 1.

    """
    if samples.dtype != torch.uint8 or training.dtype != torch.uint8:
        raise ValueError(f"images must be uint8, not {samples.dtype} and {training.dtype}")
    if samples.shape[1:] != training.shape[1:]:
        raise ValueError(f"samples {list(samples.shape[1:])} do not fit {list(training.shape[1:])}")
    if not len(training):
        raise ValueError("there is no training image")
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, not {chunk}")
    n, device = len(samples), samples.device
    indices = torch.zeros(n, dtype=torch.int64, device=device)
    squares = torch.full((n,), torch.inf, dtype=torch.float64, device=device)
    for start in range(0, len(training), chunk):
        theirs = _vectors(training[start : start + chunk].to(device))
        their_norms = theirs.square().sum(1)
        for first in range(0, n, chunk):
            part = slice(first, first + chunk)
            ours = _vectors(samples[part])
            found = their_norms - 2 * (ours @ theirs.t())
            # The first of equal ones, said explicitly: torch promises that for `min` on the CPU only.
            least = found.amin(1, keepdim=True)
            places = torch.arange(len(theirs), device=device).expand_as(found)
            place = places.masked_fill(found != least, len(theirs)).amin(1)
            square = least.squeeze(1) + ours.square().sum(1)
            closer = square < squares[part]
            indices[part] = torch.where(closer, start + place, indices[part])
            squares[part] = torch.where(closer, square, squares[part])
    return Neighbours(indices, squares.sqrt())


def _vectors(images: Tensor) -> Tensor:
    return images.flatten(1).double()
