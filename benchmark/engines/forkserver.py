"""Imports what runs need, and forks a process for each: ``python -m benchmark.engines.forkserver``.

Its environment is that of every child (`numerics.child_environment`), so that the variables that libraries
read once are set before they are loaded; what differs between children is set after the fork, before anything
reads it. It has one thread when it forks, or ends. A request is a line of stdin, the JSON of `directory`,
`cadence` and `environment`; the answer is a line of stdout: the child's process number, or first ``ready``.

A child is handed to the process that started this one, which has to be a subreaper: its parent, by whom it is
waited for and stopped and with whom it ends, is the same as without a server. So it does not matter to a run
whether this process lives on.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmark.engines import parent, worker
from benchmark.records import places


def main() -> int:
    """Serve until stdin ends; in a child, be the worker."""
    if parent.is_gone(parent.follow()):
        return 1
    _load()
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
        return 1
    gc.freeze()  # objects that the collector never touches stay shared with the children
    os.write(1, b"ready\n")
    with os.fdopen(0, "rb", closefd=False) as requests:
        for line in iter(requests.readline, b""):
            request = json.loads(line)
            if _forked(request):
                return worker.main([request["directory"], json.dumps(request["cadence"])])
    return 0


def _load() -> None:
    """Import what a run imports, and set torch's switches; none of it starts a thread or touches a GPU."""
    import torch  # noqa: F401

    import baselines  # noqa: F401
    from benchmark import data  # noqa: F401
    from benchmark.evaluation import evaluator, protocols  # noqa: F401
    from benchmark.suites import prepare  # noqa: F401
    from benchmark.training import checkpoint, mixed, numerics, policies, sampling, trainer  # noqa: F401
    from benchmark.training.portable import selftest  # noqa: F401

    numerics.apply()


def _forked(request: dict[str, Any]) -> bool:
    """Fork a child; True in it, once its parent is the one that started this process."""
    reading, writing = os.pipe()
    between = os.fork()  # its end is what hands its own child over
    if between:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(between, 0)
        os.write(1, answer)
        return False
    between = os.getpid()
    if child := os.fork():
        os.write(writing, b"%d\n" % child)
        os._exit(0)
    os.close(reading)
    os.close(writing)
    while os.getppid() == between:
        time.sleep(0.001)
    worker.STARTED = time.perf_counter()
    os.setsid()
    os.environ.clear()
    os.environ.update(request["environment"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        log = places.unlinked(str(Path(request["directory"], "worker.log")), flags)
    except OSError as error:
        os._exit(worker.UNWRITABLE + (error.errno or 0))
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    return True


if __name__ == "__main__":
    sys.exit(main())
