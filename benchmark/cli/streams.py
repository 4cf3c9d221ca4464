"""stdout and stderr: what is printed obeys nobody, and printing never changes what a command does."""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
import warnings
from typing import TYPE_CHECKING, Any

from baselines import PluginLeftOut
from benchmark import escape

if TYPE_CHECKING:
    from typing import TextIO

_ASCII = {
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "±": "+-",
    "×": "x",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "↑": "(up)",
    "↓": "(down)",
    "§": "Sec. ",
    "\N{NARROW NO-BREAK SPACE}": " ",
    "\N{NO-BREAK SPACE}": " ",
}
"""For streams that cannot say it. A minus sign as \\u2212 would read as digits."""


class _Raw(io.FileIO):
    """A standard stream that takes everything: what cannot be written is lost, and why is kept in `lost`."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)
        self.lost: OSError | None = None

    def write(self, data: Any) -> int:
        """Write some bytes of `data`, or pretend to; gives how many."""
        while self.lost is None:
            try:
                written = super().write(data)
            except OSError as error:
                self.lost = error
            else:
                if written is not None:
                    return written
                select.select([], [self], [])  # the other side of the pipe does not want to be waited for
        return len(data)


class Output:
    """The standard streams of a command."""

    answered = False
    """Whether stdout has a JSON document of this command's."""

    def __init__(self) -> None:
        Output.answered = False
        while (
            number := os.open(os.devnull, os.O_RDWR)
        ) <= 2:  # no other file may get the number of a closed one
            pass
        os.close(number)
        codecs.register_error("ganbench", _instead)
        self._raw: _Raw | None = None
        if sys.stdout is None or sys.stdout is sys.__stdout__:
            sys.stdout, self._raw = _guarded(sys.stdout, 1)
        if sys.stderr is None or sys.stderr is sys.__stderr__:
            sys.stderr, _ = _guarded(sys.stderr, 2)
            warnings.showwarning = _warn

    def lost(self) -> str:
        """Why stdout does not have everything; empty when it has, or when its reader has gone."""
        if self._raw is None:
            return ""
        sys.stdout.flush()
        error = self._raw.lost
        return "" if error is None or error.errno == errno.EPIPE else error.strerror or str(error)


def _guarded(stream: TextIO | None, number: int) -> tuple[TextIO, _Raw]:
    raw = _Raw(number)
    if stream is not None:
        stream.flush()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    buffer = io.BufferedWriter(raw)
    lines = number == 2 or raw.isatty()
    return io.TextIOWrapper(buffer, encoding, errors="ganbench", line_buffering=lines), raw


def _instead(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that the stream's encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = (_ASCII.get(ch) or ch.encode("ascii", "backslashreplace").decode() for ch in text)
    return "".join(plain), error.end


def echo(text: object = "", *, err: bool = False) -> None:
    """A line, or several, on stdout or stderr, as `escape.terminal` shows it."""
    _write(escape.terminal(str(text), lines=True), sys.stderr if err else sys.stdout)


def say(text: str) -> None:
    """`ganbench: …` in one line on stderr."""
    _write(f"ganbench: {escape.one_line(text)}", sys.stderr)


def _warn(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    say(str(message) if issubclass(category, PluginLeftOut) else f"{category.__name__}: {message}")


def print_json(value: Any) -> None:
    """JSON on stdout; in ASCII where that has no Unicode."""
    Output.answered = True
    encoding = sys.stdout.encoding or "utf-8"
    _write(escape.json_text(value, ascii_only=not encoding.lower().startswith("utf")), sys.stdout)


def _write(text: str, stream: TextIO) -> None:
    stream.write(f"{text}\n")
    stream.flush()
