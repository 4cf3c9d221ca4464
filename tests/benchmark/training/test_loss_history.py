"""The losses of every G-iteration: the same rows however they are collected, interrupted or cut off."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmark.training.loss_history import LossHistory

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
pairs = st.lists(st.tuples(finite, finite), max_size=20)


def losses(a, b):
    return {"critic": torch.tensor(a), "generator": torch.tensor([b])}


def table(history):
    return {name: column.tolist() for name, column in history.columns().items()}


@given(pairs, st.randoms())
def test_every_row_is_kept_in_order_whenever_it_is_collected_or_left_and_resumed(rows, random):
    history = LossHistory(20, {})
    for a, b in rows:
        history.append(losses(a, b))
        if random.random() < 0.4:
            history.collect()
        if random.random() < 0.2:  # stopped: what was not collected would be computed again
            history.collect()
            history = LossHistory(20, history.columns())
    history.collect()
    assert history.rows(0, 20) == [{"critic": a, "generator": b} for a, b in rows]
    assert history.rows(3, 5) == history.rows(0, 20)[3:5]
    assert len(history) == len(rows)
    expected = {"critic": [a for a, _ in rows], "generator": [b for _, b in rows]}
    assert table(history) == (expected if rows else {})
    assert all(column.dtype == torch.float32 for column in history.columns().values())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nothing_follows_the_first_row_that_is_not_finite(bad):
    history = LossHistory(9, {})
    for a, b in [(1.0, 2.0), (3.0, bad), (5.0, 6.0), (bad, 8.0)]:
        history.append(losses(a, b))
    history.collect()
    assert history.rows(0, 9) == [{"critic": 1.0, "generator": 2.0}, {"critic": 3.0, "generator": None}]
    assert table(history)["critic"] == [1.0, 3.0]
    assert len(history) == 2


def test_columns_are_copies():
    history = LossHistory(3, {})
    history.append(losses(1.0, 2.0))
    history.collect()
    history.columns()["critic"].fill_(9.0)
    assert table(history)["critic"] == [1.0]


@pytest.mark.parametrize("names", [("critic",), ("critic", "generator", "more"), ("critic", "other")])
@pytest.mark.parametrize("resumed", [False, True])
def test_an_experiment_must_report_the_same_losses_every_time(names, resumed):
    history = LossHistory(3, {})
    history.append(losses(1.0, 2.0))
    history.collect()
    history = LossHistory(3, history.columns()) if resumed else history
    with pytest.raises(ValueError, match="losses critic"):
        history.append(dict.fromkeys(names, torch.tensor(0.0)))


def test_nothing_is_read_from_the_device_before_the_rows_are_collected():
    """On the meta device nothing can be read at all."""
    history = LossHistory(3, {})
    for _ in range(3):
        history.append({"critic": torch.zeros((), device="meta")})
    with pytest.raises(NotImplementedError):
        history.collect()
