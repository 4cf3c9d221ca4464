"""Processes that compute probes, each one after the other, of this code or another checkout's. No torch."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import baselines
from benchmark.engines import parent
from benchmark.engines.interrupts import terminable
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Result = dict[str, Any]

WORKER = Path("benchmark", "engines", "probing", "worker.py")
"""Where a checkout that has probes has it."""
_ROOT = Path(__file__).parents[3]


def compute(
    plans: Mapping[str, Mapping[str, Any] | None],
    jobs: int,
    told: Callable[[Result], None] = lambda _: None,
    checkout: Path = _ROOT,
) -> dict[str, Result]:
    """Results by experiment, of plans (None: the worker's own) by experiment.

    Args:
        plans: what to compute, in this order.
        jobs: processes.
        told: called with each result as it comes, by one thread at a time.
        checkout: the folder with the packages `benchmark` and `baselines` to compute with.

    """
    queue: SimpleQueue[str] = SimpleQueue()
    for name in plans:
        queue.put(name)
    found: dict[str, Result] = {}

    def serve(process: _Process) -> None:
        while True:
            try:
                name = queue.get_nowait()
            except Empty:
                return
            result = process.ask(name, plans[name])
            found[name] = result
            told(result)

    processes: list[_Process] = []
    with ExitStack() as stack, terminable():
        for _ in range(min(jobs, len(plans))):
            processes.append(stack.enter_context(_Process(checkout)))
        with ThreadPoolExecutor(max(1, len(processes))) as threads:
            running = [threads.submit(serve, process) for process in processes]
            try:
                for one in running:
                    one.result()
            except KeyboardInterrupt:
                while not queue.empty():
                    queue.get_nowait()
                for process in processes:
                    process.kill()
                raise
    return {name: found[name] for name in plans}


class _Process:
    """A worker, started again after it has died."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._process: subprocess.Popen[str] | None = None
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._errors.close()

    def ask(self, name: str, plan: Mapping[str, Any] | None) -> Result:
        """The result of one request; an `error` if the process dies over it."""
        process = self._alive()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            request = {"experiment": name, "plan": plan, "variant": baselines.variant(name)}
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            result: Result = json.loads(line)
            return result
        code = process.wait()
        self._process = None
        return {"experiment": name, "error": f"its process died with {code}{self._last_words()}"}

    def kill(self) -> None:
        """End the process; it holds nothing that could be lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _alive(self) -> subprocess.Popen[str]:
        if self._process is None:
            environment = {**numerics.child_environment(), **parent.announced()}
            before = environment.get("PYTHONPATH")
            environment["PYTHONPATH"] = str(self._checkout) + (f":{before}" if before else "")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmark.engines.probing.worker"],
                cwd=self._checkout,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        return self._process

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def sources(checkout: Path, experiments: Sequence[str]) -> dict[str, dict[str, dict[str, str]]]:
    """`identity.sources` by experiment and profile, as the code in a checkout says; without unknown ones.

    Raises:
        RuntimeError: that code cannot be run; with what it printed last.

    """
    code = (
        "import json, sys, baselines\n"
        "from benchmark.records import identity\n"
        "from benchmark.training.numerics import POLICIES\n"
        "given = json.load(sys.stdin)\n"
        "known = lambda v: v and v['of'] in baselines.names()\n"
        "[baselines.vary(**v) for v in given.values() if known(v)]\n"
        "names = [n for n in given if n in baselines.names()]\n"
        "of = lambda n: {p: identity.sources(baselines.described(n), POLICIES[p]) for p in POLICIES}\n"
        "print(json.dumps({n: of(n) for n in names}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=checkout,
        env={**numerics.child_environment(), "PYTHONPATH": str(checkout)},
        input=json.dumps({name: baselines.variant(name) for name in experiments}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(*done.stderr.strip().splitlines()[-1:])
    found: dict[str, dict[str, dict[str, str]]] = json.loads(done.stdout.splitlines()[-1])
    return found
