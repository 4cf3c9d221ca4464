"""Weights of strangers: the state dictionary of one network, found in a file whatever is around it.

Files of `torch.save` hold what their authors liked: the dictionary alone, under a name (``G``, ``ema``,
``state_dict``), several of them, with a prefix before every name (``module.``). All of it is looked through,
and what fits a network exactly is taken. Only tensors are read: nothing is unpickled as code.
"""

from __future__ import annotations

import pickle
import warnings
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from benchmark.errors import UserError
from benchmark.records import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_DEEPEST = 4
_MOST_BYTES = 1 << 36
"""As of a checkpoint."""
_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """A state dictionary in a file.

    Attributes:
        key: where: the names of the dictionaries around it and the prefix of its names, joined by dots;
            empty for all that is in the file.
        tensors: by the names that the network has for them.

    """

    key: str
    tensors: dict[str, Tensor]


def read(file: Path) -> Any:
    """All tensors of a safetensors file, or what a file of `torch.save` holds, on the CPU.

    Raises:
        UserError: the file is damaged, or holds more than tensors, numbers, text and containers of these.

    """
    where = str(file)
    try:
        bounded.check_regular(file, _MOST_BYTES)
        with file.open("rb") as opened:
            start = opened.read(9)
    except (OSError, bounded.Unreadable) as error:
        raise UserError(f"the weights cannot be read ({error})", where=where) from error
    if start[8:] == b"{":
        try:
            with safe_open(file, framework="pt") as tensors:
                return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise UserError(f"the weights cannot be read ({error})", where=where) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they are about is an error that follows, or nothing
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = "holds more than tensors, and nothing else is read" if "GLOBAL" in str(error) else "is damaged"
        do = "Save the state dictionary alone: torch.save(generator.state_dict(), FILE)"
        raise UserError(what, where=where, do=do) from error
    except Exception as error:  # the unpickler raises nearly anything on damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"the weights cannot be read ({reason})", where=where) from error


def fitting(content: Any, own: Mapping[str, Tensor], key: str | None, where: str, whose: str) -> Found:
    """The one state dictionary in a file that fits a network.

    Args:
        content: what `read` gave.
        own: the network's tensors, by name.
        key: which to take, where several fit.
        where: what messages call the file.
        whose: what messages call the network.

    Raises:
        UserError: none fits, or several do.

    """
    everything = list(_dictionaries(content))
    found = [one for path, tensors in everything for one in _parts(path, tensors, own)]
    chosen = found if key is None else [one for one in found if one.key == key]
    if len(chosen) == 1:
        return chosen[0]
    if found:
        keys = ", ".join(one.key or "''" for one in found)
        what = (
            f"{len(found)} state dictionaries fit: {keys}" if key is None else f"'{key}' does not fit {whose}"
        )
        raise UserError(what, where=where, do=f"Name one of them with --key: {keys}")
    raise UserError(f"not weights of {whose}: {_difference(everything, own)}", where=where)


def _dictionaries(
    content: Any, path: str = "", depth: int = 0, seen: set[int] | None = None
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The tensors by name of every dictionary in a file that has some, with the names around it.

    Each counts once: one that holds itself, or thousands of times another, has no end.
    """
    seen = set() if seen is None else seen
    if not isinstance(content, dict) or depth > _DEEPEST or id(content) in seen:
        return
    seen.add(id(content))
    named = {name: value for name, value in content.items() if isinstance(name, str)}
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    if tensors:
        yield path, tensors
    for name, value in named.items():
        yield from _dictionaries(value, f"{path}.{name}" if path else name, depth + 1, seen)


def _parts(path: str, tensors: dict[str, Tensor], own: Mapping[str, Tensor]) -> Iterator[Found]:
    """The tensors with a common prefix that are the network's, name by name and shape by shape."""
    first, names = next(iter(own)), sorted(tensors)
    for name in tensors:
        prefix = name.removesuffix(first)
        if not name.endswith(first) or (prefix and not prefix.endswith(".")):
            continue
        begin = bisect_left(names, prefix)  # names that begin alike follow each other
        beyond = names[begin + len(own) : begin + len(own) + 1]
        if any(n.startswith(prefix) for n in beyond) or any(prefix + n not in tensors for n in own):
            continue
        part = {n: tensors[prefix + n] for n in own}
        if not any(_mismatch(part[n], tensor) for n, tensor in own.items()):
            yield Found(".".join(text for text in (path, prefix.rstrip(".")) if text), part)


def _mismatch(theirs: Tensor, own: Tensor) -> str:
    """Why a tensor cannot take the place of another one; empty if it can."""
    if theirs.shape != own.shape:
        return f"{list(theirs.shape)}, not {list(own.shape)}"
    if theirs.is_meta:
        return "without values (of torch's device meta)"
    plain = theirs.layout == torch.strided and not theirs.is_quantized
    if not plain or theirs.is_floating_point() != own.is_floating_point() or theirs.is_complex():
        return f"{theirs.dtype} {theirs.layout}, not {own.dtype}"
    return ""


def _difference(everything: list[tuple[str, dict[str, Tensor]]], own: Mapping[str, Tensor]) -> str:
    """What is wrong with the dictionary that comes closest."""
    if not everything:
        return "it holds no tensors by name"

    def common(tensors: dict[str, Tensor]) -> int:
        return sum(any(name.endswith(wanted) for wanted in own) for name in tensors)

    path, tensors = max(everything, key=lambda one: common(one[1]))
    missing = [name for name in own if name not in tensors]
    other = [name for name in tensors if name not in own]
    wrong = [
        f"{name} is {why}"
        for name, tensor in own.items()
        if name in tensors and (why := _mismatch(tensors[name], tensor))
    ]
    kinds = [("missing", missing), ("unexpected", other), ("of another kind", wrong)]
    parts = [
        f"{len(names)} {kind} ({', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''})"
        for kind, names in kinds
        if names
    ]
    return (f"in '{path}', " if path else "") + "; ".join(parts)
