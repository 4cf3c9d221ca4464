"""The digest of code: layout and words do not count, every edit does, and no Python version matters."""

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import baselines
from baselines.source_code import code_digest, file_digest

SAMPLE = '''"""A module."""
from __future__ import annotations

import math as m  # why

LIMIT: int = 0x10
"""Of a sum."""


class Layer(dict):
    """A class."""

    size = 1.0

    def text(self, x, *rest, scale=-2.5e-3, **named):
        """A method."""
        return f"{x!r:>{scale}} {{}} {self.size=}" f"end" "." + f"{named}"


async def total(values):
    async for v in values:
        if v not in (1, None, ...) and v > LIMIT:
            yield [w ** 2 for w in v if w], {**v, "é\\n": b"\\xff"}, "\\d"
'''
# Of `SAMPLE`, by Python 3.11, 3.12 and 3.13. Another value here makes every run in existence stale.
DIGEST = "b64b9ee0c4037d2e6febdf63de641b79bea73430e7f023777b8c4021f9b9b2f2"

SAME = [
    pytest.param("  # why", "", id="comment"),
    pytest.param("LIMIT: int", "# why\nLIMIT: int", id="comment on a line of its own"),
    pytest.param('"""A module."""', "", id="no module docstring"),
    pytest.param('"""A module."""', "'another'\n'and one'", id="other module docstring"),
    pytest.param('"""Of a sum."""', '"""Of all sums."""', id="docstring of a value"),
    pytest.param('    """A class."""\n', "", id="no class docstring"),
    pytest.param('"""A method."""', '"""A\n  method."""', id="docstring of two lines"),
    pytest.param("\n\n\n", "\n", id="blank lines"),
    pytest.param("\n    ", "\n      ", id="indentation"),
    pytest.param("(self, x, *rest", "(\n  self, x,\n  *rest", id="line breaks"),
    pytest.param("**named)", "**named,)", id="trailing comma"),
    pytest.param("w ** 2", "(w**2)", id="brackets and spaces"),
    pytest.param('"é\\n"', "u'''é\n'''", id="quotes"),
    pytest.param('f"end" "."', '"" "en" f"d."', id="pieces of an f-string"),
    pytest.param("0x10", "1_6", id="form of a number"),
    pytest.param("\n", "\r\n", id="line ends"),
    pytest.param('"""A module."""', '# coding: utf-8\n"""A module."""', id="encoding"),
]


@pytest.mark.parametrize(("old", "new"), SAME)
def test_what_python_does_not_read_does_not_count(old, new):
    edited = SAMPLE.replace(old, new)
    assert edited != SAMPLE
    assert code_digest(edited.encode()) == DIGEST


OTHER = [
    ("math as m", "math"),
    ("annotations", "division"),
    (": int", ""),
    (": int", ": float"),
    ("0x10", "17"),
    ("1.0", "1"),
    ("1.0", "True"),
    ("1.0", '"1.0"'),
    ("size = 1.0", "size: 1.0"),
    ("(dict)", ""),
    ("-2.5e-3", "+2.5e-3"),
    ("-2.5e-3", "-2.5e-4"),
    ("*rest, ", ""),
    ("*rest, ", "rest, "),
    ("x, *rest", "x, /, *rest"),
    ("!r", "!s"),
    (":>", ":<"),
    ("{{}}", "{self}"),
    (" {self.size=}", " {self.size}"),
    ('"."', '","'),
    ('"." + f"{named}"', '"." f"{named}"'),
    ('f"{named}"', '"{named}"'),
    ("return f", "f"),
    ("async for", "for"),
    ("yield", "return"),
    ("not in", "in"),
    (", ...", ""),
    ("None", "'None'"),
    (" and ", " or "),
    ("v > LIMIT", "v >= LIMIT"),
    ("v > LIMIT", "LIMIT > v"),
    ("w ** 2", "2 ** w"),
    ("w ** 2 for", "v ** 2 for"),
    (" if w]", "]"),
    ("**v", "'v': v"),
    ("xff", "xfe"),
    ('b"', '"'),
    ("        if v", "        pass\n        if v"),
]


@pytest.mark.parametrize(("old", "new"), OTHER)
def test_every_edit_of_code_counts(old, new):
    assert SAMPLE.count(old) == 1
    edited = SAMPLE.replace(old, new)
    assert code_digest(edited.encode()) not in (DIGEST, file_digest(edited.encode()))


def test_order_counts():
    assert code_digest(b"a = 1\nb = 2") != code_digest(b"b = 2\na = 1")


def test_ends_of_blocks_count():
    inside, outside = b"for a in b:\n  if a:\n    c()\n    d()", b"for a in b:\n  if a:\n    c()\n  d()"
    assert code_digest(inside) != code_digest(outside)


@pytest.mark.parametrize("content", [b"def (:\n", b"\x00", b"\xff\xfe", b"a =\t 'x\n"])
def test_what_python_cannot_read_counts_as_bytes(content):
    assert code_digest(content) == hashlib.sha256(content).hexdigest()
    assert code_digest(content.replace(b"\n", b"\r\n")) == code_digest(content)


def test_expressions_of_any_length_have_a_digest():
    assert code_digest(b"a = " + b"+".join([b"1"] * 900)) != code_digest(b"a = " + b"+".join([b"1"] * 901))


def test_warnings_made_errors_change_nothing():
    code = f"from baselines.source_code import code_digest; print(code_digest({SAMPLE.encode()!r}))"
    finished = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert finished.stdout.strip() == DIGEST, finished.stderr


def test_every_source_of_the_package_reads_alike_when_laid_out_anew():
    for path in Path(baselines.__file__).parent.rglob("*.py"):
        content = path.read_bytes()
        assert (
            code_digest(ast.unparse(ast.parse(content)).encode())
            == code_digest(content)
            != file_digest(content)
        )


def other_pythons():
    """Interpreters of other versions that this machine has: those on the path, and pyenv's."""
    own = f"python3.{sys.version_info.minor}"
    names = [f"python3.{minor}" for minor in range(11, 30)]
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
    return [
        folder / name for folder in folders for name in names if name != own and (folder / name).is_file()
    ]


def test_other_python_versions_find_the_same_digests(tmp_path):
    """The sources of this package and a sample with f-strings; needs only the standard library."""
    (tmp_path / "sample.py").write_text(SAMPLE, encoding="utf-8")
    package = Path(baselines.__file__).parent
    paths = [tmp_path / "sample.py", *sorted(package.rglob("*.py"))]
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import source_code as s\n"
        "from pathlib import Path\n"
        "print(json.dumps([s.code_digest(Path(p).read_bytes()) for p in sys.argv[2:]]))"
    )
    expected = [code_digest(path.read_bytes()) for path in paths]
    assert expected[0] == DIGEST
    asked = 0
    for python in other_pythons():
        finished = subprocess.run(
            [python, "-B", "-I", "-c", code, package, *paths], capture_output=True, text=True
        )
        if finished.returncode != 0 and "pyenv" in str(python):
            continue  # a shim whose version is not switched on
        assert json.loads(finished.stdout) == expected, (python, finished.stderr)
        asked += 1
    if not asked:
        pytest.skip("no other Python version is here")
