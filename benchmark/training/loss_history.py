"""The losses of every G-iteration of a run, kept without making the device wait inside an iteration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from baselines.spec import Losses

Row = dict[str, float | None]
"""The losses of one G-iteration; None where one is not finite (JSON has no NaN)."""


class LossHistory:
    """Losses of a run: those since the last `collect` on their device, those before in one table on the CPU.

    The table has its final size from the start, so that keeping a row costs the same at any iteration.

    Args:
        most: most G-iterations the run can have.
        columns: what `columns` gave when the run was left, by name of the loss.

    """

    def __init__(self, most: int, columns: Mapping[str, Tensor]) -> None:
        self._most = most
        self._pending: list[Tensor] = []
        self._names: tuple[str, ...] = ()
        self._table = {name: self._with_room(column) for name, column in columns.items()}
        self._kept = max(map(len, columns.values()), default=0)

    def __len__(self) -> int:
        """How many G-iterations are in the table."""
        return self._kept

    def append(self, losses: Losses) -> None:
        """Note the losses of the next G-iteration, scalars on one device; waits for nothing.

        Raises:
            ValueError: they are not those of the G-iteration before.

        """
        self._names = self._names or tuple(losses)
        if tuple(losses) != self._names or (self._table and self._table.keys() != losses.keys()):
            raise ValueError(f"losses {', '.join(losses)} after {', '.join(self._names or self._table)}")
        self._pending.append(torch.stack([value.reshape(()) for value in losses.values()]).float())

    def collect(self) -> None:
        """Wait for the device and keep the rows since the last time, up to the first that is not finite."""
        if not self._pending:
            return
        values = torch.stack(self._pending).cpu()
        self._pending.clear()
        bad = (~values.isfinite()).any(1).nonzero()
        values = values[: int(bad[0]) + 1] if len(bad) else values
        if not self._table:
            self._table = {name: self._with_room(values[:0, 0]) for name in self._names}
        for name, column in zip(self._names, values.unbind(1), strict=True):
            self._table[name][self._kept : self._kept + len(values)] = column
        self._kept += len(values)

    def rows(self, start: int, stop: int) -> list[Row]:
        """The losses of G-iterations `start` to `stop` − 1, as far as they are in the table."""
        return rows({name: column[: self._kept] for name, column in self._table.items()}, start, stop)

    def columns(self) -> dict[str, Tensor]:
        """All rows so far: float32 [K] on the CPU per loss; without any rows, no columns."""
        return {name: column[: self._kept].clone() for name, column in self._table.items()}

    def _with_room(self, column: Tensor) -> Tensor:
        room = torch.empty(self._most, dtype=torch.float32)
        room[: len(column)] = column
        return room


def rows(columns: Mapping[str, Tensor], start: int, stop: int) -> list[Row]:
    """Rows `start` to `stop` − 1 of columns as `LossHistory.columns` gives them."""
    chosen = zip(*(column[start:stop].tolist() for column in columns.values()), strict=True)
    return [
        {name: x if math.isfinite(x) else None for name, x in zip(columns, row, strict=True)}
        for row in chosen
    ]
