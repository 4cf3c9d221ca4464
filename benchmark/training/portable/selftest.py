"""Does this machine compute as IEEE 754 says? A few operations against digests that are written here.

Refused are a flush of subnormal numbers to zero, float64 that is emulated with fewer bits, and anything else
that gives other bits than the machines on which `EXPECTED` was computed. Takes a tenth of a second.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from benchmark.errors import UserError
from benchmark.training.portable import convolution, functions
from benchmark.training.portable.slicing import product

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED = {
    "a product": "61ed7c92dfb93b0a52b4cbbcf49ceea3a977fe73df3622346fcd2fddcd380beb",
    "a square root": "c008ef269e03a01a324f91d1c09f0ad2bc8c5517b698ab699ce5f1ea956a7c55",
    "a division": "58aaca144a633ee7eacdbc31dc5859c66fffe64c22d86d3b106675d9acfa56ed",
    "exp": "3d5a2a9a4e44eb612ef47952a9818cd6fd8cc1ad54de5903f2279dd82f7e065c",
    "a convolution": "c4f9ca4aa75268c31826794ec8f3924fa001260e7825d0c60e3e92192e082e44",
}
"""SHA-256 of the results of `cases`."""


def check(device: torch.device | str = "cpu") -> None:
    """Raise `UserError` where a result is not the expected one."""
    for name, digest in digests(device).items():
        if digest != EXPECTED[name]:
            raise _refusal(f"{name} does not give the bits of IEEE 754")
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1)).to(device)
    a, b = _numbers(1, 40, 300).to(device), _numbers(2, 300, 30).to(device)
    if not torch.equal(product(a, b), product(a[:, order], b[order])):
        raise _refusal("a product depends on the order of its terms, as emulated float64 does")
    for dtype, tiny in ((torch.float32, 2.0**-140), (torch.float64, 2.0**-1060)):
        if not (torch.full((16,), tiny, dtype=dtype, device=device) * 1.0).all():
            raise _refusal("subnormal numbers are flushed to zero")


def digests(device: torch.device | str = "cpu") -> dict[str, str]:
    """SHA-256 (hex) of every case's result, by name."""
    x = _numbers(3, 1000).to(device)
    cases: dict[str, Callable[[], Tensor]] = {
        "a product": lambda: product(_numbers(1, 40, 300).to(device), _numbers(2, 300, 30).to(device)),
        "a square root": lambda: functions.sqrt(x.abs()),
        "a division": lambda: x.double() / x.flip(0),
        "exp": lambda: functions.exp(x.double()),
        "a convolution": lambda: convolution.correlate(
            _numbers(4, 2, 3, 9, 9).to(device), _numbers(5, 4, 3, 5, 5).to(device), (2, 2), (2, 2), (1, 1)
        ),
    }
    return {
        name: hashlib.sha256(compute().cpu().contiguous().numpy().tobytes()).hexdigest()
        for name, compute in cases.items()
    }


def _numbers(key: int, *shape: int) -> Tensor:
    """Float32 in −8..8 whose exponents differ, from Philox's raw words, which are integers."""
    words = np.random.Philox(key=key).random_raw(int(np.prod(shape)))
    mantissa = (words >> np.uint64(40)).astype(np.int64) - (1 << 23)
    exponent = -20 - (words & np.uint64(7)).astype(np.int64)
    return torch.from_numpy(np.ldexp(mantissa.astype(np.float64), exponent).astype(np.float32)).reshape(shape)


def _refusal(what: str) -> UserError:
    return UserError(f"on this machine {what}", where="--numerics portable", do="Use --numerics faithful")
