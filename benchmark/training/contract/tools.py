"""What the checks of the contract share: drawn images, players, their bits, draws that count, the speed."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from baselines.loop_state import LoopState
from baselines.spec import Players
from benchmark.training import checkpoint, packing, trainer
from benchmark.training.draws import SeededDraws

if TYPE_CHECKING:
    from collections.abc import Iterable

    from baselines.spec import Experiment, Losses

PAST_WARM_UP = 30
"""A G-iteration after the 25 of 100 critic steps each of WGAN's released schedule."""
_SPEED_S = 2.0
_SPEED_ITERS = 50
_LATE = (60, 80, 100, 150, 200, 300, 396)
"""Numbers of G-iterations; what is continued follows the last, whose successor is a multiple of none."""


class Note(str):
    """What is no fault, but should be known."""

    __slots__ = ()


class Counted:
    """Draws on a device that keep the real minibatches they gave; on `meta`, tensors have shapes only."""

    def __init__(self, experiment: Experiment[Any], k: int, seed: int = 0, device: str = "cpu") -> None:
        images, labels = pictures(experiment)
        self.real: list[tuple[Tensor, ...]] = []
        self.real_batches = 0
        self._draws, self._device = SeededDraws(experiment, seed, images, labels).at(k), device

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._draws, name)
        return (lambda *given: self._seen(name, found(*given))) if callable(found) else found

    def at(self, k: int) -> Counted:
        """Move to G-iteration k."""
        self._draws.at(k)
        return self

    def _seen(self, name: str, drawn: Any) -> Any:
        self.real_batches += name in ("images", "labelled_images", "skip_images")
        if name in ("images", "labelled_images"):
            self.real.append(tuple(x.clone() for x in (drawn if isinstance(drawn, tuple) else (drawn,))))
        if isinstance(drawn, tuple):
            return tuple(x.to(self._device) for x in drawn)
        return drawn.to(self._device) if isinstance(drawn, Tensor) else drawn


def pictures(experiment: Experiment[Any]) -> tuple[Tensor, Tensor | None]:
    """Two batches and a half of drawn images, uint8, with their classes where there are some."""
    random = torch.Generator().manual_seed(0)
    n = 0 if experiment.points else experiment.settings.batch * 5 // 2
    images = torch.randint(256, (n, *experiment.image_shape), generator=random, dtype=torch.uint8)
    classes = torch.randint(experiment.classes, (n,), generator=random) if experiment.classes else None
    return images, classes


def players_of(experiment: Experiment[Any], device: str = "cpu") -> Players:
    """New players; on `meta` without content, built there."""
    if device == "cpu":
        return trainer.build(experiment, 0, pictures(experiment)[0])
    with torch.device(device):
        return experiment.build(
            experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.5)
        )


def iterated(
    experiment: Experiment[Any], *, seed: int = 0, other_process: bool = False
) -> tuple[Players, Losses]:
    """Players and losses after one G-iteration; its generators are those of a process or another."""
    players = players_of(experiment)
    torch.manual_seed(other_process)
    draws: Any = Counted(experiment, PAST_WARM_UP, seed)
    return players, iterate(experiment, players, PAST_WARM_UP, draws)


