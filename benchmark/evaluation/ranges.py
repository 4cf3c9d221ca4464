"""Whether a generator's outputs lie in the range that is said to be black to white."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmark.training.quantise import Generated

MOST_CLIPPED = 0.01
"""Share of the values that may lie outside the range, by more than half a grey level, without a word."""
_USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


class Watch:
    """Looks at batches that pass, and tells at their end if their range seems to be another.

    Args:
        where: what messages call the images.
        note: gets the line.
        strict: refuse at the first batch instead.

    """

    def __init__(self, where: str, note: Callable[[str], None], *, strict: bool) -> None:
        self._where, self._note, self._strict = where, note, strict
        self._lowest, self._highest = float("inf"), float("-inf")
        self._n_outside, self._n = 0, 0
        self._range = (0.0, 1.0)

    def through(self, batches: Iterable[Generated]) -> Iterator[Generated]:
        """The batches; images from files have no outputs and are not looked at.

        Raises:
            UserError: at the first one, if strict.

        """
        for batch in batches:
            self._look(batch)
            if self._strict and (problem := self._problem()):
                do = "Say what is black and white with --range LOW HIGH"
                raise UserError(f"{problem}; nobody said that it is", where=self._where, do=do)
            yield batch
        if problem := self._problem():
            self._note(f"{self._where}: {problem}")

    def _look(self, batch: Generated) -> None:
        if batch.outputs is None:
            return
        self._range = low, high = batch.image_range
        half = (high - low) / 510
        outputs = batch.outputs
        self._lowest = min(self._lowest, float(outputs.min()))
        self._highest = max(self._highest, float(outputs.max()))
        self._n_outside += int(((outputs < low - half) | (outputs > high + half)).sum())
        self._n += outputs.numel()

    def _problem(self) -> str:
        """What is odd about the values so far; empty if nothing is."""
        if not self._n:
            return ""
        (low, high), lowest, highest = self._range, self._lowest, self._highest
        usual = [
            (a, b)
            for a, b in _USUAL
            if (a, b) != (low, high) and a - (b - a) / 510 <= lowest and highest <= b + (b - a) / 510
        ]
        narrower = [(a, b) for a, b in usual if (b - a) * 4 < high - low]
        share = self._n_outside / self._n
        if share <= MOST_CLIPPED and not low < 0 <= lowest and not narrower:
            return ""
        found = f"outputs lie in {lowest:.4g}..{highest:.4g}, the range is {low:g}..{high:g}"
        if share > MOST_CLIPPED:
            found += f", and {100 * share:.0f} % of them are clipped"
        meant = (narrower or usual)[:1]
        return found + "".join(f"; is --range {a:g} {b:g} meant?" for a, b in meant)
