"""The code of one G-iteration with all it calls of the baselines: the algorithm as an appendix prints it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import FunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PLUMBING = ("baselines.spec", "baselines.layers")
"""Not listed: what every baseline uses, and what belongs to the networks."""


def listing(function: Callable[..., object]) -> str:
    """Source of a function, then of the functions of its package that it calls, in order of use."""
    found: list[FunctionType] = []
    waiting = [inspect.unwrap(part) for part in getattr(function, "parts", (function,))]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, FunctionType) or current in found:
            continue
        found.append(current)
        waiting += _called(current)
    return "\n\n".join(filter(None, (_source(f).rstrip() for f in found)))


def _source(function: FunctionType) -> str:
    """Its source, from column 0 if all of it is indented; empty where there is none, as of `exec`."""
    try:
        return textwrap.dedent(inspect.getsource(function))
    except OSError:
        return ""


def _tree(source: str) -> ast.AST:
    """Of a source that may be indented: a comment or a text at the margin hinders `dedent`."""
    try:
        return ast.parse(f"if True:\n{source}" if source[:1] in (" ", "\t") else source)
    except SyntaxError:  # what is listed decides nothing
        return ast.Module([], [])


def _called(function: FunctionType) -> list[FunctionType]:
    package = function.__module__.split(".", 1)[0]
    called = []
    for node in ast.walk(_tree(_source(function))):
        if isinstance(node, ast.Name):
            called += _functions(function.__globals__.get(node.id), (package, "baselines"))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = function.__globals__.get(node.value.id)
            if inspect.ismodule(owner):
                called += _functions(getattr(owner, node.attr, None), (package, "baselines"))
    return called


def _functions(value: object, packages: tuple[str, ...]) -> list[FunctionType]:
    """The value, or a table's values, as far as they are functions of these packages."""
    if isinstance(value, dict):
        return [f for inner in value.values() for f in _functions(inner, packages)]
    if isinstance(value, tuple):
        return [f for inner in value for f in _functions(inner, packages)]
    value = inspect.unwrap(value) if callable(value) else value
    if not isinstance(value, FunctionType) or value.__module__ in _PLUMBING:
        return []
    return [value] if value.__module__.split(".", 1)[0] in packages else []
