"""Experiments of third parties: found by entry point, described by a process of their own, remembered.

A plugin is somebody's program, whose import may print, wait or end the process. So a child process imports
it and says what is in it. That is kept in the user's cache folder with the SHA-256 of every file it was made
from, the plugin's own and those of `baselines`, and counts for nothing when one of them differs or when it is
not as it was written.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

from baselines import ENTRY_POINT_GROUP, BrokenPlugin, catalogue, kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment

SLOW_S = 5.0
"""Seconds after which it is said which plugin is waited for."""


@dataclass(frozen=True)
class Plugin:
    """What the module of an entry point has, as the catalogue has it, and the files of its code."""

    name: str
    module: str
    experiments: dict[str, dict[str, Any]]
    details: dict[str, dict[str, Any]]
    files: dict[str, Path]
    kept: Path | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """How messages call it."""
        return f"'{self.name}' ({self.module})"


def found() -> Iterator[Plugin]:
    """The installed plugins.

    Raises:
        BrokenPlugin: one cannot be imported, or does not hold experiments as `baselines.spec` has them.

    """
    for point in entry_points(group=ENTRY_POINT_GROUP):
        path = _kept(point)
        content = _read(path)
        if content is None:
            content = _describe(point)
            kept.write(path, content)
        yield Plugin(
            point.name,
            point.module,
            content["experiments"],
            content["details"],
            {name: Path(path) for name, (path, _) in content["files"].items()},
            path,
        )


def experiment(plugin: Plugin, name: str) -> Experiment[Any]:
    """An experiment itself; imports the plugin into this process.

    Raises:
        BrokenPlugin: it cannot be imported any more, or is not what was kept of it, which is forgotten then.

    """
    with _waiting(str(plugin)), _stdout_on_stderr(), _folder_kept():
        try:
            module = importlib.import_module(plugin.module)
            chosen: Experiment[Any] | None = next((e for e in module.EXPERIMENTS if e.name == name), None)
            now = json.loads(json.dumps(catalogue.describe(chosen, plugin.module))) if chosen else None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise BrokenPlugin(f"{plugin} cannot be loaded: {said(error)}") from error
    if chosen is None or now != plugin.experiments[name]:
        kept.forget(plugin.kept)
        if chosen is None:
            raise BrokenPlugin(
                f"{plugin} has no '{name}' any more, as what it has depends on more than its code"
            )
        raise BrokenPlugin(f"{plugin} gives another '{name}' every time, or what was kept of it was altered")
    return chosen


def said(error: BaseException) -> str:
    """The error as text, whatever its author made of that."""
    try:
        return repr(error)
    except BaseException:
        return type(error).__name__


def _describe(point: EntryPoint) -> dict[str, Any]:
    """What a child process says of the plugin."""
    plugin = f"'{point.name}' ({point.value})"
    distribution = point.dist.name if point.dist else ""
    with tempfile.TemporaryFile() as answer:  # no pipe: processes that the plugin leaves would keep it open
        child = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, point.value, distribution],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=answer,
        )
        with child, _waiting(plugin):
            child.wait()
        answer.seek(0)
        said = answer.read(kept.MOST_BYTES)
    try:
        content: dict[str, Any] = json.loads(said)
    except ValueError:
        code = child.returncode
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        raise BrokenPlugin(f"{plugin} cannot be loaded: it ends the process that imports it, {how}") from None
    if "error" in content:
        raise BrokenPlugin(f"{plugin} cannot be loaded: {content['error']}")
    return content


_CHILD = "import sys; from baselines import describing; describing.main(*sys.argv[1:])"


def _kept(point: EntryPoint) -> Path | None:
    """Where the description of this plugin, here and in this environment, is kept; None without a cache."""
    top = point.module.partition(".")[0]
    try:
        spec = find_spec(top)
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    except (ImportError, ValueError):
        places = []
    return kept.place("plugins", [point.value, point.dist.name if point.dist else "", places])


def _read(path: Path | None) -> dict[str, Any] | None:
    """What was kept, if it is of files that are as they were."""
    content = kept.read(path)
    try:
        files = content["files"].values() if content else ()
        same = bool(files) and all(kept.sha256(Path(file)) == sha256 for file, sha256 in files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return content if same else None


@contextmanager
def _waiting(plugin: str) -> Iterator[None]:
    """Say on stderr which plugin it is, when this takes long."""
    shown = plugin if plugin.isprintable() else ascii(plugin)
    text = f"ganbench: still waiting for the import of the plugin {shown}\n"
    timer = Timer(SLOW_S, lambda: sys.stderr.write(text))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _folder_kept() -> Iterator[None]:
    """Relative paths mean afterwards what they meant before."""
    try:
        folder = os.open(".", os.O_RDONLY)
    except OSError:
        folder = None
    try:
        yield
    finally:
        if folder is not None:
            os.fchdir(folder)
            os.close(folder)


@contextmanager
def _stdout_on_stderr() -> Iterator[None]:
    """What is written to stdout meanwhile, by whatever means, goes to stderr: stdout may be JSON."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # one of them is closed
        kept = None
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)
