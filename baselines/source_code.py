"""What a source file says to Python, as a digest: layout, comments and docstrings do not count.

It is made from the syntax tree, so it is also the same however strings are quoted and expressions bracketed,
and under every Python version that reads the file.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from itertools import groupby

# `ctx` follows from a node's place, `kind` says whether a string was written u"", the others are comments.
_UNSAID = ("ctx", "kind", "type_comment", "type_ignores")


def file_digest(content: bytes) -> str:
    """SHA-256 (hex) of a text file, the same with both kinds of line ends."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def code_digest(content: bytes) -> str:
    """SHA-256 (hex) of the syntax tree without docstrings; `file_digest` of what Python cannot read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as errors they would make a file with "\d" unreadable
            return hashlib.sha256(_text(ast.parse(content)).encode("ascii")).hexdigest()
    except (SyntaxError, ValueError):
        return file_digest(content)


def _text(tree: ast.Module) -> str:
    """The tree as text. `ast.dump` is not used: what it writes differs between Python versions."""
    out = []
    waiting: list[object] = [tree]  # a stack, since recursion has a limit that long expressions reach
    while waiting:
        item = waiting.pop()
        if isinstance(item, ast.Constant):
            out.append(ascii(item.value))
        elif isinstance(item, ast.AST):
            out.append(f"{type(item).__name__}(")
            waiting.append(")")
            for name in reversed(item._fields):
                value = getattr(item, name, None)
                # Later versions of Python add fields: absent, None and empty are one.
                if name not in _UNSAID and value is not None and value != []:
                    waiting += [_said(value), f" {name}="]
        elif isinstance(item, list):
            out.append("[")
            waiting.append("]")
            for value in reversed(item):
                waiting += [",", _said(value)]
        else:
            out.append(str(item))
    return "".join(out)


def _said(value: object) -> object:
    """A field of a node: nodes and lists as they are, but for docstrings; names and numbers as text."""
    if isinstance(value, list):
        return [item for item in value if not _is_docstring(item)]
    if isinstance(value, ast.JoinedStr):
        return ast.JoinedStr(_joined(value.values))
    return value if isinstance(value, ast.AST) else ascii(value)


def _is_docstring(item: object) -> bool:
    return (
        isinstance(item, ast.Expr)
        and isinstance(item.value, ast.Constant)
        and isinstance(item.value.value, str)
    )


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts as one: Python versions split them differently."""
    parts: list[ast.expr] = []
    for constant, group in groupby(values, lambda value: isinstance(value, ast.Constant)):
        if not constant:
            parts += group
        elif text := "".join(str(part.value) for part in group if isinstance(part, ast.Constant)):
            parts.append(ast.Constant(text))
    return parts
