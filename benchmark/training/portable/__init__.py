"""The numerics profile `portable`: training whose bits depend on IEEE 754 alone, not on the machine.

`with Portable(experiment): ...` takes every op below autograd from `tables`; `optimisers.adopt` gives a torch
optimiser an update rule of ours; `selftest.check` refuses a machine that does not compute as IEEE 754 says.
Anchor: RepDL (arXiv 2510.09180), which has fixed-order kernels and correctly rounded functions; here the sums
are made exact instead, with torch's own operations.
"""

from __future__ import annotations

from benchmark.training.portable.mode import Portable

__all__ = ["Portable"]
