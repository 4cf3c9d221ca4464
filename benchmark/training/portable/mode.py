"""The mode that sees every op below autograd, forward and backward, and takes it from the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.errors import UserError
from benchmark.training.portable.elementwise import Unsupported
from benchmark.training.portable.slicing import BoundExceeded
from benchmark.training.portable.tables import EXACT, FOREACH, IN_PLACE, REPLACED, ROUNDED

if TYPE_CHECKING:
    from collections.abc import Callable


class Portable(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside `with Portable(name): ...` results depend on IEEE 754 alone, whatever the machine.

    Args:
        experiment: named where an op is refused.

    Raises:
        UserError: inside, at an op without a portable rule.

    """

    def __init__(self, experiment: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._experiment = experiment
        self._rules: dict[Any, Callable[..., Any]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: nothing is compiled, and the wrapper for that would cost time at every op."""
        return False

    def __enter__(self) -> Portable:
        """Without cuDNN, whose batch norm would be an op of its own."""
        self._cudnn = torch.backends.cudnn.enabled
        torch.backends.cudnn.enabled = False
        return super().__enter__()  # type: ignore[no-untyped-call, no-any-return]

    def __exit__(self, *raised: object) -> None:
        """Leave the mode."""
        torch.backends.cudnn.enabled = self._cudnn
        super().__exit__(*raised)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute one op; inside, ops are torch's own again."""
        rule = self._rules.get(func)
        if rule is None:
            rule = self._rules[func] = self._rule(func)
        try:
            return rule(*args, **kwargs) if kwargs else rule(*args)
        except (Unsupported, BoundExceeded, TypeError) as error:
            raise self._refusal(str(func), f" ({error})") from error

    def _rule(self, func: Any) -> Callable[..., Any]:
        namespace, name = func._schema.name.split("::")
        if namespace in ("aten", "profiler"):
            if name in EXACT or name in ROUNDED:
                return func  # type: ignore[no-any-return]
            if name in REPLACED:
                return REPLACED[name]
            if name in IN_PLACE:
                return _in_place(REPLACED[name[:-1]])
            single = name.removeprefix("_foreach_")
            if single != name and single.rstrip("_") in FOREACH:
                return _foreach(single)
        raise self._refusal(str(func))

    def _refusal(self, op: str, reason: str = "") -> UserError:
        return UserError(
            f"the op {op} has no portable rule{reason}",
            where=f"experiment '{self._experiment}'",
            do="Use --numerics faithful",
        )


def _in_place(rule: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *args, **kwargs: x.copy_(rule(x, *args, **kwargs))


def _foreach(name: str) -> Callable[..., Any]:
    plain = name.rstrip("_")
    rule = REPLACED.get(plain) or getattr(torch, plain)

    def every(tensors: list[Any], *args: Any, **kwargs: Any) -> list[Any] | None:
        found = []
        for i, x in enumerate(tensors):
            own = [a[i] if isinstance(a, list | tuple) else a for a in args]
            y = rule(x, *own, **kwargs)
            found.append(x.copy_(y) if plain != name else y)
        return None if plain != name else found

    return every
