"""What a child process does for `baselines.plugins`: import a plugin and say on stdout what is in it."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
import sysconfig
from contextlib import suppress
from importlib.metadata import packages_distributions
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

_HOUSE = {"baselines", "benchmark", "ganbench"}


def main(value: str, distribution: str) -> None:
    """Describe the plugin at an entry point's value, of a distribution; or say why that failed, as JSON."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what the plugin prints is no answer
    sys.stdout = sys.stderr
    try:
        text = json.dumps(_describe(value, distribution), allow_nan=False)
    except BaseException as error:
        from baselines.plugins import said

        text = json.dumps({"error": said(error)})
    with suppress(Exception):  # the plugin may have taken it away
        sys.stderr.flush()
    with os.fdopen(answer, "w", encoding="utf-8") as file:
        file.write(text)
    os._exit(0)  # not to wait for threads and exit handlers of the plugin


def _describe(value: str, distribution: str) -> dict[str, Any]:
    from baselines import catalogue, listing, networks  # noqa: F401 - what they import is not the plugin's

    before = set(sys.modules)
    module = value.partition(":")[0].strip()
    experiments = catalogue.compute([module])
    details = catalogue.compute_details([module])
    others = (
        {top for top, owners in packages_distributions().items() if distribution not in owners}
        | _HOUSE
        | sys.stdlib_module_names
    )
    others.discard(module.partition(".")[0])
    own = {
        name: loaded
        for name, loaded in sys.modules.items()
        if name.partition(".")[0] not in others and (name not in before or name == module)
    }
    return {"experiments": experiments, "details": details, "files": _files(own, others)}


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
