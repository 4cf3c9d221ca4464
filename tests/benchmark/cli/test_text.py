"""Tables on terminals of any width: no word is broken, nothing is left out."""

import pytest
from rich.console import Console

from benchmark.cli import text

HEADERS = ("outcome", "what", "ours", "reference", "worse by [90 %]", "reason")
ROWS = [
    ("pass", "gan/digits digits-2k fid", "676.95 ± 68.91 (n = 3)", "677 (n = 5)", "0 [−1, 1]", "same bits"),
    ("fail", "wgan_gp/digits digits-2k is", "1.4", "2.1", "0.33", "the Inception score fell beyond it"),
    ("skip", "sngan/digits", "", "3", "", "not run"),
]


@pytest.fixture
def printed(monkeypatch, capsys):
    """What a table looks like on a terminal of some width."""

    def call(width, **options):
        monkeypatch.setattr(text, "console", lambda: Console(width=width, highlight=False))
        text.print_table(HEADERS, ROWS, **options)
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_no_word_is_broken(printed, width):
    out = printed(width, title="values", right=(2, 3, 4))
    assert max(map(len, out.splitlines())) <= width
    words = {word for row in (HEADERS, *ROWS) for content in row for word in content.split()}
    assert words <= set(out.split())


@pytest.mark.parametrize("width", [30, 90, 200])
def test_a_long_table_looks_like_a_short_one(printed, monkeypatch, width):
    """Rows of many are written without rich, which is slow; to the last blank as it would."""
    options = {"title": "values", "right": (2, 3, 4)}
    short = printed(width, **options)
    monkeypatch.setattr(text, "_MANY_ROWS", 2)
    assert printed(width, **options) == short


def test_what_does_not_fit_side_by_side_is_a_block_per_row(printed):
    assert printed(200).splitlines()[1].split("  ")[0] == "pass"
    blocks = printed(45).split("\n" + " " * 44)
    lines = [line.split() for line in printed(45).splitlines()]
    assert ["outcome", "skip"] in lines
    assert ["reference", "3"] in lines
    assert ["ours"] not in lines, "an empty cell is no line"
    assert len(blocks) == len(ROWS)


def test_columns_that_are_whole_are_not_folded(printed):
    assert "gan/digits digits-2k fid" in printed(90, whole=(1,))
    assert "gan/digits digits-2k fid" not in printed(80)
