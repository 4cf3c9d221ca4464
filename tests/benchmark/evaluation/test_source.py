"""Batches that are put together are the same images, and no small ones are left between."""

import pytest
import torch

from benchmark.evaluation import protocols
from benchmark.evaluation.source import LARGE, gathered
from benchmark.training.quantise import Generated

N = 2 * LARGE + 500
FEATURES, NEAREST = (protocols.get(name) for name in ("digits-2k", "nearest-10m"))


def stream(n, size):
    """Batches of `size` with images, outputs and classes that differ, as a generator gives them."""
    random = torch.Generator().manual_seed(0)
    outputs = torch.rand((n, 1, 2, 2), generator=random)
    classes = torch.randint(10, (n,), generator=random)
    for start in range(0, n, size):
        part = slice(start, start + size)
        count = len(classes[part])
        yield Generated.of(outputs[part], (0.0, 1.0), count, classes[part])


@pytest.mark.parametrize("size", [100, 128, LARGE, N])
def test_large_batches_hold_the_same(size):
    [whole] = stream(N, N)
    found = list(gathered(stream(N, size), [FEATURES, NEAREST]))
    assert all(len(batch.images) >= LARGE for batch in found[:-1])
    assert len(found) <= -(-N // LARGE)
    for name in ("images", "outputs", "classes"):
        assert torch.equal(torch.cat([getattr(batch, name) for batch in found]), getattr(whole, name))
    assert {batch.image_range for batch in found} == {whole.image_range}


def test_what_is_not_there_stays_so():
    images = torch.zeros((3, 1, 2, 2), dtype=torch.uint8)
    [batch] = gathered([Generated(images), Generated(images)], [NEAREST])
    assert len(batch.images) == 6
    assert (batch.outputs, batch.classes) == (None, None)


def test_who_keeps_nothing_small_gets_batches_as_they_come():
    assert [len(batch.images) for batch in gathered(stream(300, 100), [FEATURES])] == [100, 100, 100]
