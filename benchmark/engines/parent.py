"""How child processes are started: with this one's imports, and ending with it at whatever moment it dies."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

VARIABLE = "GANBENCH_PARENT"
_PR_SET_PDEATHSIG = 1


def python(*arguments: str) -> list[str]:
    """The command of a Python process that imports nothing from the current folder; it needs `announced`."""
    return [sys.executable, "-P", *arguments]


def announced() -> dict[str, str]:
    """What the parent puts into the environment of its child: who it is, and where it imports from."""
    path = os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)
    return {VARIABLE: str(os.getpid()), "PYTHONPATH": path}


def follow() -> int | None:
    """The parent that announced itself, None without one; where the system can, its death is a SIGTERM here.

    The parent may be dead already: `is_gone` tells, asked after this.
    """
    said = os.environ.pop(VARIABLE, "")  # not for children of this process
    if not said.isdecimal():
        return None
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    return int(said)


def is_gone(parent: int | None) -> bool:
    """Whether the parent that announced itself is dead."""
    return parent is not None and os.getppid() != parent
