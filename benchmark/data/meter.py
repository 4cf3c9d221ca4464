"""Progress of a long step on stderr, with the time it still takes."""

from __future__ import annotations

import sys
import time

from benchmark import escape
from benchmark.records.quantities import duration


class Meter:
    """Says how far a step is: every half second on a terminal, every ten seconds in a log.

    Nothing is said about steps that end sooner. `total` may be None: then only the amount is told.
    """

    def __init__(self, what: str, unit: str = "MB", per_unit: int = 1_000_000) -> None:
        self._what, self._unit, self._per_unit = escape.terminal(what), unit, per_unit
        self._terminal = sys.stderr.isatty()
        self._every = 0.5 if self._terminal else 10.0
        self._began = self._told = time.monotonic()
        self._shown = False

    def __call__(self, done: int, total: int | None) -> None:
        """Tell that `done` of `total` are done, when it is time to."""
        now = time.monotonic()
        if now - self._told < self._every:
            return
        self._told, self._shown = now, True
        amount = f"{done / self._per_unit:,.0f}".replace(",", " ")
        text = f"{self._what}: {amount} {self._unit}"
        if total and done:
            left = (now - self._began) * (total - done) / done
            text += f" of {total / self._per_unit:,.0f}".replace(",", " ")
            text += f" ({100 * done // total} %), {duration(left)} left"
        sys.stderr.write(f"\r\033[K{text}" if self._terminal else f"{text}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Clear the terminal's line."""
        if self._shown and self._terminal:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
