"""The engine's side of `forkserver`: children forked from a process that has imported torch. No torch."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from benchmark.engines import parent
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_S = 60.0
"""For a fork that takes milliseconds."""


class Forked:
    """A child that was forked for this process, with the part of `subprocess.Popen` that is used."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | Any = None

    def poll(self) -> int | None:
        """Its exit code, minus the signal's number if it was killed; None while it lives."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # where SIGCHLD is ignored, the system does not say; as in `subprocess`
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, as `poll` has it; `subprocess.TimeoutExpired` after so many seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired([], timeout or 0.0)
            time.sleep(0.01)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.poll() is None:  # else the number may be somebody else's by now
            os.kill(self.pid, number)


class Forks:
    """A fork server, started when it is first asked for, and given up where anything is wrong with it.

    Linux only: elsewhere a process cannot be given the children of its children.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._ready = False
        self.given_up = sys.platform != "linux"

    @property
    def is_loading(self) -> bool:
        """Whether it was started and cannot fork yet; gives it up when it has died."""
        if self._server is None or self._ready or self.given_up:
            return False
        if not self._has_answer(0.0):
            return True
        self._ready = self._answer() == b"ready\n"
        if not self._ready:
            self.close()
        return False

    def start(self) -> None:
        """Start it, once."""
        if self._server is not None or self.given_up:
            return
        if _subreaper(on=True):
            self._server = subprocess.Popen(
                parent.python("-m", "benchmark.engines.forkserver"),
                env={**numerics.child_environment(), **parent.announced()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        else:
            self.given_up = True

    def child(
        self, directory: Path, cadence: Mapping[str, float], environment: Mapping[str, str]
    ) -> Forked | None:
        """A worker on that directory, writing to its `worker.log`; None when it cannot be had."""
        if self._server is None or not self._ready or self.given_up:
            return None
        assert self._server.stdin is not None
        request: dict[str, Any] = {
            "directory": str(directory),
            "cadence": dict(cadence),
            "environment": dict(environment),
        }
        try:
            self._server.stdin.write(json.dumps(request).encode("ascii") + b"\n")
        except OSError:
            self.close()
            return None
        if (answer := self._answer()).strip().isdigit():
            return Forked(int(answer))
        self.close()
        return None

    def close(self) -> None:
        """End the server; its children live on."""
        self.given_up = True
        if self._server is None:
            return
        self._server.kill()
        self._server.wait()
        for pipe in (self._server.stdin, self._server.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()
        self._server = None
        _subreaper(on=False)

    def _answer(self) -> bytes:
        """A line; nothing where the server has died or does not answer."""
        assert self._server is not None
        assert self._server.stdout is not None
        return self._server.stdout.readline() if self._has_answer(_PATIENCE_S) else b""

    def _has_answer(self, within_s: float) -> bool:
        assert self._server is not None
        assert self._server.stdout is not None
        return bool(select.select([self._server.stdout], [], [], within_s)[0])


def _subreaper(*, on: bool) -> bool:
    """Have children of children that lose their parent become this process's; whether the system can."""
    code: int = ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)
    return code == 0
