"""Text from outside (records, plugins, suites, data), written so that each format shows it and obeys nothing.

One function per format, used by everything that writes the format. `visible` comes before all of them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",
    "]": "{]}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": r"$-$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "–": "--",
    "—": "---",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "→": r"$\rightarrow$",
    "σ": r"$\sigma$",
    "✓": r"$\surd$",
    "▼": r"$\downarrow$",
    "▲": r"$\uparrow$",
    "≠": r"$\neq$",
    "✗": r"$\times$",
    "○": r"$\circ$",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
}
_BRACES = {r"\{": r"\textbraceleft{}", r"\}": r"\textbraceright{}"}
"""BibTeX counts braces without looking at the backslash before them."""
_HARMLESS = frozenset(
    [
        *"\"'`^~=.cuvHrkdb",
        *"&%$#_{}-, ",
        *"oOlLijt",
        *("ss", "ae", "AE", "oe", "OE", "aa", "AA", "TeX", "LaTeX", "dots", "ldots", "url", "href"),
        *("emph", "textbf", "textit", "textsc", "texttt", "textrm", "textsuperscript", "textsubscript"),
    ]
)
"""Commands that an entry of a bibliography may hold: accents, letters, fonts, links."""
_LONGEST = 4000
"""Characters of a message."""
_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def visible(text: str, keep: str = "") -> str:
    r"""The text with `\x1b`, `\n`, `\u202e` in place of characters that are not seen or that move others.

    These are control and format characters, line separators, halves of surrogate pairs, and what Unicode does
    not assign. Spaces stay, and the characters in `keep`.
    """
    if text.isprintable():
        return text
    return "".join(ch if ch in keep or _is_seen(ch) else _code(ch) for ch in text)


def _is_seen(ch: str) -> bool:
    return ch.isprintable() or unicodedata.category(ch) == "Zs"


def _code(ch: str) -> str:
    return ch.encode("unicode_escape").decode("ascii")


def terminal(text: str, *, lines: bool = False) -> str:
    """For a terminal or a log; on one line unless `lines` may be several."""
    return visible(text, "\n\t" if lines else "")


def one_line(text: str) -> str:
    """`terminal` of a message whose lines are joined by spaces, cut where it is very long."""
    shown = terminal(re.sub(r"\s*[\r\n]\s*", " ", text[:_LONGEST].strip()))
    return shown if len(text) <= _LONGEST else f"{shown}…"


def markdown(text: str) -> str:
    """For a line or table cell of Markdown: no markup, HTML, mention, image or line break."""
    flat = " ".join(visible(text, "\n\r\t\v\f").split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    return re.sub(r"([\\`*_{}\[\]#|~$!])", r"\\\1", flat)


def fenced(text: str, language: str = "") -> str:
    """Code block in Markdown, whose fence is longer than any run of backticks inside it."""
    text = visible(text, "\n\t")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def markup(text: str) -> str:
    """For HTML, XML and SVG, before their library escapes it: characters that a document cannot hold."""
    return visible(text, "\n\t")


def latex(text: str) -> str:
    """Text that LaTeX typesets as it is."""
    flat = re.sub(r"[ \t\r\n]+", " ", text)
    return "".join(_LATEX.get(ch, ch) for ch in visible(flat))


def bibtex(text: str) -> str:
    """`latex` for the value of a BibTeX field."""
    return re.sub(r"\\[{}]", lambda found: _BRACES[found[0]], latex(text))


def bibtex_comment(text: str) -> str:
    """For a comment between BibTeX entries, where an @ would begin one."""
    return "% " + bibtex(one_line(text)).replace("@", "(at)")


def unusable_entry(entry: str) -> str:
    """Why text is not one harmless BibTeX entry that may be printed as it is; empty if it is one."""
    depth = 0
    text = entry.strip()
    if not re.match(
        r"@(?!string|preamble|comment)[a-z]+\s*\{\s*[^\s,{}@\\\"#%]+\s*[,}]", text, re.IGNORECASE
    ):
        return "it is no entry"
    if visible(text, "\n\t") != text or "^^" in text:
        return "it holds characters that cannot be seen"
    for i, ch in enumerate(text):
        depth += (ch == "{") - (ch == "}")
        if ch == "}" and depth <= 0 and (depth < 0 or i + 1 < len(text)):
            return "it is more than one entry"
    if depth:
        return "its braces do not balance"
    for found in re.findall(r"\\([A-Za-z]+|.)", text, re.DOTALL):
        if found not in _HARMLESS:
            return f"it holds \\{found}"
    return ""


def csv(text: str) -> str:
    """For a cell that a spreadsheet must not take for a formula; quoting is the writer's."""
    shown = visible(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULAS) else shown


def json_text(value: Any, *, ascii_only: bool = False) -> str:
    """JSON in lines, in which characters that are not seen are escaped."""
    text = json.dumps(value, indent=1, ensure_ascii=ascii_only)
    return text if ascii_only else re.sub(r"[^\n -~]", _json_character, text)


def _json_character(found: re.Match[str]) -> str:
    return found[0] if _is_seen(found[0]) else json.dumps(found[0])[1:-1]
