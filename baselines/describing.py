"""What a child process does for `baselines.plugins`: import a plugin and say on stdout what is in it."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import packages_distributions
from importlib.util import find_spec, resolve_name
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

_HOUSE = {"baselines", "benchmark", "ganbench", "_remote_module_non_scriptable"}
"""Not the plugin's either; the last is written, and imported, by torch itself (2.6 does so at once)."""
_MOST = 10_000
"""Experiments of a plugin; an iterator without end would fill the memory."""


def main(value: str, distribution: str) -> None:
    """Describe the plugin at an entry point's value, of a distribution; or say why that failed, as JSON."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what the plugin prints is no answer
    sys.stdout = sys.stderr
    try:
        text = json.dumps(_describe(value, distribution))
    except BaseException as error:
        module = value.partition(":")[0].strip()
        text = json.dumps({"error": _said(error, _others(module, distribution))})
    with suppress(Exception):  # the plugin may have taken it away
        sys.stderr.flush()
    with os.fdopen(answer, "w", encoding="utf-8") as file:
        file.write(text)
    os._exit(0)  # not to wait for threads and exit handlers of the plugin


def _describe(value: str, distribution: str) -> dict[str, Any]:
    from baselines import catalogue, listing, networks, spec  # noqa: F401 - what these import is not its

    before = set(sys.modules)
    module = value.partition(":")[0].strip()
    given = _given(import_module(module))
    others = _others(module, distribution)
    times = Counter(experiment.name for experiment in given if isinstance(experiment, spec.Experiment))
    experiments: dict[str, Any] = {}
    details: dict[str, Any] = {}
    left_out: list[tuple[str, str]] = []
    for i, experiment in enumerate(given):
        name = str(getattr(experiment, "name", "")) or f"EXPERIMENTS[{i}]"
        try:
            if not isinstance(experiment, spec.Experiment):
                raise TypeError(f"{_kind(experiment)} is no Experiment")
            catalogue.check_name(experiment.name)
            if times[name] > 1:
                raise ValueError(f"'{name}' is the name of two experiments")
            of_it = catalogue.describe(experiment, module), catalogue.detail(experiment)
            json.dumps(of_it, allow_nan=False)
        except Exception as error:
            if (name, reason := _said(error, others)) not in left_out:
                left_out.append((name, reason))
        else:
            experiments[name], details[name] = of_it
    own = {
        name: loaded
        for name, loaded in sys.modules.items()
        if name.partition(".")[0] not in others and (name not in before or name == module)
    }
    files = _files(own, others)
    return {"experiments": experiments, "details": details, "files": files, "left_out": left_out}


def _given(module: ModuleType) -> list[Any]:
    """What is in the `EXPERIMENTS` of a plugin's module."""
    if not hasattr(module, "EXPERIMENTS"):
        raise AttributeError(f"{module.__name__} has no EXPERIMENTS")
    if not isinstance(module.EXPERIMENTS, Iterable) or isinstance(module.EXPERIMENTS, str):
        raise TypeError(
            f"EXPERIMENTS of {module.__name__} is {_kind(module.EXPERIMENTS)}, no tuple of experiments"
        )
    found = list(islice(module.EXPERIMENTS, _MOST + 1))
    if len(found) > _MOST:
        raise TypeError(f"EXPERIMENTS of {module.__name__} has more than {_MOST}, or no end")
    return found


def _kind(value: object) -> str:
    return f"of the type {type(value).__name__}"


def _others(module: str, distribution: str) -> set[str]:
    """Top-level names of what is not the plugin's."""
    others = {top for top, owners in packages_distributions().items() if distribution not in owners}
    return (others | _HOUSE | sys.stdlib_module_names | {"__main__"}) - {module.partition(".")[0]}


def _said(error: BaseException, others: set[str]) -> str:
    from baselines import plugins

    return plugins.said(error, lambda name, _: name.partition(".")[0] not in others)


def _files(own: dict[str, ModuleType], others: set[str]) -> dict[str, tuple[str, str]]:
    """Path and SHA-256 of these modules' files, and of those that functions in them would import.

    `others`: top-level names of the packages that are not the plugin's.
    """
    found: dict[str, tuple[str, str]] = {}
    waiting = list(own)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name.partition(".")[0] in others:
            continue
        seen.add(name)
        try:
            spec = own[name].__spec__ if name in own else find_spec(name)
        except Exception:  # whatever the plugin does when a part of it is looked for
            continue
        if spec is None or not spec.has_location or spec.origin is None:
            continue
        if Path(spec.origin).parent == Path(sysconfig.get_path("stdlib")):
            continue  # generated for this Python; has no name in `sys.stdlib_module_names`
        content = Path(spec.origin).read_bytes()
        found[name] = (spec.origin, hashlib.sha256(content).hexdigest())
        if spec.origin.endswith(".py"):
            waiting += _imports(content, name if spec.submodule_search_locations else spec.parent or "")
    return dict(sorted(found.items()))


def _imports(content: bytes, package: str) -> list[str]:
    names: list[str] = []
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (
                resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module
            )
            names += [str(base), *(f"{base}.{alias.name}" for alias in node.names)]
    # Importing a part of a package runs the package's own file.
    return [".".join(parts[: i + 1]) for parts in (n.split(".") for n in names) for i in range(len(parts))]
