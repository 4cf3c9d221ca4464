"""What is checked of a run that is continued: it ends as if it had never stopped."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.training import checkpoint
from benchmark.training.contract.tools import bits, iterated, pictures, players_of
from benchmark.training.trainer import Cadence, Trainer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from baselines.spec import Experiment

_RESUMED_AT, _RESUME_ITERS = 2, 4


def resume(experiment: Experiment[Any]) -> Iterator[str]:
    """A run that is continued from a checkpoint ends with the same bits."""
    iterated(experiment)  # what fails in a single G-iteration is said here as it is elsewhere
    with tempfile.TemporaryDirectory(prefix="ganbench-contract-") as folder:
        cadence = Cadence(wall_s=math.inf, gen_iters=_RESUMED_AT)
        whole = _trained(experiment, Path(folder), cadence)
        newest, *before = checkpoint.available(Path(folder) / "checkpoints")
        newest.unlink()
        if not before:
            yield "the run ends before its second checkpoint: its losses are not finite"
            return
        continued = _trained(experiment, Path(folder), cadence)
    for name, part in whole.players.parts().items():
        if bits(whole.players, name) != bits(continued.players, name):
            kind = type(part).__name__
            yield f"a continued run has other bits in {name} ({kind}): something is in no checkpoint"
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


def _trained(experiment: Experiment[Any], folder: Path, cadence: Cadence) -> Trainer:
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
    trainer.run(lambda: False)
    return trainer


def _any_weights(experiment: Experiment[Any]) -> dict[str, Tensor]:
    return players_of(experiment).generator.get_submodule("pretrained").state_dict()
