"""How seeds are written, and what is refused with a hint how to write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import UserError
from benchmark.suites.seeds import parse_seeds

SEEDS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20, unique=True)


@pytest.mark.parametrize(
    ("written", "seeds"),
    [
        ("0-4", (0, 1, 2, 3, 4)),
        ("0–4", (0, 1, 2, 3, 4)),  # as printed text has it
        ("0,2,7-9", (0, 2, 7, 8, 9)),
        (" 3 , 1 ", (3, 1)),
        ("5-5", (5,)),
        ([4, 2], (4, 2)),
        (str(2**32 + 1), (2**32 + 1,)),
        (f"{2**64 - 2}-{2**64 - 1}", (2**64 - 2, 2**64 - 1)),
    ],
)
def test_seeds_come_in_the_order_written(written, seeds):
    assert parse_seeds(written, "here") == seeds


@given(SEEDS)
def test_a_list_and_its_text_are_the_same_seeds(seeds):
    assert parse_seeds(seeds, "") == parse_seeds(",".join(map(str, seeds)), "") == tuple(seeds)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("", "cannot read"),
        ("1,", "cannot read"),
        ("-1", "cannot read"),
        ("3-", "cannot read"),
        ("0..4", "cannot read"),
        ("0x1", "cannot read"),
        ("٣", "cannot read"),
        ("1.0", "cannot read"),
        ("9" * 5000, "cannot read"),
        ("4-0", "runs backwards"),
        ("0-3,2", "comes twice"),
        ([1, 1], "comes twice"),
        (str(2**64), "lie between"),
        ([-1], "lie between"),
        ([2**64], "lie between"),
        ("0-99999999999999999999", "has more than 100000 seeds"),
        ("0-100000", "has more than 100000 seeds"),
        ("0-99999,100000", "more than 100000 seeds"),
        (list(range(100_001)), "more than 100000 seeds"),
        ([], "no seeds"),
        ([True], "neither text nor a list of integers"),
        ([1.0], "neither text nor a list of integers"),
        (3, "neither text nor a list of integers"),
        (None, "neither text nor a list of integers"),
    ],
)
def test_anything_else_is_refused_with_an_example(written, what):
    with pytest.raises(UserError, match=what) as error:
        parse_seeds(written, "--seeds")
    assert error.value.where == "--seeds"
    assert error.value.do == "Write seeds like 0-4 or 0,2,7-9"


@given(st.text(alphabet="0123456789-, ", max_size=12))
def test_no_text_makes_anything_but_seeds_or_a_user_error(text):
    try:
        seeds = parse_seeds(text, "")
    except UserError:
        return
    assert seeds
    assert len(set(seeds)) == len(seeds)


def test_many_long_ranges_are_not_made_to_be_counted():
    text = ",".join(f"{i * 100_000}-{i * 100_000 + 99_999}" for i in range(100_000))
    with pytest.raises(UserError, match="more than 100000 seeds"):
        parse_seeds(text, where="seeds")
