"""Errors a user can act on: what went wrong, where, what to do. They never show a traceback."""

from __future__ import annotations

import difflib
import reprlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class UserError(Exception):
    """A usage or configuration error; the command ends with `exit_code` and one clear message.

    Args:
        what: the fact, e.g. ``unknown suite 'quikc'``.
        where: file, key path or option the fact is about.
        do: the next step, as an instruction.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        self.what, self.where, self.do = what, where, do
        super().__init__(str(self))

    def __str__(self) -> str:
        """One line: ``where: what. do``."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}. {self.do}" if self.do else head


class NothingToJudge(UserError):
    """There is no record, reference or data set to work on (exit code 4)."""

    exit_code = 4


def shown(value: Any) -> str:
    """A value as a message shows it: `repr`, cut where it is long or deep."""
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother, short.maxlong = 4, 100, 100, 40
    short.maxlist = short.maxdict = 10
    try:
        return short.repr(value)
    except ValueError:
        return "a number of very many digits"


class Stopped(BaseException):
    """Somebody wants this process to end; raised where what is computed can be computed again."""


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Instruction naming the closest option, or listing them all when none is close."""
    options = list(options)
    by_letters = {option.casefold(): option for option in options}
    near = difflib.get_close_matches(name.casefold(), by_letters, n=1, cutoff=0.5)
    if near:
        return f"Did you mean '{by_letters[near[0]]}'?"
    return "Choose one of: " + ", ".join(options) if options else ""
