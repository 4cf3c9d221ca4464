"""Times work in turns with products that this machine computes fast, so that a busy machine shows little.

A share of the roof is the time that the work's convolutions and matrix products would take at the roof's
rate, divided by the time the work takes. Both are measured within the same second, on a CPU in the time of
the process, which stands still while others have the core. Small minibatches wait for memory, so that even
perfect code has a small share.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[], object]

_FEWEST, _MOST = 4, 40
"""Rounds."""
_BLOCK_S = 0.15
"""Of work in a round, at least."""
_WIDTH = {"cpu": (64, 1024), "cuda": (1024, 8192)}
"""Images of the roof's convolution, and rows of its matrices: enough to fill the device."""


class Roof:
    """The products that a device computes fastest, float32: a 3×3 convolution and a square matrix product.

    The convolution has 64 channels on either side and images of 32 × 32 pixels, in the memory format that
    networks have on the device.

    Args:
        device: where.

    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        images, rows = _WIDTH[device.type]
        layout = torch.channels_last if device.type == "cpu" else torch.contiguous_format
        x = torch.ones(images, 64, 32, 32, device=device).to(memory_format=layout)
        weight = torch.ones(64, 64, 3, 3, device=device).to(memory_format=layout)
        matrix = torch.ones(rows, rows, device=device)
        self._steps: dict[str, Step] = {
            "convolution": lambda: F.conv2d(x, weight, padding=1),
            "matmul": lambda: matrix @ matrix,
        }
        with torch.no_grad():
            self._flop = {kind: sum(flop(step).values()) for kind, step in self._steps.items()}
            for kind in self._steps:
                self.rate(kind)

    def rate(self, kind: str) -> float:
        """FLOP/s of one execution of that kind, now."""
        with torch.no_grad():
            return self._flop[kind] / timed(self._steps[kind], self.device, 1)


class _Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations that torch has a formula for; double backward passes included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flop = {"convolution": 0, "matmul": 0}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute one operation."""
        out = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func._overloadpacket):
            kind = "convolution" if "convolution" in str(func) else "matmul"
            self.flop[kind] += formula(*args, **(kwargs or {}), out_val=out)
        return out


def flop(step: Step) -> dict[str, int]:
    """Floating-point operations of one execution, by kind: a multiplication with its addition counts two."""
    with _Counted() as counted:
        step()
    found: dict[str, int] = counted.flop
    return found


def timed(step: Step, device: torch.device, n: int) -> float:
    """Seconds per execution of n in a row: of the process on a CPU, of the clock on a GPU."""
    begin = _now(device)
    for _ in range(n):
        step()
    return (_now(device) - begin) / n


def _now(device: torch.device) -> float:
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def measured(step: Step, roof: Roof, seconds: float, made: int = 1) -> dict[str, Any]:
    """How often a second, and at what share of the roof; each as lower quartile, median, upper quartile.

    Args:
        step: the work.
        roof: of the device it is done on.
        seconds: of work at least, within the fewest and the most rounds.
        made: what one execution makes, e.g. images.

    """
    step()
    counted = flop(step)
    n = max(1, math.ceil(_BLOCK_S / max(timed(step, roof.device, 1), 1e-6)))
    rates, shares, worked = list[float](), list[float](), 0.0
    kinds = [kind for kind, count in counted.items() if count]
    for done in itertools.count(1):
        around = {kind: [roof.rate(kind)] for kind in kinds}
        each = timed(step, roof.device, n)
        for kind in kinds:
            around[kind].append(roof.rate(kind))
        ideal = sum(counted[kind] / statistics.fmean(around[kind]) for kind in kinds)
        rates.append(made / each)
        shares.append(ideal / each)
        worked += n * each
        if done >= _MOST or (done >= _FEWEST and worked >= seconds):
            break
    return {
        "per_s": _quartiles(rates),
        "share_of_roof": _quartiles(shares),
        "gflop": {kind: count / 1e9 / made for kind, count in counted.items()},
        "rounds": len(rates),
    }


def _quartiles(values: list[float]) -> list[float]:
    return [float(f"{x:.4g}") for x in statistics.quantiles(values, n=4, method="inclusive")]
