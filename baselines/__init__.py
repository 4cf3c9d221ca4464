"""What the papers say: five baselines, one file each, and the registry that finds their experiments.

`get` imports torch and the baseline's file. `names` and `described` read `catalogue.json` instead, so that
listing and planning need no torch; they import the files when these are newer than the catalogue.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from baselines import catalogue

if TYPE_CHECKING:
    from baselines.spec import Experiment

ENTRY_POINT_GROUP = "ganbench.baselines"
"""Third parties register a module here; its `EXPERIMENTS` join the registry."""


class UnknownExperiment(LookupError):
    """No registered experiment has this name."""


class BrokenPlugin(Exception):
    """A third party's entry point does not give usable experiments."""


def names() -> tuple[str, ...]:
    """All experiment names, in the order of the papers; `BrokenPlugin` if a third party's cannot be had."""
    return tuple(_described())


def described(name: str) -> dict[str, Any]:
    """The experiment as JSON types (see `catalogue.describe`); `UnknownExperiment` for an unknown name."""
    if name not in _described():
        raise UnknownExperiment(name)
    return _described()[name]


def get(name: str) -> Experiment[Any]:
    """The experiment itself, with the functions that build and train; imports torch.

    Raises:
        UnknownExperiment: no registered experiment has this name.

    """
    module = importlib.import_module(described(name)["module"])
    experiment: Experiment[Any] = next(e for e in module.EXPERIMENTS if e.name == name)
    return experiment


@cache
def _described() -> dict[str, dict[str, Any]]:
    own = catalogue.read() or catalogue.compute(catalogue.MODULES)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            foreign = catalogue.compute([point.value])
        except Exception as error:
            raise BrokenPlugin(f"'{point.name}' ({point.value}) cannot be loaded: {error!r}") from error
        if taken := sorted(own.keys() & foreign.keys()):
            raise BrokenPlugin(f"'{point.name}' ({point.value}) has a name that is taken, '{taken[0]}'")
        own |= foreign
    return own
