"""What the checks of the contract share: drawn images, players, their bits, draws that count, the speed."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from baselines.spec import Players
from benchmark.training import checkpoint, packing, trainer
from benchmark.training.draws import SeededDraws

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from baselines.spec import Experiment, Losses

PAST_WARM_UP = 30
"""A G-iteration after the 25 of 100 critic steps each of WGAN's released schedule."""
_SPEED_S = 2.0
_SPEED_ITERS = 50
_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


class Note(str):
    """What is no fault, but should be known."""

    __slots__ = ()


class Counted:
    """Draws on a device that count the real minibatches they gave; on `meta`, tensors have shapes only."""

    def __init__(self, experiment: Experiment[Any], k: int, seed: int = 0, device: str = "cpu") -> None:
        images, labels = pictures(experiment)
        self.pixels: list[Tensor] = []
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
            self.pixels.append((drawn[0] if isinstance(drawn, tuple) else drawn).clone())
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


def iterated(experiment: Experiment[Any], *, seed: int = 0, elsewhere: int = 0) -> tuple[Players, Losses]:
    """Players and losses after one G-iteration; what belongs to nobody is `elsewhere`: generators, clocks."""
    players = players_of(experiment)
    torch.manual_seed(elsewhere)
    draws: Any = Counted(experiment, PAST_WARM_UP, seed)
    with _days_later(elsewhere):
        return players, iterate(experiment, players, PAST_WARM_UP, draws)


@contextlib.contextmanager
def _days_later(days: int) -> Iterator[None]:
    """The clocks of the module `time` are ahead."""
    clocks = {name: getattr(time, name) for name in _CLOCKS}
    for name, clock in clocks.items():
        ahead = days * 86_400 * (10**9 if name.endswith("_ns") else 1)
        setattr(time, name, lambda clock=clock, ahead=ahead: clock() + ahead)
    try:
        yield
    finally:
        for name, clock in clocks.items():
            setattr(time, name, clock)


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
    """G-iterations per second here, from a few of them, and how many; the first two do not count.

    Raises:
        ValueError: its losses have other names than before, or are not finite.

    """
    draws: Any = Counted(experiment, 0)
    begin, k = time.perf_counter(), 0
    names: list[str] = []
    while k < 3 or (k < _SPEED_ITERS and time.perf_counter() - begin < _SPEED_S):
        if k == 2:
            begin = time.perf_counter()
        try:
            losses = iterate(experiment, players, k, draws.at(k))
            names = names or list(losses)
            if sorted(losses) != sorted(names):
                raise ValueError(f"iterate returns the losses {_listed(losses)} after {_listed(names)}")
            if bad := [name for name, loss in losses.items() if not loss.isfinite()]:
                raise ValueError(f"the loss '{bad[0]}' is not finite")
        except Exception as error:
            error.add_note(f"at G-iteration {k}")
            raise
        k += 1
    return (k - 2) / (time.perf_counter() - begin), k


def bits(players: Players, part: str = "") -> tuple[str, Any]:
    """Digest of all tensors, or of a part's, and all else."""
    tensors, plain = packing.packed(players)
    if part:
        tensors = packing.part(tensors, part)
    return checkpoint.digest(tensors), plain.get(part) if part else plain
