"""Where runs are executed. Every engine hands a run directory to a process of `benchmark.engines.worker`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from benchmark.engines.base import Engine, Wish

NAMES = ("local", "ray")


def opened(name: str, wish: Wish) -> AbstractContextManager[Engine]:
    """The engine of that name, until the context ends; see `base.Engine`."""
    engine: AbstractContextManager[Engine] = import_module(f"benchmark.engines.{name}").opened(wish)
    return engine
