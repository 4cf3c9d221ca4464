"""Folders that one process works in: its lock ends with the process, however that ends. No torch."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from filelock import FileLock

_NAME = ".lock"


def hold(folder: Path, waiting: Callable[[], None] | None = None) -> AbstractContextManager[FileLock]:
    """Hold the folder's lock, from now until the context ends.

    Args:
        folder: an existing folder.
        waiting: called before waiting for another process; without it nobody is waited for, except those
            who merely look (`is_held`).

    Raises:
        filelock.Timeout: another process has it.
        OSError: the folder cannot be written, or its file system has no locks. (filelock would then write a
            marker file, which outlives a killed process.)

    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _NAME, fallback_to_soft=False)
    try:
        return lock.acquire(cancel_check=lambda: is_held(folder))
    except Timeout:
        if waiting is None:
            raise
    waiting()
    return lock.acquire()


def is_held(folder: Path) -> bool:
    """Whether a process holds the folder's lock now. Writes nothing; the folder may be read-only.

    By `fcntl`, as filelock could only look by taking the lock for itself: that creates the file, and of two
    processes that look, one would see the other. A shared lock is in nobody's way but the holder's.
    """
    try:
        handle = os.open(folder / _NAME, os.O_RDONLY | os.O_NONBLOCK)  # it may be a pipe
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(handle)
