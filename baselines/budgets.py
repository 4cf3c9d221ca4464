"""The papers' experiments that are not registered, and where those that are stand. Imports no torch.

Both are the content of `budgets.toml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class PaperRun:
    """An experiment of a paper that is not registered.

    Attributes:
        name: as a registered one's would be.
        paper: a key of `references.bib`.
        where: tables, figures, sections or scripts.
        gen_iters: the paper's; 0 where nothing is trained, None where it prints none.
        arithmetic: how the number comes about, or why there is none.

    """

    name: str
    title: str
    paper: str
    where: tuple[str, ...]
    arithmetic: str
    source: str
    confidence: Literal["high", "medium", "low"]
    gen_iters: int | None = None


@cache
def not_implemented() -> tuple[PaperRun, ...]:
    """All of them, in the order of the file."""
    found = []
    for block in _content()["not_implemented"]:
        for row in block["rows"]:
            fields: dict[str, Any] = {**block, **row}
            del fields["rows"]
            found.append(PaperRun(**{**fields, "where": tuple(fields["where"])}))
    return tuple(found)


@cache
def implemented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Registered experiments that stand in a paper: its key, and where."""
    entries = _content()["implemented"]
    return {name: (entry["paper"], tuple(entry["where"])) for entry in entries for name in entry["names"]}


@cache
def _content() -> dict[str, Any]:
    return tomllib.loads(files("baselines").joinpath("budgets.toml").read_text(encoding="utf-8"))
