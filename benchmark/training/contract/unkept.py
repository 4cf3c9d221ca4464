"""What players and loops have that is in no checkpoint: other objects, and variables of their functions."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import sysconfig
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from torch import nn

from baselines.loop_state import LoopState
from benchmark.training.contract.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from baselines.spec import Experiment, Players

_INSTALLED = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_VARIABLE = "the variable "
_RANDOM = ("(Generator)", "(RandomState)", "(Random)")
DO = "keep it in a buffer that is persistent, or in Players.more"
_OF_EVERY_MODULE = {*vars(nn.Module()), "_is_full_backward_hook"}


def values(experiment: Experiment[Any], players: Players) -> Iterator[tuple[str, Any]]:
    """By name, in a form to compare; objects of the author's own classes are looked into."""
    root = getattr(experiment.iterate, "__module__", "").partition(".")[0]
    for state in players.more.values():
        if not isinstance(state, LoopState):
            continue
        # A small number is one object for all that have it.
        kept = [x for x in state.in_checkpoints() if not isinstance(x, int | float | str | tuple | None)]
        snapshot = Snapshot(functools.partial(_is_own, root), {id(x) for x in kept})
        others = state.unkept()
        for name, value in others.items():
            yield f"self.{name} ({type(value).__name__})", snapshot(value)
        steps = [getattr(state.loop, step, None) for step in ("d_step", "g_step", "train")]
        seen: set[int] = set()
        for code in (*steps, *others.values()):
            for name, value in _closed_over(code, seen):
                yield name, snapshot(value)


def of_modules(players: Players) -> Iterator[tuple[str, Any]]:
    """Attributes, hooks and buffers of networks that their `state_dict` does not have."""
    parts = players.parts().values()
    networks = [part for part in parts if isinstance(part, nn.Module)]
    kept = {id(x) for n in networks for x in (*n.modules(), *n.state_dict(keep_vars=True).values())}
    snapshot = Snapshot(functools.partial(_is_own, ""), kept | set(map(id, parts)))
    seen: set[int] = set()
    for name, part in players.parts().items():
        for path, module in part.named_modules() if isinstance(part, nn.Module) else ():
            where = ".".join(filter(None, (name, path)))
            found = {key: x for key, x in vars(module).items() if key not in _OF_EVERY_MODULE}
            found |= {key: getattr(module, key) for key in module._non_persistent_buffers_set}
            for key, value in found.items():
                yield f"{where}.{key}", snapshot(value)
            for hooks in (module._forward_pre_hooks, module._forward_hooks, module._backward_hooks):
                for hook in hooks.values():
                    for key, value in _closed_over(hook, seen):
                        yield f"{key} (a hook of {where})", snapshot(value)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Names that both have with another value."""
    return {name for name in after if name in before and after[name] != before[name]}


def said(name: str) -> str:
    """What to do about something that goes on changing."""
    do = "keep it in an attribute of the loop"
    if not name.startswith("self.") and (not name.startswith(_VARIABLE) or " (a hook of " in name):
        do = DO
    elif name.endswith(_RANDOM):
        do = "draw from the global generators, which are seeded for each G-iteration"
    elif not name.startswith(_VARIABLE):
        do = "give its class state_dict and load_state_dict, or keep what changes in attributes of the loop"
    return f"{name} goes on changing, and is in no checkpoint: {do}"


def _is_own(root: str, kind: type) -> bool:
    """Whether a class is of the package of the loop, or at least of no package that is installed."""
    module = kind.__module__
    if kind is SimpleNamespace or module.partition(".")[0] == root:
        return True
    file: str | None = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and not any(Path(file).is_relative_to(folder) for folder in _INSTALLED)


def _closed_over(code: Any, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Variables of a function that are of the one around it, and theirs where they are functions."""
    code = inspect.unwrap(getattr(code, "__func__", code)) if callable(code) else code
    if not isinstance(code, FunctionType) or id(code) in seen:
        return
    seen.add(id(code))
    for name, cell in zip(code.__code__.co_freevars, code.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):  # not bound yet
            yield f"{_VARIABLE}{name} of {code.__qualname__}", cell.cell_contents
            yield from _closed_over(cell.cell_contents, seen)
