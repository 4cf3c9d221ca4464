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
from fnmatch import fnmatchcase
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

from baselines import ENTRY_POINT_GROUP, BrokenPlugin, catalogue, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from baselines.spec import Experiment

SLOW_S = 5.0
"""Seconds after which it is said which plugin is waited for."""
_LONGEST = 300
"""Characters of what an error says."""


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


@dataclass(frozen=True)
class LeftOut:
    """What cannot be had of an installed plugin: the experiment `name`, or where that is empty, no one knows.

    A `name` is as the plugin has it, which may be no name.
    """

    plugin: str
    name: str
    reason: str

    def __str__(self) -> str:
        """How messages call it."""
        return f"{self.plugin}: '{self.name}'" if self.name else self.plugin

    def may_be(self, asked: str, papers: Collection[str]) -> bool:
        """Whether a name, a pattern or the first half of a name may mean it; none of our `papers` does."""
        first = asked.partition("/")[0]
        if not self.name:
            return first not in papers
        of, _, variant = asked.partition("+")
        return fnmatchcase(self.name, of) or (asked == self.name.partition("/")[0] and not variant)


def found() -> tuple[list[Plugin], list[LeftOut]]:
    """The installed plugins, and what cannot be had of them.

    That is kept of none: it may depend on more than the code, like a package that is missing.
    """
    usable: list[Plugin] = []
    left_out: list[LeftOut] = []
    for point in entry_points(group=ENTRY_POINT_GROUP):
        path = _kept(point)
        content = _read(path)
        if content is None:
            try:
                content = _describe(point)
            except BrokenPlugin as error:
                left_out.append(LeftOut(_called(point), "", str(error)))
                continue
            if not content["left_out"]:
                kept.write(path, content)
        usable.append(
            Plugin(
                point.name,
                _module(point),
                content["experiments"],
                content["details"],
                {name: Path(path) for name, (path, _) in content["files"].items()},
                path,
            )
        )
        left_out += [LeftOut(_called(point), name, reason) for name, reason in content["left_out"]]
    return usable, left_out


def _called(point: EntryPoint) -> str:
    return f"'{point.name}' ({point.value})"


def _module(point: EntryPoint) -> str:
    """Unlike `EntryPoint.module`, also of what can be no module, which the child then says."""
    return point.value.partition(":")[0].strip()


def experiment(plugin: Plugin, name: str) -> Experiment[Any]:
    """An experiment itself; imports the plugin into this process.

    Raises:
        BrokenPlugin: it cannot be imported any more, or is not what was kept of it, which is forgotten then.

    """
    with _waiting(str(plugin)), _stdout_on_stderr(), _folder_kept(), _switches_kept(str(plugin)):
        try:
            module = importlib.import_module(plugin.module)
            chosen: Experiment[Any] | None = next(
                (e for e in module.EXPERIMENTS if getattr(e, "name", None) == name), None
            )
            now = json.loads(json.dumps(catalogue.describe(chosen, plugin.module))) if chosen else None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            files = {str(file) for file in plugin.files.values()}
            reason = said(error, lambda _, file: file in files)
            raise BrokenPlugin(f"{plugin} cannot be loaded: {reason}") from error
    if chosen is None or now != plugin.experiments[name]:
        kept.forget(plugin.kept)
        if chosen is None:
            raise BrokenPlugin(
                f"{plugin} has no '{name}' any more, as what it has depends on more than its code"
            )
        raise BrokenPlugin(f"{plugin} gives another '{name}' every time, or what was kept of it was altered")
    return chosen


_OF_EMPTY = ("meta tensor", "device meta", "on meta")
_EMPTY = (
    "networks are described before they have numbers, and ganbench moves them to the device later: make them "
    "without .to(), .cuda(), device= and .item()"
)
"""In place of torch's words, which advise what leaves weights without values."""


def said(error: BaseException, is_own: Callable[[str, str], bool]) -> str:
    """The error in one line, whatever its author made of its text, and where in the plugin's files it arose.

    `is_own`: whether a module, by name and file, is the plugin's.
    """
    kind = type(error).__name__
    line: int | None
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        text, file, line = str(error.msg), error.filename, error.lineno
    else:
        try:
            text = " ".join(str(error).split())
        except BaseException:
            text = ""
        file, line = _raised_at(error, is_own)
        if any(words in text for words in _OF_EMPTY):
            text = _EMPTY
    text = f"{kind}: {text[:_LONGEST]}" if text else kind
    return f"{text} ({_short(file)}:{line})" if file else text


def _raised_at(error: BaseException, is_own: Callable[[str, str], bool]) -> tuple[str, int | None]:
    """File and line of the plugin's that an error came through last; empty where it came through none."""
    at: tuple[str, int | None] = ("", None)
    step = error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if is_own(str(step.tb_frame.f_globals.get("__name__")), file):
            at = file, step.tb_lineno
        step = step.tb_next
    return at


def _short(file: str) -> str:
    """As it is called below a folder that Python imports from: `package/__init__.py`, not `__init__.py`."""
    folders = [Path(folder).absolute() for folder in sys.path]
    below = [str(Path(file).relative_to(folder)) for folder in folders if Path(file).is_relative_to(folder)]
    return min(below, key=len, default=Path(file).name)


def _describe(point: EntryPoint) -> dict[str, Any]:
    """What a child process says of the plugin; raises `BrokenPlugin` with the reason alone."""
    plugin = _called(point)
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
        raise BrokenPlugin(f"it ends the process that imports it, {how}") from None
    if "error" in content:
        raise BrokenPlugin(content["error"])
    return content


_CHILD = "import sys; from baselines import describing; describing.main(*sys.argv[1:])"


def _kept(point: EntryPoint) -> Path | None:
    """Where the description of this plugin, here and in this environment, is kept; None without a cache."""
    top = _module(point).partition(".")[0]
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
def _switches_kept(plugin: str) -> Iterator[None]:
    """What decides the bits of torch is not an import's to choose."""
    from baselines import switches

    changed: list[str] = []
    with switches.kept(changed):
        yield
    for name in changed:
        sys.stderr.write(f"ganbench: the import of the plugin {plugin} changes {name}, which is put back\n")


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
