"""What belongs to the process and not to the players: switches, threads, variables of modules and functions.

A check leaves it as it was, so that what one experiment changes is not the next one's fault.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
from collections import deque
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from baselines import switches
from baselines.loop_state import LoopState, vars_of
from benchmark.training.contract import unkept
from benchmark.training.contract.elsewhere import codes, replaced
from benchmark.training.contract.snapshot import Snapshot
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, Note, iterate, players_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from baselines.spec import Experiment, Players

_FEW = 2
_SEED = ((torch, "manual_seed"), (np.random, "seed"), (random, "seed"))


@contextlib.contextmanager
def kept(said: list[str]) -> Iterator[None]:
    """Switches are as before afterwards, and what is printed goes to stderr; `said` gets what was changed."""
    folder, n, changed = Path.cwd(), torch.get_num_threads(), list[str]()
    running, files, asked = set(threading.enumerate()), set(_files()), set[int]()
    noted = replaced([(torch, "set_num_threads", _noting(torch.set_num_threads, asked))])
    try:
        with switches.kept(changed), contextlib.redirect_stdout(sys.stderr), noted:
            yield
    finally:
        if Path.cwd() != folder:
            os.chdir(folder)
            changed.append("os.chdir")
        said += [f"{name} is changed, and what it was before is not put back" for name in changed]
        if asked - {n} and "torch.set_num_threads" not in changed:
            said.append(
                f"torch.set_num_threads({max(asked)}) is called: a run has one thread, and sums of several "
                "are other ones"
            )
        if set(left_running()) - running:
            said.append("a thread is left running, for which a process waits at its end: join() it")
        if left := sorted(set(_files()) - files):
            said.append(Note(f"files are left in the current folder: {', '.join(left[:3])}"))


def _noting(put: Callable[..., Any], asked: set[Any]) -> Callable[..., Any]:
    """The function; `asked` gets what it is called with."""

    def noting(*given: Any, **named: Any) -> Any:
        asked.add(*given, *named.values())
        return put(*given, **named)

    return noting


def _files() -> list[str]:
    with contextlib.suppress(OSError):
        return [path.name for path in Path().iterdir() if path.name[0] not in "._"]
    return []


def left_running() -> list[threading.Thread]:
    """Threads that a process waits for before it ends."""
    return [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]


def variables(experiment: Experiment[Any]) -> Iterator[str]:
    """Nothing that the experiment's code holds outside of the players goes on changing: no checkpoint has it.

    What the first G-iterations fill and then keep, like a cache, does not count.
    """
    players, draws = players_of(experiment), Counted(experiment, PAST_WARM_UP)
    seen: list[dict[str, Any]] = []
    seeds: list[list[set[Any]]] = []
    for k in range(PAST_WARM_UP, PAST_WARM_UP + 3):
        seeds.append([set(), set(), set()])
        noted = [
            (of, name, _noting(getattr(of, name), s)) for (of, name), s in zip(_SEED, seeds[-1], strict=True)
        ]
        with replaced(noted):
            iterate(experiment, players, k, draws.at(k))
        seen.append(dict(held(experiment)))
    for (of, name), asked in zip(_SEED, zip(*seeds, strict=True), strict=True):
        for seed in set.intersection(*asked):
            yield Note(
                f"{of.__name__}.{name}({seed}) is called in every G-iteration: what is drawn after it is the "
                "same in all"
            )
    for name in _with_graphs(players):
        yield Note(f"self.{name} keeps the graph of every G-iteration, which fills the memory: detach()")
    for name in sorted(unkept.changed(*seen[-2:])):
        yield f"{name} changes with every G-iteration, and is in no checkpoint: keep it in Players.more"


def _with_graphs(players: Players) -> Iterator[str]:
    """Containers of a loop with tensors of several G-iterations that gradients could be taken of."""
    for state in players.more.values():
        for name, value in vars_of(state.loop).items() if isinstance(state, LoopState) else ():
            leaves = tree_leaves(list(value) if isinstance(value, deque) else value)
            if sum(isinstance(x, Tensor) and x.grad_fn is not None for x in leaves) > _FEW:
                yield name


def held(
    experiment: Experiment[Any], modules_of: Mapping[str, Any] = sys.modules
) -> Iterator[tuple[str, Any]]:
    """What modules of the experiment's code hold, by name."""
    of = list(codes(experiment))
    modules = [m for n in {getattr(code, "__module__", "") for code in of} if (m := modules_of.get(n))]
    own = {module.__name__ for module in modules}
    snapshot = Snapshot(lambda kind: kind.__module__ in own)
    functions: dict[Any, None] = dict.fromkeys(code for code in of if isinstance(code, FunctionType))
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
