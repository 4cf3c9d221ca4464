"""A value as something that can be compared later."""

from __future__ import annotations

from collections import deque
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from torch import Tensor

from benchmark.training import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

_MOST = 10_000
"""Items of a container that are looked at."""
_DEEPEST = 6


class Snapshot:
    """A value as something that can be compared later; only the type of what has no such form.

    Objects of classes that are `own` are looked into. Those whose `id` is in `without` are not looked at.
    """

    def __init__(self, own: Callable[[type], bool], without: Collection[int] = ()) -> None:
        self._own, self._without = own, without

    def __call__(self, value: Any, depth: int = 0) -> Any:
        """Equal for values that are equal."""
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            return repr(value)
        if id(value) in self._without:
            return ""
        if isinstance(value, MethodType):
            return self(value.__self__, depth + 1)
        if isinstance(value, Tensor):
            return (
                checkpoint.digest({"": value.detach()}) if value.device.type == "cpu" else list(value.shape)
            )
        kind = type(value)
        if depth < _DEEPEST and not isinstance(value, type | ModuleType | FunctionType):
            if isinstance(value, dict):
                return [(self(k, depth + 1), self(v, depth + 1)) for k, v in _first(value.items())]
            if isinstance(value, list | tuple | set | frozenset | deque):
                return [len(value), *(self(x, depth + 1) for x in _first(value))]
            if (content := self._content(value)) is not None:
                return kind.__qualname__, self(content, depth + 1)
        return kind.__qualname__, repr(value) if kind.__module__ == "itertools" else ""

    def _content(self, value: Any) -> Any:
        """What an object holds: a network, optimiser, scheduler, generator, array; one of its own classes."""
        if hasattr(value, "bit_generator"):
            return value.bit_generator.state
        for name in ("state_dict", "getstate", "get_state", "tobytes"):
            if callable(of := getattr(value, name, None)):
                return of()
        return vars(value) if self._own(type(value)) and hasattr(value, "__dict__") else None


def _first(items: Iterable[Any]) -> list[Any]:
    return [x for x, _ in zip(items, range(_MOST), strict=False)]
