"""The contract: what every experiment keeps to, whatever its method and whoever wrote it.

A check is a generator function from an experiment to what is wrong with it. `Note` marks what is only worth
knowing. `examine` runs all checks, in order, on networks as declared and a few drawn images.
"""

from __future__ import annotations

import inspect
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.training.contract import continued, declared, sampled, trained
from benchmark.training.contract.tools import Note, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from baselines.spec import Experiment

    Check = Callable[[Experiment[Any]], Iterator[str]]

__all__ = ["CHECKS", "Finding", "Note", "examine", "speed"]

CHECKS: dict[str, tuple[Check, str]] = {
    "declarations": (declared.declarations, "iterate"),
    "shapes": (declared.shapes, "build"),
    "statistics": (declared.statistics, "build"),
    "optimisers": (declared.optimisers, "build"),
    "counts": (trained.counts, "iterate"),
    "training": (trained.moves, "iterate"),
    "determinism": (trained.determinism, "iterate"),
    "gradients": (trained.gradients, "iterate"),
    "latents": (trained.latents, "iterate"),
    "scaling": (trained.scaling, "iterate"),
    "range": (sampled.value_range, "build"),
    "sampling": (sampled.sampling, "build"),
    "resume": (continued.resume, "iterate"),
    "device": (trained.device, "iterate"),
}
"""Each with the function of the experiment that it is about."""


@dataclass(frozen=True)
class Finding:
    """What a check says: nothing, where it is kept to."""

    check: str
    where: str = ""
    what: str = ""
    only_note: bool = False

    @property
    def ok(self) -> bool:
        """Whether the contract is kept in this."""
        return not self.what or self.only_note


def examine(experiment: Experiment[Any]) -> Iterator[Finding]:
    """What every check finds, as soon as it is found; one without a text where there is nothing."""
    for name, (check, about) in CHECKS.items():
        found = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for finding in _findings(experiment, name, check, about):
                found = True
                yield finding
        if not found:
            yield Finding(name)


def _findings(experiment: Experiment[Any], name: str, check: Check, about: str) -> Iterator[Finding]:
    code = getattr(experiment, about)
    code = getattr(code, "parts", (code,))[0]
    if about == "build":  # of `from_steps`, it is the loop that is somebody's
        code = next(iter(getattr(experiment.iterate, "parts", ())), code)
    try:
        for what in check(experiment):
            yield Finding(name, _place(code), " ".join(what.split()), isinstance(what, Note))
    except (Exception, UserError) as error:
        where = _raised_at(error, code) or _place(code)
        yield Finding(name, where, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")


def _place(code: Any) -> str:
    try:
        file, line = inspect.getsourcefile(code), inspect.getsourcelines(code)[1]
    except (OSError, TypeError):
        return ""
    return f"{Path(file).name}:{line}" if file else ""


def _raised_at(error: BaseException, code: Any) -> str:
    """The line of the experiment's own file, or package, that an error came through last."""
    try:
        own = Path(inspect.getsourcefile(code) or "")
    except TypeError:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename) == own]
    return f"{own.name}:{inside[-1].lineno}" if inside else ""
