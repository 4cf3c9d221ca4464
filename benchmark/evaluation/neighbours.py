"""The closest images, exactly: Figure 2 of Goodfellow et al. 2014, Table 3 of Radford et al. 2015.

    nearest(q) = argmin over images t of ‖q − t‖² = argmax of 2⟨q, t⟩ − ‖t‖²

over all pixels and channels. With uint8 images every term is an integer, so the result is that of integer
arithmetic, on every device, whatever the order in which a matrix product adds, as long as no sum leaves what
the floating-point type holds exactly: 2²⁴ in float32, 2⁵³ in float64. `Search` says when which is taken. A
small distance is no proof of memorisation, and a large one none of the opposite (Theis et al. 2016).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 1024
_EXACT = 1 << 24
"""Float32 has all integers up to here, and all even ones up to twice this."""


class Neighbours(NamedTuple):
    """Per query: `indices` of the closest image, int64 [n], and `distances` to it, float64 [n].

    Distances are Euclidean, √Σ(q − t)² over pixels in 0..255.
    """

    indices: Tensor
    distances: Tensor


class Search:
    """The closest image of each query in a stream of images of any length; of equally close ones the first.

    Products are float32 where ‖q‖² and ‖t‖² are below 2²⁴. The sum 2⟨q, t⟩ has even terms, none below 0, and
    is at most ‖q‖² + ‖t‖² < 2²⁵: exact. Then 2⟨q, t⟩ − ‖t‖² = ‖q‖² − ‖q − t‖² is exact within ±2²⁴ and rounds
    to no more than −2²⁴ below that, so the closest is found if it lies within. Where one of these does not
    hold, the same is done in float64.

    Args:
        queries: uint8 [n, ...]; the search runs on their device.
        chunk: queries and images at a time; changes no result. At most chunk² products are held.

    Raises:
        ValueError: not uint8, or `chunk` below 1.

    """

    def __init__(self, queries: Tensor, chunk: int = _CHUNK) -> None:
        _check(queries)
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, not {chunk}")
        self._shape, self._chunk, self._device = queries.shape[1:], chunk, queries.device
        self._norms = _norms(queries)
        self._doubled = 2 * queries.flatten(1).float()
        n = len(queries)
        self._best = torch.full((n,), -torch.inf, dtype=torch.float64, device=self._device)
        self._indices = torch.zeros(n, dtype=torch.int64, device=self._device)
        self.n_seen = 0

    def add(self, images: Tensor) -> None:
        """Look through further images, uint8 [N, ...] of the queries' size, on any device.

        Raises:
            ValueError: not uint8, or another size.

        """
        _check(images)
        if images.shape[1:] != self._shape:
            raise ValueError(f"images {list(images.shape[1:])} do not fit {list(self._shape)}")
        for start in range(0, len(images), self._chunk):
            theirs = images[start : start + self._chunk].to(self._device)
            norms = _norms(theirs)
            short = int(norms.max()) < _EXACT
            for first in range(0, len(self._doubled), self._chunk):
                part = slice(first, first + self._chunk)
                single = short and int(self._norms[part].max()) < _EXACT
                self._look(part, theirs.flatten(1), norms, single=single)
            self.n_seen += len(theirs)

    def _look(self, part: slice, theirs: Tensor, norms: Tensor, *, single: bool) -> None:
        if single:
            found = self._doubled[part] @ theirs.float().t()
            found -= norms.float()
        else:
            found = self._doubled[part].double() @ theirs.double().t()
            found -= norms
        most = found.amax(1)
        if single and int(most.min()) <= -_EXACT:
            self._look(part, theirs, norms, single=False)
            return
        closer = (most.double() > self._best[part]).nonzero().squeeze(1)
        if not len(closer):
            return
        # The first of equal ones, said explicitly: torch promises that for `max` on the CPU only.
        places = torch.arange(len(theirs), device=self._device).expand(len(closer), -1)
        place = places.masked_fill(found[closer] != most[closer, None], len(theirs)).amin(1)
        rows = part.start + closer
        self._best[rows] = most[closer].double()
        self._indices[rows] = self.n_seen + place

    def found(self) -> Neighbours:
        """The closest so far, on the device of the queries; `ValueError` before there was an image."""
        if not self.n_seen:
            raise ValueError("there is no training image")
        return Neighbours(self._indices.clone(), (self._norms - self._best).sqrt())


def nearest(samples: Tensor, training: Tensor, chunk: int = _CHUNK) -> Neighbours:
    """Find the closest training image of each sample, exactly; of equally close ones the first.

    Args:
        samples: uint8 [n, ...]; the search runs on their device.
        training: uint8 [N, ...] of the same size, perhaps mapped from a file or on another device.
        chunk: images of either kind at a time; changes no result. No more of `training` is read at once.

    Returns:
        Both on the device of the samples.

    Raises:
        ValueError: not uint8, sizes that differ, no image on a side, or `chunk` below 1.

    """
    search = Search(samples, chunk)
    for start in range(0, len(training), chunk):
        search.add(training[start : start + chunk])
    return search.found()


def _check(images: Tensor) -> None:
    if images.dtype != torch.uint8:
        raise ValueError(f"images must be uint8, not {images.dtype}")


def _norms(images: Tensor) -> Tensor:
    """‖x‖², float64 [n]."""
    return images.flatten(1).double().square().sum(1)
