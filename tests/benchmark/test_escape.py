"""Text from outside is data in every format: whatever it is, nothing of it is obeyed or hidden."""

import csv
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import escape

ANY = st.text(st.characters(exclude_categories=()))  # also halves of surrogate pairs
HOSTILE = ANY | st.text(st.sampled_from("\x1b\x9b\n\r\t\u202e\u2028\\{}$%&#_^~<>|\"'`*[]!@=+-,;a1 \ud800"))


def unseen(text, keep=""):
    return [
        c for c in text if c not in keep and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
    ]


@given(HOSTILE)
def test_nothing_moves_the_cursor_or_hides(text):
    assert not unseen(escape.terminal(text))
    assert not unseen(escape.terminal(text, lines=True), "\n\t")
    assert not unseen(escape.one_line(text))
    assert not unseen(escape.markup(text), "\n\t")


def test_what_is_seen_stays():
    text = "Größe 1\u202f000 ± 2 − “ナ” 👍"
    assert escape.visible(text) == text
    assert escape.visible("\x1b[31m\x07\u202e\ud800\n") == r"\x1b[31m\x07\u202e\ud800\n"
    assert escape.one_line("a:\n  b\r\nc") == "a: b c"


@given(HOSTILE)
def test_markdown_is_one_line_without_markup(text):
    shown = escape.markdown(text)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_{}\[\]#|~$!]", shown)
    assert not re.search(r"[<>@\n]", shown)


@given(HOSTILE)
def test_a_fence_is_closed_by_its_own_line_only(text):
    first, *inner, last = escape.fenced(text, "sh").split("\n")
    assert first == f"{last}sh"
    assert not any(line.strip().startswith(last) for line in inner)


@given(HOSTILE)
def test_latex_and_bibtex_hold_no_command_of_the_text(text):
    ours = r"\\(?:text[a-z]+|[a-z]+arrow|pm|times|surd|neq|circ|dots|[&%$#_{},])"
    for shown in (escape.latex(text), escape.bibtex(text)):
        assert not re.search(r"[\\%#&_^~]", re.sub(ours, "", shown))
        assert "\n" not in shown
    shown, depth = escape.bibtex(text), 0
    for ch in shown:
        depth += (ch == "{") - (ch == "}")
        assert depth >= 0
    assert depth == 0
    comment = escape.bibtex_comment(text)
    assert comment.startswith("% ")
    assert "@" not in comment
    assert not unseen(comment)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ('@misc{key,\n  author = {M{\\"u}ller \\& {\\O}},\n  url = {https://x.org/a_b}\n}', ""),
        ("@misc{key}", ""),
        ("text", "no entry"),
        ('@preamble{"\\input{/etc/passwd}"}', "no entry"),
        ("@misc{key, title = {\\input{/etc/passwd}}}", r"\\input"),
        ("@misc{key, title = {\\write18{rm}}}", r"\\write"),
        ("@misc{key, title = {^^5cinput x}}", "cannot be seen"),
        ("@misc{key, title = {a\x1b[31m}}", "cannot be seen"),
        ("@misc{key, title = {x}}\n@misc{other, title = {y}}", "more than one"),
        ("@misc{key, title = {x", "do not balance"),
        ("@misc{\\input, title = {x}}", "no entry"),
    ],
)
def test_an_entry_of_a_third_party_is_printed_only_if_it_is_harmless(entry, why):
    found = escape.unusable_entry(entry)
    assert re.search(why, found) if why else not found


@given(HOSTILE)
def test_no_cell_is_a_formula(text):
    cell = escape.csv(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
    file = io.StringIO()
    csv.writer(file).writerow([cell, 1])
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [[cell, "1"]]


@given(HOSTILE)
def test_xml_can_hold_it(text):
    element = ET.Element("a", b=escape.markup(text))
    element.text = escape.markup(text)
    assert ET.fromstring(ET.tostring(element, encoding="unicode")).text in (escape.markup(text), None)


@given(st.recursive(HOSTILE | st.integers(), lambda inner: st.dictionaries(HOSTILE, inner) | st.lists(inner)))
def test_json_is_the_same_data_and_seen(value):
    for text in (escape.json_text(value), escape.json_text(value, ascii_only=True)):
        assert json.loads(text) == value
        assert not unseen(text, "\n")
