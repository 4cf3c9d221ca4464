"""Nearest training images against brute force in Python's integers; ties, exactness, what is read at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.evaluation.neighbours import nearest


def pixels(n, *shape, seed=0, levels=256):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, levels, (n, *shape), generator=generator, dtype=torch.uint8)


def brute_force(samples, training):
    """Index and squared distance, in whole numbers; the first of equals."""
    found = []
    for s in samples.flatten(1).tolist():
        squares = [sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) for t in training.flatten(1).tolist()]
        found.append((squares.index(min(squares)), min(squares)))
    return found


# Few levels and few pixels make ties common.
@given(
    st.integers(1, 6),
    st.integers(1, 12),
    st.sampled_from([2, 3, 256]),
    st.integers(1, 13),
    st.integers(0, 99),
)
def test_brute_force_whatever_the_chunk(n, n_training, levels, chunk, seed):
    samples = pixels(n, 1, 2, 2, seed=seed, levels=levels)
    training = pixels(n_training, 1, 2, 2, seed=seed + 100, levels=levels)
    indices, distances = nearest(samples, training, chunk)
    expected = brute_force(samples, training)
    assert indices.tolist() == [index for index, _ in expected]
    assert [round(distance**2) for distance in distances.tolist()] == [square for _, square in expected]


# Long vectors of black and white reach and leave the range in which float32 is exact: ‖x‖² up to 2^24.5.
@settings(max_examples=20)
@given(st.integers(0, 9), st.floats(0, 1), st.floats(0, 1), st.integers(1, 5))
def test_float32_and_float64_agree_where_sums_leave_the_exact_range(seed, white, theirs, chunk):
    generator = torch.Generator().manual_seed(seed)
    samples, training = (
        torch.where(
            torch.rand(n, 366, generator=generator) < share, 255, pixels(n, 366, seed=seed + n, levels=3)
        )
        for n, share in ((3, white), (9, theirs))
    )
    indices, distances = nearest(samples.to(torch.uint8), training.to(torch.uint8), chunk)
    expected = brute_force(samples, training)
    assert indices.tolist() == [index for index, _ in expected]
    assert [round(distance**2) for distance in distances.tolist()] == [square for _, square in expected]


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_of_equally_close_images_the_first(chunk):
    training = torch.tensor([[9, 9], [5, 7], [7, 5], [5, 7], [5, 5]], dtype=torch.uint8)
    assert nearest(torch.tensor([[6, 6]], dtype=torch.uint8), training, chunk).indices.tolist() == [1]


def test_a_difference_of_one_in_a_sum_of_a_hundred_million_is_seen():
    # In float32 the two distances round to the same number, and the first would win.
    black = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    further = torch.full((1, 3, 64, 64), 255, dtype=torch.uint8)
    closer = further.clone()
    closer[0, 2, 63, 63] = 254
    square = 3 * 64 * 64 * 255**2
    assert np.float32(square) - np.float32(square - 255**2 + 254**2) != 255**2 - 254**2
    indices, distances = nearest(black, torch.cat((further, closer)))
    assert indices.tolist() == [1]
    assert round(distances.item() ** 2) == square - 255**2 + 254**2


def test_a_training_image_is_its_own_neighbour():
    training = pixels(50, 3, 4, 4)
    indices, distances = nearest(training[[7, 31]], training, 8)
    assert indices.tolist() == [7, 31]
    assert distances.tolist() == [0, 0]


@given(st.permutations(range(10)))
def test_order_of_the_samples_is_kept(order):
    samples, training = pixels(10, 1, 3, 3), pixels(40, 1, 3, 3, seed=1)
    assert torch.equal(
        nearest(samples[list(order)], training).indices, nearest(samples, training).indices[list(order)]
    )


class Mapped:
    """Training images that note how many are asked for at once."""

    def __init__(self, images):
        self._images, self.shape, self.dtype, self.asked = images, images.shape, images.dtype, []

    def __len__(self):
        return len(self._images)

    def __getitem__(self, part):
        found = self._images[part]
        self.asked.append(len(found))
        return found


def test_training_images_are_read_once_and_a_chunk_at_a_time():
    training = Mapped(pixels(100, 1, 3, 3))
    nearest(pixels(20, 1, 3, 3), training, 7)
    assert max(training.asked) == 7
    assert sum(training.asked) == 100


def test_a_memory_mapped_set(tmp_path):
    samples, training = pixels(4, 1, 3, 3), pixels(30, 1, 3, 3, seed=1)
    training.numpy().tofile(tmp_path / "set")
    mapped = torch.from_file(str(tmp_path / "set"), shared=False, size=training.numel(), dtype=torch.uint8)
    found, expected = nearest(samples, mapped.reshape(training.shape), 8), nearest(samples, training)
    assert torch.equal(found.indices, expected.indices)
    assert torch.equal(found.distances, expected.distances)


def test_no_samples_have_no_neighbours():
    indices, distances = nearest(pixels(0, 1, 2, 2), pixels(3, 1, 2, 2))
    assert (indices.shape, distances.shape) == ((0,), (0,))


@pytest.mark.parametrize(
    ("samples", "training", "chunk", "message"),
    [
        (torch.zeros(2, 4), pixels(3, 4), 8, "uint8"),
        (pixels(2, 4), torch.zeros(3, 4), 8, "uint8"),
        (pixels(2, 4), pixels(3, 5), 8, "do not fit"),
        (pixels(2, 4), pixels(0, 4), 8, "no training image"),
        (pixels(2, 4), pixels(3, 4), 0, "at least 1"),
    ],
)
def test_refusals(samples, training, chunk, message):
    with pytest.raises(ValueError, match=message):
        nearest(samples, training, chunk)
