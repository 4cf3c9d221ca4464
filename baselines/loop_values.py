"""Values of somebody's loop as a checkpoint keeps them, and back: exact, each of its own type.

Numbers, text, None, tensors, and lists, tuples and dicts of these are kept as they are. Arrays and scalars of
NumPy, deques, sets and the dicts of `collections` become a dict that names their kind.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import torch
from torch import Tensor

_KIND = "kind of value"
_DICTS: dict[str, Any] = {kind.__name__: kind for kind in (Counter, OrderedDict)}
_SETS: dict[str, Any] = {kind.__name__: kind for kind in (set, frozenset)}
_FACTORIES: dict[str, Any] = {kind.__name__: kind for kind in (int, float, str, list, dict, set)}


class UnkeptError(TypeError):
    """A value that a checkpoint cannot keep exactly."""


def coded(value: Any) -> Any:
    """What a checkpoint can hold of a value.

    Raises:
        UnkeptError: it, or something in it, is of another kind.

    """
    kind = type(value)
    if isinstance(value, np.generic | np.ndarray):
        return _coded_array(value)
    if value is None or isinstance(value, bool | int | float | str | Tensor):
        return value
    if kind is list or kind is tuple:
        return kind(map(coded, value))
    if kind is dict and _KIND not in value:
        return {_coded_key(key): coded(inner) for key, inner in value.items()}
    if kind is deque:
        return {_KIND: "deque", "items": list(map(coded, value)), "most": value.maxlen}
    if kind in _SETS.values():
        return {_KIND: kind.__name__, "items": list(map(_coded_key, value))}
    if kind in _DICTS.values():
        return {_KIND: kind.__name__, "items": coded(dict(value))}
    if kind is defaultdict and value.default_factory in _FACTORIES.values():
        items = coded(dict(value))
        return {_KIND: "defaultdict", "items": items, "factory": value.default_factory.__name__}
    raise UnkeptError(kind.__name__)


def decoded(value: Any, device: torch.device) -> Any:
    """The value that `coded` was given, in new containers; its tensors on the device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, list | tuple):
        return type(value)(decoded(inner, device) for inner in value)
    if not isinstance(value, dict):
        return value
    kind = value.get(_KIND)
    if kind is None:
        return {key: decoded(inner, device) for key, inner in value.items()}
    if kind == "array":
        return _decoded_array(value)
    items = decoded(value["items"], device)
    if kind == "deque":
        return deque(items, value["most"])
    if kind == "defaultdict":
        return defaultdict(_FACTORIES[value["factory"]], items)
    return {**_SETS, **_DICTS}[kind](items)


def written_into(here: Any, value: Any) -> bool:
    """Give a tensor, array or container the content of another, so that whoever holds it, too, sees it.

    False where that is not possible: `value` takes its place.
    """
    if isinstance(here, Tensor):
        same = isinstance(value, Tensor) and (here.shape, here.dtype) == (value.shape, value.dtype)
        if same:
            here.data.copy_(value)
        return same
    if type(here) is not type(value):
        return False
    if isinstance(here, np.ndarray):
        if (here.shape, here.dtype, here.strides) != (value.shape, value.dtype, value.strides):
            return False
        if here.flags.writeable:
            here[...] = value
        return here.flags.writeable
    if isinstance(here, list):
        here[:] = value
    elif isinstance(here, dict | set):
        here.clear()
        here.update(value)
    elif isinstance(here, deque) and here.maxlen == value.maxlen:
        here.clear()
        here.extend(value)
    else:
        return False
    return True


def moved(value: Any, device: torch.device) -> Any:
    """The value with its tensors on the device: itself, where none has to move."""
    if isinstance(value, torch.nn.Parameter):
        value.data = value.data.to(device)
    elif isinstance(value, Tensor):
        return value.to(device)
    elif isinstance(value, list | deque):
        for i, inner in enumerate(value):
            value[i] = moved(inner, device)
    elif isinstance(value, dict):
        for key, inner in value.items():
            value[key] = moved(inner, device)
    elif type(value) is tuple:
        return tuple(moved(inner, device) for inner in value)
    return value


def _coded_key(key: Any) -> Any:
    """A key of a dict or an item of a set: of values that are equal after they were kept."""
    if type(key) is tuple:
        return tuple(map(_coded_key, key))
    if key is None or type(key) in (bool, int, float, str):
        return key
    raise UnkeptError(type(key).__name__)


def _coded_array(value: Any) -> dict[str, Any]:
    """Its bytes, in the order that it has them in: sums depend on that."""
    array = np.asarray(value)
    if array.dtype.kind not in "biufc" or type(array) is not np.ndarray:
        raise UnkeptError(f"array of {array.dtype}")
    order: Any = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    content = torch.from_numpy(array.ravel(order=order).copy().view(np.uint8))
    about = {"type": array.dtype.str, "shape": list(array.shape), "order": order}
    return {_KIND: "array", **about, "scalar": isinstance(value, np.generic), "bytes": content}


def _decoded_array(value: dict[str, Any]) -> Any:
    flat = value["bytes"].cpu().numpy().copy().view(value["type"])
    array = flat.reshape(value["shape"], order=value["order"])
    return array[()] if value["scalar"] else array
