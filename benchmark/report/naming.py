"""What reports call experiments: the method as its paper writes it, and how that is cited in a line."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmark.records.cells import Cell

_METHODS = {"gan": "GAN", "dcgan": "DCGAN", "wgan": "WGAN", "wgan_gp": "WGAN-GP", "sngan": "SN-GAN"}
_ON = re.compile(r"(?P<method>.+?) on (?:the |an? )?[^,(]+(?P<rest>[^(]*)")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._+-]*")


def method(experiment: str) -> str:
    """`wgan_gp/digits` → `WGAN-GP`; of a third party's the first part of its name."""
    first = experiment.partition("/")[0]
    return _METHODS.get(first, first)


def cited(experiment: Mapping[str, Any]) -> str:
    """`Gulrajani et al., 2017`, from a spec's experiment; empty without a citation."""
    paper = experiment.get("paper")
    citation = str(paper.get("citation", "")) if isinstance(paper, dict) else ""
    first, year = citation.partition(",")[0], citation.rpartition(",")[2].strip()
    authors = f"{first} et al." if " & " in citation else first
    return f"{authors}, {year}" if authors and year.isdecimal() else authors


def display_names(cells: Sequence[Cell]) -> dict[str, str]:
    """By the cells' labels: `WGAN-GP`; where two would be called so, `SN-GAN, standard CNN, hinge loss`."""
    whole = {cell.label: _parts(cell) for cell in cells}
    short = Counter(method for method, _ in whole.values())
    names = {
        label: method if short[method] == 1 else method + rest for label, (method, rest) in whole.items()
    }
    still = Counter(names.values())
    return {label: name if still[name] == 1 else f"{name} ({label})" for label, name in names.items()}


def _parts(cell: Cell) -> tuple[str, str]:
    title = str(cell.experiment.get("title") or cell.label)
    found = _ON.match(title)
    return (found["method"], found["rest"].rstrip(" ,")) if found else (title, "")


def cite_key(cell: Cell) -> str:
    """The key of its paper in citations.bib; empty where there is none to cite it by."""
    paper = cell.experiment.get("paper")
    key = str(paper.get("key", "")) if isinstance(paper, dict) else ""
    return key if _KEY.fullmatch(key) else ""
