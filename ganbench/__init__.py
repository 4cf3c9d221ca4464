"""ganbench for Python: all that code of one's own needs. What is not here is private.

Everything is imported when it is used: `experiments`, `describe` and `load_results` need no torch. What goes
wrong is a `UserError` that says what, where and what to do.

For results: `experiments`, `describe`, `get`, `load_results`, `evaluate`. For a training loop of one's own:
`from_steps`. For baselines of one's own, in the order of a baseline file: `Paper`, `Settings`, filled by
`cited` or, without a paper, by `settings`, `Players`, `Draws`, `update`, `frozen`, `set_learning_rate`,
`Budget`, `Deviation`, `Experiment`, `register`; `examine` checks one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baselines.spec import (
        HIGH as HIGH,
    )
    from baselines.spec import (
        LOW as LOW,
    )
    from baselines.spec import (
        MEDIUM as MEDIUM,
    )
    from baselines.spec import (
        SUITE as SUITE,
    )
    from baselines.spec import (
        Budget as Budget,
    )
    from baselines.spec import (
        Confidence as Confidence,
    )
    from baselines.spec import (
        Deviation as Deviation,
    )
    from baselines.spec import (
        Draws as Draws,
    )
    from baselines.spec import (
        Losses as Losses,
    )
    from baselines.spec import (
        Paper as Paper,
    )
    from baselines.spec import (
        Players as Players,
    )
    from baselines.spec import (
        Settings as Settings,
    )
    from baselines.spec import (
        Source as Source,
    )
    from baselines.spec import (
        cited as cited,
    )
    from baselines.spec import (
        frozen as frozen,
    )
    from baselines.spec import (
        set_learning_rate as set_learning_rate,
    )
    from baselines.spec import (
        settings as settings,
    )
    from baselines.spec import (
        update as update,
    )
    from baselines.steps import from_steps as from_steps
    from benchmark.errors import UserError as UserError
    from benchmark.training.contract import examine as examine
    from ganbench._experiment import Experiment as Experiment
    from ganbench._experiment import get as get
    from ganbench._experiment import register as register
    from ganbench._names import describe as describe
    from ganbench._names import experiments as experiments
    from ganbench._results import load_results as load_results
    from ganbench._scores import Result as Result
    from ganbench._scores import evaluate as evaluate

_PLACES = {
    "baselines.spec": (
        *("HIGH", "LOW", "MEDIUM", "SUITE", "Budget", "Confidence", "Deviation", "Draws", "Losses", "Paper"),
        *("Players", "Settings", "Source", "cited", "frozen", "set_learning_rate", "settings", "update"),
    ),
    "baselines.steps": ("from_steps",),
    "benchmark.training.contract": ("examine",),
    "benchmark.errors": ("UserError",),
    "ganbench._experiment": ("Experiment", "get", "register"),
    "ganbench._names": ("describe", "experiments"),
    "ganbench._results": ("load_results",),
    "ganbench._scores": ("Result", "evaluate"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = sorted(_PLACE_OF)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("benchmark").__version__
    if name not in _PLACE_OF:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = getattr(importlib.import_module(_PLACE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
