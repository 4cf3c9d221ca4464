"""What is checked of a run that is continued: it ends as if it had never stopped."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from benchmark.training import checkpoint
from benchmark.training.contract import unkept
from benchmark.training.contract.tools import bits, iterated, pictures, players_of
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
    then, now = (dict(unkept.values(experiment, of.players)) for of in (whole, continued))
    # What is constant in a run, such as the time at which it began, is no state.
    if lost := unkept.changed(then, now) & unkept.changed(at_first, then):
        yield from map(unkept.said, sorted(lost))
        return
    for name, part in whole.players.parts().items():
        if bits(whole.players, name) != bits(continued.players, name):
            kind = type(part).__name__
            yield f"a continued run has other bits in {name} ({kind}): something is in no checkpoint"
            return
        if _trains(part) != _trains(continued.players.parts()[name]):
            yield f"a continued run has other requires_grad in {name}: no checkpoint of these players has it"
            return
    if whole.losses.rows(0, _RESUME_ITERS) != continued.losses.rows(0, _RESUME_ITERS):
        yield "a continued run has other losses: something is in no checkpoint"


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
    """After training, and what its loop held beside checkpoints before."""
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
    at_first = dict(unkept.values(experiment, trainer.players))
    trainer.run(lambda: False)
    return trainer, at_first


def _any_weights(experiment: Experiment[Any]) -> dict[str, Tensor]:
    return players_of(experiment).generator.get_submodule("pretrained").state_dict()