def iterate(experiment: Experiment[Any], players: Players, k: int, draws: Any) -> Losses:
    """One G-iteration.

    Raises:
        TypeError: it gives no scalar tensors by name, or a checkpoint cannot hold what it keeps.
        ValueError: it changes settings, or has other networks or optimisers in the place of those of `build`.

    """
    parts, given = players.parts(), experiment.settings.values()
    losses: Any = experiment.iterate(experiment.settings, players, k, draws)
    if not isinstance(losses, dict):
        raise TypeError(f"iterate returns {_kind(losses)}, not a dict of losses")
    for name, loss in losses.items():
        if not isinstance(loss, Tensor):
            raise TypeError(f"the loss '{name}' is {_kind(loss)}, not a tensor")
        if loss.shape:
            raise TypeError(
                f"the loss '{name}' has the shape {list(loss.shape)}, not that of a number: mean()"
            )
    for name, part in players.more.items():
        if not (hasattr(part, "state_dict") and hasattr(part, "load_state_dict")):
            what = f"Players.more['{name}'] is {_kind(part)}"
            raise TypeError(f"{what}: give an object with state_dict and load_state_dict, or a tensor in one")
    for name in sorted(vars(players).keys() - {field.name for field in dataclasses.fields(Players)}):
        raise TypeError(
            f"Players has no '{name}': give it in Players.more, which goes to the training device"
        )
    for name, part in players.parts().items():
        if name not in parts or (part is not parts[name] and isinstance(part, nn.Module | Optimizer)):
            done = "replaced by another object" if name in parts else "made"
            raise ValueError(
                f"Players.{name} is {done} in iterate, and a continued run has that of build: make it there, "
                "and copy into it with load_state_dict()"
            )
    for name, value in experiment.settings.values().items():
        if value != given[name]:
            raise ValueError(f"iterate changes settings.{name}: a value that changes is a function of k")
    return losses


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def speed(experiment: Experiment[Any], players: Players) -> tuple[float, int]:
    """G-iterations per second here, and the number of the next; the first two do not count.

    The last ones are of those that a short suite ends with: what depends on their number fails here.

    Raises:
        ValueError: its losses have other names than before, or are not finite; it uses other minibatches.

    """
    draws: Any = Counted(experiment, 0)
    begin, k = time.perf_counter(), 0
    names: list[str] = []
    while k < 3 or (k < _SPEED_ITERS and time.perf_counter() - begin < _SPEED_S):
        if k == 2:
            begin = time.perf_counter()
        names = _iterated_at(k, experiment, players, draws, names)
        k += 1
    rate = (k - 2) / (time.perf_counter() - begin)
    for late in _LATE:
        if late == _LATE[-1] or time.perf_counter() - begin < _SPEED_S:
            names = _iterated_at(late, experiment, players, draws, names)
    return rate, _LATE[-1] + 1


def _iterated_at(
    k: int, experiment: Experiment[Any], players: Players, draws: Any, names: list[str]
) -> list[str]:
    """The names of its losses, which are those that were given, if there were some."""
    draws.real_batches = 0
    try:
        losses = iterate(experiment, players, k, draws.at(k))
        if names and sorted(losses) != sorted(names):
            raise ValueError(f"iterate returns the losses {_listed(losses)} after {_listed(names)}")
        if bad := [name for name, loss in losses.items() if not loss.isfinite()]:
            raise ValueError(f"the loss '{bad[0]}' is not finite")
        said = experiment.real_batches(experiment.settings, k + 1)
        said -= experiment.real_batches(experiment.settings, k)
        if said != draws.real_batches:
            raise ValueError(f"real_batches says {said}, but {draws.real_batches} were used")
    except Exception as error:
        error.add_note(f"at G-iteration {k}")
        raise
    return list(losses)


def heeds_classes(network: nn.Module, x: Tensor) -> bool:
    """Whether a conditional network gives something else for other classes."""
    with torch.no_grad():
        one, other = (tree_leaves(network.eval()(x, torch.full((len(x),), c))) for c in (0, 1))
    return not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def bits(players: Players, part: str = "") -> tuple[str, Any]:
    """Digest of all tensors, or of a part's, and all else.

    Of all, without what is constant in a loop: the time at which it began may be another one.
    """
    tensors, plain = packing.packed(players)
    if part:
        return checkpoint.digest(packing.part(tensors, part)), plain.get(part)
    for name, state in players.parts().items():
        if isinstance(state, LoopState):
            constant = state.constants()
            plain[name] = [pair for pair in plain[name]["dict"] if pair[0] not in constant]
    return checkpoint.digest(tensors), plain
