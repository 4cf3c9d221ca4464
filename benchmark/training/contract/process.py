"""What belongs to the process and not to the players: switches, threads, variables of modules and functions.

A check leaves it as it was, so that what one experiment changes is not the next one's fault.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from functools import partial
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from benchmark.training import checkpoint
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, iterate, players_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from baselines.spec import Experiment

_SWITCHES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "torch.set_grad_enabled": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch.set_default_dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.set_num_threads": (torch.get_num_threads, torch.set_num_threads),
    "torch.use_deterministic_algorithms": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "torch.autograd.set_detect_anomaly": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    "os.chdir": (os.getcwd, os.chdir),
}
_MOST = 10_000
"""Items of a container that are looked at."""
_DEEPEST = 6


@contextlib.contextmanager
def kept(said: list[str]) -> Iterator[None]:
    """Switches are as before afterwards, and what is printed goes to stderr; `said` gets what was changed."""
    before = {name: get() for name, (get, _) in _SWITCHES.items()}
    running = set(threading.enumerate())
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for name, (get, put) in _SWITCHES.items():
            if get() != before[name]:
                said.append(f"{name} is called, and what it was before is not put back")
                put(before[name])
        if set(left_running()) - running:
            said.append("a thread is left running, for which a process waits at its end: join() it")


def left_running() -> list[threading.Thread]:
    """Threads that a process waits for before it ends."""
    return [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]


def variables(experiment: Experiment[Any]) -> Iterator[str]:
    """Nothing that the experiment's code holds outside of the players goes on changing: no checkpoint has it.

    What the first G-iterations fill and then keep, like a cache, does not count.
    """
    players, draws = players_of(experiment), Counted(experiment, PAST_WARM_UP)
    seen: list[dict[str, Any]] = []
    for k in range(PAST_WARM_UP, PAST_WARM_UP + 3):
        iterate(experiment, players, k, draws.at(k))
        seen.append(dict(_held(experiment)))
    last, now = seen[-2:]
    for name in (name for name in now if name in last and now[name] != last[name]):
        yield f"{name} changes with every G-iteration, and is in no checkpoint: keep it in Players.more"


def _held(experiment: Experiment[Any]) -> Iterator[tuple[str, Any]]:
    """What modules of the experiment's code hold, by name."""
    codes = [experiment.iterate, experiment.build]
    codes += [part for code in tuple(codes) for part in getattr(code, "parts", ())]
    codes = [_innermost(code) for code in codes]
    modules = [m for n in {getattr(code, "__module__", "") for code in codes} if (m := sys.modules.get(n))]
    plain = _Plain({module.__name__ for module in modules})
    functions: dict[Any, None] = dict.fromkeys(code for code in codes if isinstance(code, FunctionType))
    for module in modules:
        for name, value in list(vars(module).items()):
            own = getattr(value, "__module__", "") == module.__name__
            if isinstance(value, FunctionType) and own:
                functions[value] = None
            elif isinstance(value, type) and own:
                inside = {k: v for k, v in vars(value).items() if not k.startswith("__")}
                yield f"the class {name}", plain(inside)
            elif not name.startswith("__"):
                yield f"the variable {name}", plain(value)
    for code in functions:
        yield from _of_function(code, plain)


def _innermost(code: Any) -> Any:
    while isinstance(code, partial):
        code = code.func
    return getattr(code, "__func__", code)


def _of_function(code: FunctionType, plain: _Plain) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(code.__code__.co_freevars, code.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):  # not bound yet
            yield f"the variable {name} of {code.__qualname__}", plain(cell.cell_contents)
    if code.__dict__:
        yield f"what {code.__qualname__} holds", plain({k: v for k, v in vars(code).items() if k[:2] != "__"})
    yield f"a default of {code.__qualname__}", plain((code.__defaults__, code.__kwdefaults__))


class _Plain:
    """A value as something that can be compared later; only the type of what has no such form.

    `own` are the modules whose objects are looked into.
    """

    def __init__(self, own: set[str]) -> None:
        self._own = own

    def __call__(self, value: Any, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool | int | float | complex | str | bytes):
            return repr(value)
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
        return vars(value) if type(value).__module__ in self._own and hasattr(value, "__dict__") else None


def _first(items: Iterable[Any]) -> list[Any]:
    return [x for x, _ in zip(items, range(_MOST), strict=False)]
