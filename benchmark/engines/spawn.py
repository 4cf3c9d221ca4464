"""Starts a worker on a run directory, forked where that can be, else as a fresh process. No torch."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from benchmark.engines import parent, worker
from benchmark.engines.forks import Forked
from benchmark.records import places
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmark.engines.forks import Forks

Process = subprocess.Popen[bytes] | Forked


def environment(launch: Mapping[str, Any], share: float, gpu: str | None = None) -> dict[str, str]:
    """Variables of a worker's process.

    Args:
        launch: `provenance.launch` for its record.
        share: of its GPU that it may count on.
        gpu: what it sees as its only GPU; None for what this process sees.

    """
    return {
        **numerics.child_environment(gpu),
        **parent.announced(),
        worker.LAUNCH_VARIABLE: json.dumps(launch),
        worker.SHARE_VARIABLE: repr(share),
    }


def process(
    directory: Path, cadence: Mapping[str, float], environment: Mapping[str, str], forks: Forks | None = None
) -> Process:
    """The process, which writes to the directory's `worker.log`; `OSError` where that cannot be opened."""
    if forks and (forked := forks.child(directory, cadence, environment)):
        return forked
    # A session of its own: Ctrl-C in the terminal reaches this process only, which then stops the children.
    with open(directory / "worker.log", "ab", opener=places.unlinked) as log:
        return subprocess.Popen(
            parent.python("-m", "benchmark.engines.worker", str(directory), json.dumps(cadence)),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
