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

from benchmark.training.contract import continued, declared, fed, process, sampled, trained
from benchmark.training.contract.tools import Note, players_of, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from baselines.spec import Experiment

    Check = Callable[[Experiment[Any]], Iterator[str]]

__all__ = ["CHECKS", "Finding", "Note", "examine", "measured"]

CHECKS: dict[str, tuple[Check, str]] = {
    "declarations": (declared.declarations, "iterate"),
    "shapes": (declared.shapes, "build"),
    "statistics": (declared.statistics, "build"),
    "optimisers": (declared.optimisers, "build"),
    "counts": (trained.counts, "iterate"),
    "training": (trained.moves, "iterate"),
    "determinism": (trained.determinism, "iterate"),
    "gradients": (trained.gradients, "iterate"),
    "variables": (process.variables, "iterate"),
    "latents": (fed.latents, "iterate"),
    "scaling": (fed.images, "iterate"),
    "range": (sampled.value_range, "build"),
    "sampling": (sampled.sampling, "build"),
    "resume": (continued.resume, "iterate"),
    "device": (trained.device, "iterate"),
}
"""Each with the function of the experiment that it is about."""
_REMEDIES = {
    "deepcopy protocol": "weight_norm and spectral_norm of torch.nn.utils cannot be copied: take those of "
    "torch.nn.utils.parametrizations",
    "uninitialized parameter": "lazy layers have no weights yet: give sizes, or call the network in build",
}
"""By words of torch's messages, where these do not say what to do."""


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
    """What every check finds, check by check; one without a text where there is nothing.

    An error or a fault that an earlier check came upon is not told again.
    """
    told: dict[str, str] = {}
    for name, (check, about) in CHECKS.items():
        if name == "gradients" and "determinism" in told.values():
            yield Finding(
                name, what="not looked at: an iteration is no function of its draws", only_note=True
            )
            continue
        found = _findings(experiment, name, check, about)
        yield from (f for f in found if f.what not in told)
        if not found:
            yield Finding(name)
        told |= {f.what: name for f in found if not f.ok and f.what not in told}


def measured(experiment: Experiment[Any]) -> Finding | float:
    """G-iterations per second here, or why there are none: what fails late in training fails here."""
    changed, code = list[str](), _code(experiment, "iterate")
    try:
        with process.kept(changed):
            players = players_of(experiment)
            rate, k = speed(experiment, players)
            changed += continued.goes_on(experiment, players, k)
    except (Exception, SystemExit) as error:
        return _raised("training", error, code)
    faults = [what for what in changed if not isinstance(what, Note)]
    return Finding("training", _place(code), faults[0]) if faults else rate


def _findings(experiment: Experiment[Any], name: str, check: Check, about: str) -> list[Finding]:
    code, found, changed = _code(experiment, about), list[Finding](), list[str]()
    try:
        with warnings.catch_warnings(), process.kept(changed):
            warnings.simplefilter("ignore")
            for what in check(experiment):
                found.append(Finding(name, _place(code), _remedied(what), isinstance(what, Note)))
    except (Exception, SystemExit) as error:
        found.append(_raised(name, error, code))
    return found + [Finding(name, _place(code), what, isinstance(what, Note)) for what in changed]


def _raised(name: str, error: BaseException, code: Any) -> Finding:
    where = _raised_at(error, code) or _place(code)
    at = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return Finding(name, where, f"{_remedied(f'{type(error).__name__}: {error}')[:300]}{at}")


def _remedied(what: str) -> str:
    """In a line; with what to do in the place of torch's words, where these are known."""
    line = " ".join(what.split())
    return next((remedy for words, remedy in _REMEDIES.items() if words in line), line)


def _code(experiment: Experiment[Any], about: str) -> Any:
    """The function that a check is about."""
    code = getattr(experiment, about)
    code = getattr(code, "parts", (code,))[0]
    if about == "build":  # of `from_steps`, it is the loop that is somebody's
        code = next(iter(getattr(experiment.iterate, "parts", ())), code)
    return code


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
