"""The trainer of a probe, and what is kept of what it computes."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from benchmark.data.framing import frame
from benchmark.engines.probing.precision import in_double
from benchmark.evaluation import digits_lenet, extractors, fidelity
from benchmark.training import checkpoint
from benchmark.training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from baselines.spec import Experiment, Players
    from benchmark.training.quantise import Generated
    from benchmark.training.trainer import Scores


class RecordedRun:
    """A trainer, and every loss of its G-iterations as it was computed (a record keeps them in float32)."""

    trainer: Trainer

    def __init__(self) -> None:
        self.losses: dict[str, list[float | None]] = {}

    def recording(self, experiment: Experiment[Any], numerics: str) -> Experiment[Any]:
        """The experiment in the numerics, whose losses are kept here too."""

        def iterate(s: Any, players: Players, k: int, draws: Any) -> dict[str, Tensor]:
            losses = experiment.iterate(s, players, k, draws)
            for name, value in losses.items():
                x = float(value)
                self.losses.setdefault(name, []).append(x if math.isfinite(x) else None)
            return losses

        build = in_double(experiment) if numerics == "float64" else experiment.build
        return replace(experiment, iterate=iterate, build=build)

    def go(self) -> None:
        """Train to the end."""
        self.trainer.run(lambda: False)

    def weights_digest(self) -> str:
        """Over all weights, buffers and optimiser states."""
        return checkpoint.digest(checkpoint.tensors_of(self.trainer.players))

    def bits(self) -> str:
        """Digest of losses and weights."""
        return digest_of([self.losses, self.weights_digest()])

    def norms(self) -> dict[str, float]:
        """Euclidean norm of each network's weights, summed in float64."""
        players = self.trainer.players
        return {name: _norm(getattr(players, name)) for name in ("generator", "critic")}


class WithoutCheckpoints(Trainer):
    """Writing those of wide networks would take longer than training them."""

    def _write_checkpoint(self) -> None:
        pass


class FewImages:
    """Looks at the few images of an evaluation. Implements `trainer.Evaluator`."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._images, self._outputs = torch.empty(0, dtype=torch.uint8), torch.empty(0)
        self._scores: Scores = {}

    @property
    def n_generated(self) -> int:
        """Images that are generated."""
        return self._n

    def scores_of(self, batches: Iterable[Generated]) -> Scores:
        """The Inception score of digits-lenet, whatever the images are of."""
        all_of_them = list(batches)
        self._images = torch.cat([batch.images for batch in all_of_them])
        self._outputs = torch.cat([b.outputs for b in all_of_them if b.outputs is not None])
        size = digits_lenet.IMAGE_SIZE
        small = frame(self._images[:, :1, :size, :size], size)
        net = extractors.load(digits_lenet.NAME)
        _, logits = extractors.extract(net, small, torch.device("cpu"))
        self._scores = {"probe": {"is": fidelity.inception_score(logits, splits=1)}}
        return self._scores

    def digest(self) -> str:
        """Of the uint8 images."""
        return checkpoint.digest({"images": self._images})

    def numbers(self) -> dict[str, float]:
        """Of the images before they were quantised, of the uint8 images, and the score."""
        outputs, images = self._outputs.double(), self._images.double()
        return {
            "outputs_mean_square": float(outputs.square().mean()),
            "pixels_mean": float(images.mean()),
            "inception_score": self._scores["probe"]["is"],
        }


class Nobody:
    """Watches nothing. Implements `trainer.Watcher`."""

    def progress(self, phase: str, gen_iters: int) -> None:
        """Nobody is told."""

    def event(self, name: str, **details: Any) -> None:
        """A checkpoint that cannot be read has to be heard of."""
        if name == "checkpoint_unusable":
            raise RuntimeError(f"{details['file']}: {details['reason']}")


def _norm(network: nn.Module) -> float:
    squares = (p.detach().double().square().sum() for p in network.parameters())
    return math.sqrt(float(torch.stack(list(squares)).sum()))


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of JSON data, keys sorted."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
