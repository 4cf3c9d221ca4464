"""How a worker is told to stop, and how what takes minutes does so soon."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from benchmark.engines import parent
from benchmark.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmark.evaluation.protocol import Protocol
    from benchmark.training.quantise import Generated
    from benchmark.training.trainer import Evaluator, Scores


class Stop:
    """Whether the run should stop: a signal came, or the parent process is gone.

    While `at_once`, a signal raises `Stopped` wherever the program is.
    """

    def __init__(self, started_by: int | None) -> None:
        self.at_once = True
        self._asked, self._parent = False, started_by
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self._asked = True
        if self.at_once:
            self.at_once = False
            raise Stopped

    def asked(self) -> bool:
        """Whether it should."""
        self._asked = self._asked or parent.is_gone(self._parent)
        return self._asked


class Stoppable:
    """An evaluator that ends by `Stopped` when the run should stop: an evaluation may take minutes."""

    def __init__(self, evaluator: Evaluator, stop: Stop, protocols: Sequence[Protocol] = ()) -> None:
        self._evaluator, self._stop, self._protocols = evaluator, stop, protocols

    @property
    def n_generated(self) -> int:
        """Images that one evaluation takes."""
        return self._evaluator.n_generated

    def scores_of(self, batches: Iterable[Generated]) -> Scores:
        """The evaluator's scores.

        Raises:
            Stopped: the run should stop.

        """
        from benchmark.evaluation.source import gathered

        self._stop.at_once = True
        try:
            return self._evaluator.scores_of(gathered(self._watched(batches), self._protocols))
        finally:
            self._stop.at_once = False

    def _watched(self, batches: Iterable[Generated]) -> Iterator[Generated]:
        for batch in batches:
            if self._stop.asked():
                raise Stopped
            yield batch
