"""The state of a run as tensors by name and JSON, and back: what a checkpoint keeps of `Players.parts`.

Tensors of networks have the names of their `state_dict`, those of optimisers ``<parameter>.<slot>``; other
parts may hold tensors, plain values, lists, tuples and dicts. What is no tensor, such as the learning rate
that a scheduler has come to, is JSON, in which a dict marks what JSON does not have.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from baselines.spec import Players

Tensors = dict[str, Tensor]
_GROUPS = "groups"


def packed(players: Players) -> tuple[Tensors, dict[str, Any]]:
    """Every tensor, contiguous on the CPU and of memory of its own, and the JSON of the rest.

    Raises:
        ValueError: something that no checkpoint can keep.

    """
    named: Tensors = {}
    plain: dict[str, Any] = {}
    for name, part_ in players.parts().items():
        state = part_.state_dict()
        if isinstance(part_, nn.Module):
            named |= {f"{name}.{key}": value for key, value in state.items() if isinstance(value, Tensor)}
        elif isinstance(part_, Optimizer):
            plain[name] = _pack(_without_tensors(state), name, named)
            for index, slots in state["state"].items():
                named |= {f"{name}.{index}.{slot}": x for slot, x in slots.items() if isinstance(x, Tensor)}
        else:
            plain[name] = _pack(state, name, named)
    return _apart(named), plain


def load_into(players: Players, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
    """Give every part what `packed` made of it.

    Raises:
        KeyError, RuntimeError, ValueError, AttributeError: it is of other parts.

    """
    for name, part_ in players.parts().items():
        if isinstance(part_, nn.Module):
            part_.load_state_dict(part(tensors, name))
        elif isinstance(part_, Optimizer):
            _load_optimiser(part_, name, part(tensors, name), plain.get(name))
        else:
            part_.load_state_dict(_unpack(plain[name], tensors))


def part(tensors: Mapping[str, Tensor], name: str) -> Tensors:
    """The tensors of one part (``generator``, ``critic_optimiser``, …) or ``losses``, by their own names."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _without_tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    """What an optimiser has beside its slots' tensors: options of the groups, and slots with plain values.

    An option may be a tensor, as a learning rate that a CUDA graph reads.
    """
    groups = [{key: x for key, x in group.items() if key != "params"} for group in state["param_groups"]]
    slots = {i: {slot: x for slot, x in own.items() if _is_plain(x)} for i, own in state["state"].items()}
    kept = [{k: x for k, x in group.items() if isinstance(x, Tensor) or _is_plain(x)} for group in groups]
    return {_GROUPS: kept, "state": {i: own for i, own in slots.items() if own}}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _load_optimiser(optimiser: Optimizer, name: str, tensors: Mapping[str, Tensor], plain: Any) -> None:
    slots: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, slot = key.split(".", 1)
        if index != _GROUPS:
            slots.setdefault(int(index), {})[slot] = tensor
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for i, own_slots in slots.items():
        for slot, tensor in own_slots.items():
            if tensor.shape == parameters[i].shape:  # in the parameter's own memory layout
                own_slots[slot] = torch.empty_like(parameters[i], device="cpu").copy_(tensor)
    groups = optimiser.state_dict()["param_groups"]
    if plain is not None:
        found = _unpack(plain, {f"{name}.{key}": tensor for key, tensor in tensors.items()})
        groups = [_with_options(group, then) for group, then in zip(groups, found[_GROUPS], strict=True)]
        for i, own in found["state"].items():
            slots.setdefault(i, {}).update(own)
    optimiser.load_state_dict({"state": slots, "param_groups": groups})


def _with_options(group: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """The group with the options of a checkpoint; tensors go where its own are."""
    there = {k: x.device for k, x in group.items() if isinstance(x, Tensor)}
    return {
        **group,
        **{k: x.to(there[k]) if isinstance(x, Tensor) and k in there else x for k, x in then.items()},
    }


def _apart(named: Tensors) -> Tensors:
    """On the CPU, with memory of their own: a file of safetensors has nothing twice."""
    found: Tensors = {}
    seen: set[int] = set()
    for name, tensor in named.items():
        found[name] = tensor.detach().cpu().contiguous()
        address = found[name].untyped_storage().data_ptr()
        if address in seen:
            found[name] = found[name].clone()
        seen.add(address)
    return found


def _pack(value: Any, name: str, named: Tensors) -> Any:
    """JSON of a value; its tensors join `named`."""
    if isinstance(value, Tensor):
        named[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        pairs = value.items()
        return {"dict": [[_pack(key, name, named), _pack(x, f"{name}.{key}", named)] for key, x in pairs]}
    if isinstance(value, list | tuple):
        packed_ = [_pack(x, f"{name}.{i}", named) for i, x in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": packed_}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{name} is a {type(value).__name__}, which no checkpoint can keep")


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {_unpack(key, tensors): _unpack(x, tensors) for key, x in content}
    if kind == "float":
        return float(content)
    unpacked = [_unpack(x, tensors) for x in content]
    return tuple(unpacked) if kind == "tuple" else unpacked
