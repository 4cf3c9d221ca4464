"""What reports call experiments: the method as its paper writes it, and how that is cited in a line."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmark.records.cells import Cell

_ON = re.compile(r"(?P<method>.+?) on (?:the |an? )?[^,(]+(?P<rest>[^(]*)(?P<brackets>.*)")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._+-]*")


def cited(experiment: Mapping[str, Any]) -> str:
    """`Gulrajani et al., 2017`, from a spec's experiment; empty without a citation."""
    paper = experiment.get("paper")
    citation = str(paper.get("citation", "")) if isinstance(paper, dict) else ""
    first, year = citation.partition(",")[0], citation.rpartition(",")[2].strip()
    authors = f"{first} et al." if " & " in citation else first
    return f"{authors}, {year}" if authors and year.isdecimal() else authors


def display_names(cells: Sequence[Cell]) -> dict[str, str]:
    """By the cells' labels: `WGAN-GP`; where two would be called so, `SN-GAN, standard CNN, hinge loss`.

    If need be with what the title has in brackets, or the label.
    """
    forms = {cell.label: _forms(cell) for cell in cells}
    taken = Counter(form for own in forms.values() for form in dict.fromkeys(own))
    return {label: next(form for form in own if taken[form] == 1) for label, own in forms.items()}


def _forms(cell: Cell) -> list[str]:
    """What it may be called, from short to unmistakable."""
    title = str(cell.experiment.get("title") or cell.label)
    found = _ON.match(title)
    forms = [title]
    if found:
        exact = found["method"] + found["rest"].rstrip(" ,")
        forms = [found["method"], exact, f"{exact} {found['brackets']}".rstrip()]
    return [*forms, f"{forms[-1]} ({cell.label})"]


def cite_key(cell: Cell) -> str:
    """The key of its paper in citations.bib; empty where there is none to cite it by."""
    paper = cell.experiment.get("paper")
    key = str(paper.get("key", "")) if isinstance(paper, dict) else ""
    return key if _KEY.fullmatch(key) else ""
