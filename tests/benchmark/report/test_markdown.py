"""report.md as GitHub shows it: read by a CommonMark parser with GFM's tables."""

import itertools
import re

import pytest
from markdown_it import MarkdownIt

from benchmark.report import write_report


@pytest.fixture(scope="module", params=["suite", "judged"])
def read(request, tmp_path_factory):
    """The folder, the text and its tokens in one flat list."""
    runs, missing = request.getfixturevalue(request.param)
    out = tmp_path_factory.mktemp("md")
    write_report(
        runs, out, suite="a|b_c", command="x\n```\n# no", missing=missing, formats=["md"], bibtex="@a{b}"
    )
    text = (out / "report.md").read_text()
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    return out, text, tokens, [t for token in tokens for t in (token, *(token.children or ()))]


def test_every_table_is_one(read):
    _, text, tokens, _ = read
    rules = len(re.findall(r"^\|(?: :?-+:? \|)+$", text, re.M))
    assert rules >= 5
    assert sum(token.type == "table_open" for token in tokens) == rules
    kinds = [token.type for token in tokens]
    rows, widths = [], []
    for kind in kinds:
        if kind == "tr_open":
            rows.append(0)
        elif kind in ("th_open", "td_open"):
            rows[-1] += 1
        elif kind == "table_close":
            widths.append(set(rows))
            rows = []
    assert all(len(width) == 1 for width in widths)  # no cell was split by a | in a name


def test_no_line_that_was_meant_to_be_a_row_is_a_paragraph(read):
    _, _, tokens, _ = read
    paragraphs = [
        token.content for before, token in itertools.pairwise(tokens) if before.type == "paragraph_open"
    ]
    assert not [text for text in paragraphs if text.startswith("|")]


def test_headings_are_the_reports_own(read):
    _, _, tokens, _ = read
    headings = [
        (token.tag, following.content)
        for token, following in itertools.pairwise(tokens)
        if token.type == "heading_open"
    ]
    assert headings[0] == ("h1", r"GAN benchmark: suite a\|b\_c")
    assert [tag for tag, _ in headings].count("h1") == 1
    assert ("h2", "Final scores") in headings


def test_names_make_no_html_and_code_stays_in_its_fence(read):
    _, _, tokens, every = read
    assert not [token for token in every if token.type.startswith("html")]
    fences = [token.content for token in tokens if token.type == "fence"]
    assert fences[0] == "x\n```\n# no\n"
    assert "@a{b}" in fences[1]


def test_pictures_are_files_beside_it(read):
    out, _, _, every = read
    images = [token.attrs["src"] for token in every if token.type == "image"]
    assert len(images) >= 2
    assert all((out / name).is_file() for name in images)
    assert not [token for token in every if token.type == "link_open"]
