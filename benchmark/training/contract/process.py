"""What belongs to the process and not to the players: switches, threads, variables of modules and functions.

A check leaves it as it was, so that what one experiment changes is not the next one's fault.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch

from benchmark.training.contract import unkept
from benchmark.training.contract.snapshot import Snapshot
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, iterate, players_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    "torch.set_float32_matmul_precision": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "torch.backends.cudnn.benchmark": (
        lambda: torch.backends.cudnn.benchmark,
        partial(setattr, torch.backends.cudnn, "benchmark"),
    ),
    "torch.backends.cudnn.allow_tf32": (
        lambda: torch.backends.cudnn.allow_tf32,
        partial(setattr, torch.backends.cudnn, "allow_tf32"),
    ),
    "os.chdir": (os.getcwd, os.chdir),
}


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
                said.append(f"{name} is changed, and what it was before is not put back")
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
    for name in sorted(unkept.changed(*seen[-2:])):
        yield f"{name} changes with every G-iteration, and is in no checkpoint: keep it in Players.more"


def _held(experiment: Experiment[Any]) -> Iterator[tuple[str, Any]]:
    """What modules of the experiment's code hold, by name."""
    codes = [experiment.iterate, experiment.build]
    codes += [part for code in tuple(codes) for part in getattr(code, "parts", ())]
    codes = [_innermost(code) for code in codes]
    modules = [m for n in {getattr(code, "__module__", "") for code in codes} if (m := sys.modules.get(n))]
    own = {module.__name__ for module in modules}
    snapshot = Snapshot(lambda kind: kind.__module__ in own)
    functions: dict[Any, None] = dict.fromkeys(code for code in codes if isinstance(code, FunctionType))
    for module in modules:
        for name, value in list(vars(module).items()):
            here = getattr(value, "__module__", "") == module.__name__
            if isinstance(value, FunctionType) and here:
                functions[value] = None
            elif isinstance(value, type) and here:
                inside = {k: v for k, v in vars(value).items() if not k.startswith("__")}
                yield f"the class {name}", snapshot(inside)
            elif not name.startswith("__"):
                yield f"the variable {name}", snapshot(value)
    for code in functions:
        yield from _of_function(code, snapshot)


def _innermost(code: Any) -> Any:
    while isinstance(code, partial):
        code = code.func
    return getattr(code, "__func__", code)


def _of_function(code: FunctionType, snapshot: Snapshot) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(code.__code__.co_freevars, code.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):  # not bound yet
            yield f"the variable {name} of {code.__qualname__}", snapshot(cell.cell_contents)
    if code.__dict__:
        yield (
            f"what {code.__qualname__} holds",
            snapshot({k: v for k, v in vars(code).items() if k[:2] != "__"}),
        )
    yield f"a default of {code.__qualname__}", snapshot((code.__defaults__, code.__kwdefaults__))
