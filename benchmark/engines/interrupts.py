"""Signals that ask a command to stop, as a KeyboardInterrupt."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Interrupts:
    """Handler that makes KeyboardInterrupt of signals, but for moments that must not be cut in two."""

    def __init__(self) -> None:
        self._held = self._came = self.terminated = False

    def __call__(self, number: int = signal.SIGINT, *_: object) -> None:
        """Take a signal; a second one does not wait."""
        second, self._came, self.terminated = self._came, True, number == signal.SIGTERM
        if second or not self._held:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is done here is done; a signal that comes meanwhile counts afterwards."""
        self._held, self._came = True, False
        try:
            yield
        finally:
            self._held = False
        if self._came:
            raise KeyboardInterrupt


@contextmanager
def terminable() -> Iterator[Interrupts]:
    """SIGTERM is like Ctrl-C here: a KeyboardInterrupt. An ignored Ctrl-C stays ignored."""
    handler = Interrupts()
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    numbers = (signal.SIGTERM,) if ignored else (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield handler
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
        around = before[signal.SIGTERM]
        if isinstance(around, Interrupts):
            around.terminated |= handler.terminated
