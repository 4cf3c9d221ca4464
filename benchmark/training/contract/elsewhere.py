"""Another process: what a run can ask for beside its draws is different there, and may make no difference.

Clocks are ahead, process, machine and variables of the environment are others, threads begin in another
order, and modules were imported anew. It is played in this process, as a second one would take seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import importlib
import os
import platform
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from baselines import switches

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from baselines.spec import Experiment

_AHEAD_S = 100_000
_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_FACTS = {
    os: ("getpid", "getppid", "uname", "cpu_count", "sched_getaffinity", "getlogin", "getloadavg"),
    socket: ("gethostname", "getfqdn"),
    platform: ("node",),
    time: (*_CLOCKS, *(f"{name}_ns" for name in _CLOCKS)),
}
_OURS = ("baselines", "benchmark", "ganbench")
THREADS = "the order of threads"
_LONGEST_S, _APART_S = 0.1, 0.02
"""How late the first of some threads begins, and how much earlier each further one does."""
_FRESH_SEED = 67280421310721
"""With which torch's generator begins in a process."""


def codes(experiment: Experiment[Any]) -> Iterator[Any]:
    """The functions that an experiment is made of, without what binds them."""
    for code in (experiment.iterate, experiment.build):
        for part in (code, *getattr(code, "parts", ())):
            while isinstance(part, partial):
                part = part.func
            yield getattr(part, "__func__", part)


@contextlib.contextmanager
def elsewhere(experiment: Experiment[Any], asked: set[str]) -> Iterator[None]:
    """Another process; `asked` gets what was asked for."""
    packages = _packages(experiment)
    changes: list[tuple[Any, str, Any]] = [
        (module, name, _noting(f"{module.__name__}.{name}", getattr(module, name), asked))
        for module, names in _FACTS.items()
        for name in names
        if hasattr(module, name)
    ]
    changes += [
        (datetime, "datetime", _later(asked)),
        (type(os.environ), "__getitem__", _environment(packages, asked)),
        (threading.Thread, "start", _late_thread(asked)),
        (ThreadPoolExecutor, "submit", _late_task(asked)),
    ]
    changed = {id(getattr(place, name)): new for place, name, new in changes if not isinstance(place, type)}
    # Who wrote `from time import time` has it by a name of their own.
    for module in _modules(packages).values():
        changes += [(module, name, changed[id(x)]) for name, x in vars(module).items() if id(x) in changed]
    with replaced(changes):
        yield


@contextlib.contextmanager
def replaced(changes: Collection[tuple[Any, str, Any]]) -> Iterator[None]:
    """Attributes of places have other values meanwhile."""
    before = [(place, name, getattr(place, name)) for place, name, _ in changes]
    try:
        for place, name, new in changes:
            setattr(place, name, new)
        yield
    finally:
        for place, name, old in before:
            setattr(place, name, old)


def imported_anew(experiment: Experiment[Any]) -> tuple[Experiment[Any], dict[str, Any]]:
    """The experiment of modules that are imported once more, and these; itself, if it cannot be had so."""
    own = _modules(_packages(experiment))
    name = next((n for n, m in own.items() if any(e is experiment for e in _experiments(m))), "")
    for module in own if name else ():
        del sys.modules[module]
    anew, modules = experiment, dict[str, Any]()
    try:
        with contextlib.suppress(Exception), _fresh():
            found = _experiments(importlib.import_module(name)) if name else ()
            same = next(e for e in found if e.name == experiment.name)
            anew = dataclasses.replace(same, settings=experiment.settings)
            modules = _modules(_packages(experiment))
    finally:
        for module in _modules(_packages(experiment)):
            del sys.modules[module]
        sys.modules.update(own)
    return anew, modules


@contextlib.contextmanager
def _fresh() -> Iterator[None]:
    """As for the import in a process that begins; switches stay as they are."""
    ignored = [(torch, "set_num_threads", lambda _: None)]
    with replaced(ignored), switches.kept([]), torch.random.fork_rng(devices=[]):
        torch.manual_seed(_FRESH_SEED)
        yield


def _experiments(module: Any) -> Any:
    found = getattr(module, "EXPERIMENTS", ())
    return found if isinstance(found, list | tuple) else ()


def _packages(experiment: Experiment[Any]) -> set[str]:
    """Of whoever wrote the experiment."""
    return {getattr(code, "__module__", "").partition(".")[0] for code in codes(experiment)} - {*_OURS, ""}


def _modules(packages: set[str]) -> dict[str, Any]:
    found = {name: m for name, m in sys.modules.items() if name.partition(".")[0] in packages and m}
    return {name: m for name, m in found.items() if name != "__main__"}


def _noting(name: str, fact: Any, asked: set[str]) -> Callable[..., Any]:
    by = _AHEAD_S * (10**9 if name.endswith("_ns") else 1) if name.startswith("time.") else 1

    def other(*given: Any) -> Any:
        asked.add(f"{name}()")
        return _other(fact(*given), by)

    return other


def _other(value: Any, by: float = 1) -> Any:
    if isinstance(value, tuple):
        return type(value)([_other(x) for x in value])
    if isinstance(value, set):
        return value | {max(value, default=0) + 1}
    return f"{value}-elsewhere" if isinstance(value, str) else (value or 0) + by


def _later(asked: set[str]) -> type:
    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            asked.add("datetime.now()")
            return super().now(tz) + datetime.timedelta(seconds=_AHEAD_S)

    return Later


def _environment(packages: set[str], asked: set[str]) -> Callable[[Any, str], str]:
    """Variables that packages ask for have other values, also where there is none."""
    get = type(os.environ).__getitem__

    def other(self: Any, key: str) -> str:
        frame = sys._getframe(1)
        while frame.f_back and frame.f_globals.get("__name__") in ("os", "collections.abc"):
            frame = frame.f_back
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in packages:
            return get(self, key)
        asked.add(f"os.environ['{key}']")
        try:
            value = get(self, key)
        except KeyError:
            return "17"
        return str(int(value) + 1) if value.isdecimal() else f"{value}-elsewhere"

    return other


def _late_thread(asked: set[str]) -> Callable[[threading.Thread], None]:
    start, delays = threading.Thread.start, _delays()

    def late(self: threading.Thread) -> None:
        asked.add(THREADS)
        self.run = partial(_after, next(delays), self.run)  # type: ignore[method-assign]
        start(self)

    return late


def _late_task(asked: set[str]) -> Callable[..., Any]:
    submit, delays = ThreadPoolExecutor.submit, _delays()

    def late(self: Any, code: Any, /, *given: Any, **named: Any) -> Any:
        asked.add(THREADS)
        return submit(self, _after, next(delays), code, *given, **named)

    return late


def _after(seconds: float, code: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
    time.sleep(seconds)
    return code(*given, **named)


def _delays() -> Iterator[float]:
    """Those that are started later begin earlier."""
    started = 0
    while True:
        yield max(0.0, _LONGEST_S - _APART_S * started)
        started += 1
