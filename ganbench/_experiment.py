"""An experiment, as code of one's own gets and writes it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import baselines
from baselines import catalogue, spec
from benchmark.suites import experiments as names
from ganbench import _html

S = TypeVar("S", bound=spec.Settings)


class Experiment(spec.Experiment[S]):
    """A `baselines.spec.Experiment` that a notebook shows."""

    def _repr_html_(self) -> str:
        described = catalogue.describe(self, self.iterate.__module__)
        return _html.experiment({**described, **catalogue.detail(self)})


def get(name: str) -> Experiment[Any]:
    """The experiment of this name, with the functions that build and train; imports torch.

    Raises:
        UserError: an unknown name.

    """
    names.describe(name)
    found = baselines.get(name)
    return Experiment(**{field.name: getattr(found, field.name) for field in fields(found)})


def register(experiment: spec.Experiment[S]) -> spec.Experiment[S]:
    """Add an experiment to those of this process, and return it; an earlier one of its name goes.

    `get`, `describe` and `evaluate` know it then. Runs have processes of their own: `ganbench run` knows what
    an entry point of a package names (CONTRIBUTING.md).

    Raises:
        ValueError: its name is none or not free, or its networks give no images or no number for each.

    """
    return baselines.register(experiment)
