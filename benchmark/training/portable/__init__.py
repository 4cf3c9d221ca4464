"""The numerics profile `portable`: training whose bits depend on IEEE 754 alone, not on the machine.

`with Portable(experiment): ...` takes every op below autograd from `tables`; `optimisers.adopt` gives a torch
optimiser an update rule of ours; `selftest.check` refuses a machine that does not compute as IEEE 754 says.
Anchor: RepDL (arXiv 2510.09180), which has fixed-order kernels and correctly rounded functions; here the sums
are made exact instead, with torch's own operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from benchmark.training.portable.mode import Portable
from benchmark.training.portable.optimisers import adopt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from baselines.spec import Players

__all__ = ["Portable", "adopt_players", "with_one_nan"]


def adopt_players(players: Players, experiment: str) -> None:
    """Give all optimisers the rules of this profile; raises as `optimisers.adopt` does."""
    for part in players.parts().values():
        if isinstance(part, torch.optim.Optimizer):
            adopt(part, experiment)


def with_one_nan(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The losses of an iteration with NaN of one bit pattern: processors make and pass on different ones."""
    return {name: torch.where(loss.isnan(), torch.nan, loss) for name, loss in losses.items()}
