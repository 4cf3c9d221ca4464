"""What is checked of a run that is continued: it ends as if it had never stopped."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from benchmark.training import checkpoint, packing
from benchmark.training.contract import unkept
from benchmark.training.contract.tools import Counted, bits, iterate, iterated, pictures, players_of
from benchmark.training.trainer import Cadence, Trainer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment, Players

_RESUMED_AT, _RESUME_ITERS = 2, 4


def resume(experiment: Experiment[Any]) -> Iterator[str]:
    """A run that is continued from a checkpoint ends with the same bits."""
    iterated(experiment)  # what fails in a single G-iteration is said here as it is elsewhere
    with tempfile.TemporaryDirectory(prefix="ganbench-contract-") as folder:
        cadence = Cadence(wall_s=math.inf, gen_iters=_RESUMED_AT)
        whole, at_first = _trained(experiment, Path(folder), cadence)
        if lists := list(_lists(whole.players)):
            yield from lists
            return
        newest, *before = checkpoint.available(Path(folder) / "checkpoints")
        newest.unlink()
        if not before:
            yield "the run ends before its second checkpoint: its losses are not finite"
            return
        continued, _ = _trained(experiment, Path(folder), cadence)
    then, now = (_held(experiment, of.players) for of in (whole, continued))
    # What is constant in a run, such as the time at which it began, is no state.
    lost = unkept.changed(then, now) & unkept.changed(at_first, then)
    # What a module holds may only follow from its weights.
    if others := lost - dict(unkept.of_modules(whole.players)).keys():
        yield from map(unkept.said, sorted(others))
    elif differs := _differs(whole.players, continued.players):
        yield f"a continued run has {differs}"
    elif whole.losses.rows(0, _RESUME_ITERS) != continued.losses.rows(0, _RESUME_ITERS):
        yield "a continued run has other losses: something is in no checkpoint"
    else:
        yield from map(unkept.said, sorted(lost))


def _held(experiment: Experiment[Any], players: Players) -> dict[str, Any]:
    """What is held beside checkpoints."""
    return dict([*unkept.values(experiment, players), *unkept.of_modules(players)])


def goes_on(experiment: Experiment[Any], players: Players, k: int) -> Iterator[str]:
    """G-iteration k has the same bits with new players that have what a checkpoint has."""
    again = players_of(experiment)
    tensors, plain = packing.packed(players)
    packing.load_into(again, {name: x.clone() for name, x in tensors.items()}, plain)
    switched = _flags(players) != _flags(again)
    for one in (players, again):
        draws: Any = Counted(experiment, k)
        iterate(experiment, one, k, draws)
    if differs := _differs(players, again):
        why = (
            " (train(), eval() or requires_grad_() was called before, and is kept nowhere)"
            if switched
            else ""
        )
        yield f"a run that is continued at G-iteration {k} has {differs}{why}"


def _flags(players: Players) -> list[bool]:
    networks = [part for part in players.parts().values() if isinstance(part, nn.Module)]
    return [x for n in networks for x in (*(m.training for m in n.modules()), *_trains(n))]


def _differs(whole: Players, continued: Players) -> str:
    """In which part players differ, with what may be the reason."""
    for name, part in whole.parts().items():
        if bits(whole, name) != bits(continued, name):
            lost = unkept.changed(dict(unkept.of_modules(whole)), dict(unkept.of_modules(continued)))
            what = ", ".join(sorted(lost)[:3]) or "something"
            do = f": {unkept.DO}" if lost else ""
            return f"other bits in {name} ({type(part).__name__}): {what} is in no checkpoint{do}"
        if _trains(part) != _trains(continued.parts()[name]):
            return f"other requires_grad in {name}: no checkpoint of these players has it"
    return ""


class _Nobody:
    """Watches nothing. Implements `trainer.Watcher`."""

    def progress(self, phase: str, gen_iters: int) -> None:
        """Nobody is told."""

    def event(self, name: str, **details: Any) -> None:
        """A checkpoint that cannot be read has to be heard of."""
        if name == "checkpoint_unusable":
            raise ValueError(f"{details['file']}: {details['reason']}")


def _lists(players: Players) -> Iterator[str]:
    """Optimisers that hold tensors in lists, such as the directions of L-BFGS."""
    for name, part in players.parts().items():
        states = part.state.values() if isinstance(part, Optimizer) else ()
        slots = (slot for own in states for slot in own.items())
        found = (slot for slot, x in slots if isinstance(x, list) and any(isinstance(y, Tensor) for y in x))
        if slot := next(found, ""):
            yield (
                f"{name} ({type(part).__name__}) keeps '{slot}' as a list of tensors, which no checkpoint "
                "can hold: take an optimiser whose state is a tensor for each weight, such as Adam or SGD"
            )


def _trains(part: Any) -> list[bool]:
    return [p.requires_grad for p in part.parameters()] if isinstance(part, nn.Module) else []


def _trained(experiment: Experiment[Any], folder: Path, cadence: Cadence) -> tuple[Trainer, dict[str, Any]]:
    """After training, and what was held beside checkpoints after its first G-iteration."""
    images, labels = pictures(experiment)
    first = experiment.starts_from
    trainer = Trainer(
        experiment,
        seed=0,
        budget=_RESUME_ITERS,
        evaluate_at=[],
        images=images,
        labels=labels,
        pretrained=_any_weights(experiment) if first else None,
        evaluator=None,
        directory=folder,
        watcher=_Nobody(),
        cadence=cadence,
        started=time.perf_counter(),
    )
    at_first: dict[str, Any] = {}

    def remembering() -> bool:
        """Called after every G-iteration: whether to stop."""
        if not at_first:
            at_first.update(_held(experiment, trainer.players), k=trainer.state.gen_iters)
        return False

    trainer.run(remembering)
    return trainer, at_first


def _any_weights(experiment: Experiment[Any]) -> dict[str, Tensor]:
    return players_of(experiment).generator.get_submodule("pretrained").state_dict()
