"""What is read back from disk: regular files of bounded size, and JSON of bounded depth.

A file in a results folder may come from another machine, or from somebody who means harm: a pipe that never
ends, a device, gigabytes, text nested deeper than Python's stack. Everything is read here.
"""

from __future__ import annotations

import math
import os
import stat
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20
DEPTH = 24
"""Deepest nesting of JSON; ganbench's own files have 8."""
LARGEST = 2**64
"""Largest whole number; a seed may be 2⁶⁴ − 1."""

PICTURE_BYTES = 64 * MIB
"""Of a picture of ours: a grid of samples."""


class Unreadable(ValueError):
    """A file is there and cannot be used; the message says why, without its path."""


def check_regular(path: Path, limit: int) -> None:
    """What `read` asks of a file, for one that a library opens by its name.

    Raises:
        FileNotFoundError: there is no such file.
        Unreadable: it is no regular file, is larger than `limit`, or the system refuses it.

    """
    try:
        _check(os.stat(path), limit)  # noqa: PTH116 - a path may be no `Path`
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(*error.args) from error
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error


def read(path: Path, limit: int, *, tail: bool = False) -> bytes:
    """The bytes of a regular file, at most `limit`; with `tail` the last so many of a longer one.

    Raises:
        FileNotFoundError: there is no such file.
        Unreadable: it is no regular file, is larger, or the system refuses it.

    """
    try:  # not blocking, so that a pipe without a writer does not hang here
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(*error.args) from error
    except (OSError, ValueError) as error:
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from error
    try:
        status = os.fstat(handle)
        _check(status, math.inf if tail else limit)
        with os.fdopen(handle, "rb", closefd=False) as file:
            file.seek(max(0, status.st_size - limit))
            return file.read(limit)
    except OSError as error:
        raise Unreadable(error.strerror or str(error)) from error
    finally:
        os.close(handle)


def _check(status: os.stat_result, limit: float) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable("is no regular file")
    if status.st_size > limit:
        raise Unreadable(f"has {status.st_size / MIB:,.0f} MiB; at most {limit / MIB:g} are read")


def parse(content: bytes) -> Any:
    """JSON as dictionaries, lists, texts and numbers.

    Raises:
        Unreadable: it is no JSON, nested deeper than `DEPTH`, holds a whole number beyond `LARGEST`, or names
            something twice, of which readers take one or the other.

    """
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise Unreadable(f"is no JSON ({error})") from error
    except RecursionError as error:
        raise Unreadable(f"is nested deeper than {DEPTH} levels") from error
    level: list[Any] = [[found]]
    names = 0
    for _ in range(DEPTH + 1):
        inner: list[Any] = []
        for one in level:
            names += len(one) if type(one) is dict else 0
            inner.extend(one.values() if type(one) is dict else one)
        if any(abs(x) > LARGEST for x in [x for x in inner if type(x) is int]):
            raise Unreadable("holds a number that is out of range")
        level = [x for x in inner if type(x) is dict or type(x) is list]
        if not level:
            if _colons(content) != names:
                raise Unreadable("has a key twice")
            return found
    raise Unreadable(f"is nested deeper than {DEPTH} levels")


def _colons(content: bytes) -> int:
    """Colons of JSON outside of its texts: as many as it has keys."""
    plain = content.replace(rb"\\", b"").replace(rb"\"", b"")
    return b"".join(plain.split(b'"')[::2]).count(b":")


def read_json(path: Path, limit: int) -> Any:
    """`parse` of `read`; raises as they do."""
    return parse(read(path, limit))
