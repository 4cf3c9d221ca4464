"""What a loop of `from_steps` holds: parts with a state of their own, and attributes for checkpoints."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.loop_values import UnkeptError, coded, decoded, moved, written_into

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS, _SAME = "flags of networks", "names of one object"
"""No attribute can have these names."""
_SHARED = (Tensor, np.ndarray, list, dict, set, deque)
"""What is changed in place, so that it matters whether two names are of one object."""
_FIRST = 100
"""Items of a container that are looked at after every step; a history of losses may be long."""


class LoopState:
    """What a loop holds that is no network, optimiser or scheduler; and which of its networks' weights train.

    Attributes:
        parts: networks, optimisers and schedulers by name, as they were when the loop was made.

    """

    def __init__(self, loop: Any) -> None:
        self.loop, self.parts = loop, held(loop)
        self._made_with = _plain(loop)

    def state_dict(self) -> dict[str, Any]:
        """By name; of every network, which weights have gradients and which modules are in training mode."""
        kept, first, same = self._kept(), dict[int, str](), dict[str, str]()
        for name in tuple(kept):
            value = getattr(self.loop, name)
            if isinstance(value, _SHARED) and first.setdefault(id(value), name) != name:
                same[name] = first[id(value)]
                del kept[name]
        return {**kept, _SAME: same, _FLAGS: {name: _flags(part) for name, part in self._networks()}}

    def load_state_dict(self, state_dict: dict[str, Any], /) -> None:
        """What others may hold, too, is written in place."""
        attributes = dict(state_dict)
        flags, same = attributes.pop(_FLAGS, {}), attributes.pop(_SAME, {})
        device = next((p.device for _, network in self._networks() for p in network.parameters()), None)
        written: set[int] = set()
        for name, value in attributes.items():
            then, here = decoded(value, device or torch.device("cpu")), getattr(self.loop, name, None)
            # Two names of one object may have come to differ.
            if id(here) in written or not written_into(here, then):
                setattr(self.loop, name, _as_it_was(here, then))
            written.add(id(here))
        for name, other in same.items():
            setattr(self.loop, name, getattr(self.loop, other))
        for name, network in self._networks():
            if name in flags:
                _put_flags(network, *flags[name])

    def to(self, device: torch.device) -> None:
        """Move the tensors."""
        for name in self._kept():
            value = getattr(self.loop, name)
            if (there := moved(value, device)) is not value:
                setattr(self.loop, name, there)

    def check(self, step: str) -> None:
        """No part was replaced in a step, or made in it: checkpoints and scores would be of the old one.

        Raises:
            ValueError: one was.

        """
        for name, part in held(self.loop, _FIRST).items():
            if self.parts.get(name) is part:
                continue
            if name in self.parts:
                done, do = "replaced by another object", "copy into it with load_state_dict()"
            else:
                done, do = "made", "make it where the loop is made, or keep it in a local variable"
            raise ValueError(
                f"self.{name} was {done} in {step}, which is in no checkpoint and is not scored: {do}"
            )

    def constants(self) -> set[str]:
        """Numbers and texts that are as they were when the loop was made, such as the time at which."""
        return {name for name, x in _plain(self.loop).items() if self._made_with.get(name) == x}

    def unkept(self) -> dict[str, Any]:
        """Attributes that no checkpoint has."""
        kept, own = self._kept(), {id(part) for part in self.parts.values()}
        return {name: x for name, x in vars_of(self.loop).items() if name not in kept and id(x) not in own}

    def in_checkpoints(self) -> Iterator[Any]:
        """Every object that a checkpoint has, and those that it is made of."""
        yield self.loop
        for part in self.parts.values():
            yield part
            if isinstance(part, nn.Module):
                yield from (*part.modules(), *part.parameters(), *part.buffers())
        values = vars_of(self.loop)
        yield from (values[name] for name in self._kept())

    def _kept(self) -> dict[str, Any]:
        """Attributes as a checkpoint keeps them; also those that a step has made."""
        found = {}
        for name, value in vars_of(self.loop).items():
            if name not in self.parts:
                with suppress(UnkeptError):
                    found[name] = coded(value)
        return found

    def _networks(self) -> Iterator[tuple[str, nn.Module]]:
        return ((name, part) for name, part in self.parts.items() if isinstance(part, nn.Module))


def _plain(loop: Any) -> dict[str, Any]:
    return {name: x for name, x in vars_of(loop).items() if isinstance(x, int | float | str)}


def vars_of(loop: Any) -> dict[str, Any]:
    """Attributes by name, also of a loop that is an `nn.Module`."""
    found = dict(vars(loop))
    if isinstance(loop, nn.Module):
        for group in ("_modules", "_buffers", "_parameters"):
            found |= vars(loop)[group]
        for name in vars(nn.Module()):
            found.pop(name, None)
    return found


def held(loop: Any, most: int | None = None) -> dict[str, Any]:
    """What has a state of its own by name, also in lists, tuples and dicts: in their first `most` items."""
    found: dict[str, Any] = {}
    for name, value in vars_of(loop).items():
        if is_stateful(value):
            found[name] = value
        elif isinstance(value, list | tuple | dict):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            found |= {f"{name}-{key}": part for key, part in islice(items, most) if is_stateful(part)}
    return found


def is_stateful(value: Any) -> bool:
    """Whether a checkpoint can ask for its state."""
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict") and not isinstance(value, type)


def _as_it_was(here: Any, then: Any) -> Any:
    """An own kind of number or text, such as an enumeration's, which is kept as a plain one."""
    own = type(here) not in (bool, int, float, str) and isinstance(here, int | float | str)
    return type(here)(then) if own and type(then) in (int, float, str) else then


def _flags(network: nn.Module) -> list[str]:
    trains = "".join("01"[p.requires_grad] for p in network.parameters())
    return [trains, "".join("01"[module.training] for module in network.modules())]


def _put_flags(network: nn.Module, trains: str, training: str) -> None:
    for parameter, flag in zip(network.parameters(), trains, strict=True):
        parameter.requires_grad_(flag == "1")
    for module, flag in zip(network.modules(), training, strict=True):
        module.training = flag == "1"
