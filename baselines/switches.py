"""Switches of torch that decide bits: whoever turns one, it is turned back."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _of(place: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    return partial(getattr, place, name), partial(setattr, place, name)


SWITCHES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch.set_grad_enabled": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch.set_default_dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.set_num_threads": (torch.get_num_threads, torch.set_num_threads),
    "torch.use_deterministic_algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "torch.autograd.set_detect_anomaly": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "torch.set_float32_matmul_precision": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "torch.backends.cudnn.benchmark": _of(torch.backends.cudnn, "benchmark"),
    "torch.backends.cudnn.allow_tf32": _of(torch.backends.cudnn, "allow_tf32"),
}
"""How each is read and put, by the name that it is turned by."""


@contextmanager
def kept(changed: list[str]) -> Iterator[None]:
    """They are as before afterwards; `changed` gets the names of those that were not."""
    before = {name: get() for name, (get, _) in SWITCHES.items()}
    try:
        yield
    finally:
        for name, (get, put) in SWITCHES.items():
            if get() != before[name]:
                changed.append(name)
                put(before[name])
