"""Reads TOML that a person wrote: a regular file of bounded size, whatever is in it an error in one line."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.records import bounded

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = bounded.MIB
_KEY = rb"""(?:[\w-]++|"(?:[^"\\\n]++|\\[^\n])*+"?+|'[^'\n]*+'?+)"""
"""Bare or quoted; a text looks like one."""
_DOT = rb"[ \t]*+\.[ \t]*+"
_PIECES = re.compile(
    rb'''\#[^\n]*+|"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5}+)?+|'''
    rb"""'''(?:[^']++|'(?!''))*+(?:'{3,5}+)?+|"""
    rb"%(key)b(?:%(dot)b%(key)b){%(depth)d}(?P<deep>)|%(key)b(?:%(dot)b%(key)b)*+"
    % {b"key": _KEY, b"dot": _DOT, b"depth": bounded.DEPTH},
    re.DOTALL,
)
"""Comments, texts of several lines, names. What is left open goes to its end, so that every byte is read a
fixed number of times."""


def read(path: Path, what: str, where: str = "") -> dict[str, Any]:
    """The content of the file; errors call it `what`, like `the suite`, and name `where`, or its path.

    Raises:
        UserError: it cannot be read, is larger than 1 MiB, or is no TOML.

    """
    try:
        content = bounded.read(path, _MOST_BYTES)
        if any(piece.lastgroup for piece in _PIECES.finditer(content)):
            raise RecursionError  # `a.b.c…`, which the library reads in quadratic time
        return tomllib.loads(content.decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise UserError(f"cannot read {what} ({error.strerror})", where=where or str(path)) from error
    except bounded.Unreadable as error:
        raise UserError(f"cannot read {what} ({error})", where=where or str(path)) from error
    except RecursionError as error:
        raise UserError(
            "not a TOML file (its values are nested too deeply)", where=where or str(path)
        ) from error
    except ValueError as error:  # also of a number with too many digits
        raise UserError(f"not a TOML file ({error})", where=where or str(path)) from error
