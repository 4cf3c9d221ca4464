"""The documents, as what stands in them: blocks, and commands."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
SHELL = ("", "sh")
"""Languages of the blocks that are typed into a shell; the others are no commands."""


def parts(page):
    """(language, text) of every block of a page, and of every `…` in its text as `inline`, in order."""
    found = re.finditer(r"^ *```(\w*)\n(.*?)^ *```|(?<!`)`([^`]+)`(?!`)", page, re.DOTALL | re.MULTILINE)
    for language, block, inline in (match.groups() for match in found):
        yield ("inline", " ".join(inline.split())) if inline else (language, block)


def typed(language, text):
    """Lines of a part that are commands, those that go on with a backslash joined; synopses are none."""
    if language == "inline":
        begins = re.match(r"""(\w+=("[^"]*"|\S+) )*(ganbench|eval|pip|pytest|python|tox) """, text)
        return [text] if begins and not re.search(r"\[[A-Z]|\\\||…|\.\.\.", text) else []
    lines = text.replace("\\\n", " ").splitlines() if language in SHELL else []
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


class Step(NamedTuple):
    """What a reader types, or writes into a file."""

    page: str
    kind: str
    text: str

    def among(self, table):
        """What `table` has for it."""
        return [value for pattern, value in table.items() if re.search(pattern, self.text)]


def steps(page):
    """What a page has one do, in order; what its text says again is not done again."""
    done = set()
    for kind, text in parts(page.read_text(encoding="utf-8")):
        for line in [text] if kind in ("python", "toml") else typed(kind, text):
            is_name = kind == "inline" and re.match(r"ganbench ([a-z-]+$|.* [A-Z]+( |$))|pip install$", line)
            if not is_name and (kind != "inline" or line not in done):
                yield Step(page.name, kind, line)
            done.add(line)
