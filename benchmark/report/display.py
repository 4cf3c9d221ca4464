"""What a paper calls an experiment: its title without the data set, and the key that it is cited by."""

import re
from collections import Counter
from collections.abc import Sequence

from benchmark.records.cells import Cell

_ON = re.compile(r"(?P<method>.+?) on (?:the |an? )?[^,(]+(?P<rest>[^(]*)")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._+-]*")


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
