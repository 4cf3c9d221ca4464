"""The training loop: G-iterations in between evaluations, for any experiment.

What a G-iteration does is one function in the baseline's file. This module calls it, scores the generator at
the evaluation points, writes checkpoints and notices divergence. Nothing here waits for the device inside an
iteration: losses stay on it and are read once per chunk.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from torch import Tensor

from benchmark.errors import Stopped
from benchmark.training import checkpoint, initial, sampling
from benchmark.training.draws import SeededDraws
from benchmark.training.loss_history import LossHistory, Row
from benchmark.training.portable import Portable, adopt_players, with_one_nan
from benchmark.training.quantise import NonFiniteImages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from baselines.spec import Experiment, Losses, Players
    from benchmark.training.quantise import Generated

CHUNK = 100
"""Most G-iterations between two looks at the losses. Changes no number."""
FIRST_LOSSES = 10
"""Iterations whose losses are in the record itself, to be compared where there is nothing else of the run."""


@dataclass(frozen=True)
class Cadence:
    """When to write checkpoints; one is also written at the end and when stopped. Changes no number.

    Attributes:
        wall_s: seconds of wall time between two; infinity for none.
        gen_iters: also after so many G-iterations; 0 for none.

    """

    wall_s: float = 60.0
    gen_iters: int = 0


class Watcher(Protocol):
    """Whoever follows a run: progress for a person, events for the log."""

    def progress(self, phase: str, gen_iters: int) -> None:
        """Called after every G-iteration and at the start of a phase; must be cheap."""

    def event(self, name: str, **details: Any) -> None:
        """Called for what belongs in `events.jsonl`."""


Scores = dict[str, dict[str, float]]
"""Value by protocol and metric."""


class Evaluator(Protocol):
    """Scores generated images; see `benchmark.evaluation.evaluator`."""

    @property
    def n_generated(self) -> int:
        """Images that the scores need."""

    def scores_of(self, batches: Iterable[Generated]) -> Scores:
        """Scores of batches that are generated while they are read."""


@dataclass
class State:
    """What a run has produced so far; with the tensors, all that a checkpoint holds."""

    numerics: str = "faithful"
    gen_iters: int = 0
    images_seen: int = 0
    diverged_at: int | None = None
    curve: list[dict[str, Any]] = field(default_factory=list)
    samples: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(
        default_factory=lambda: {
            "wall_s": 0.0,
            "startup_s": 0.0,
            "train_s": 0.0,
            "evaluate_s": 0.0,
            "checkpoint_s": 0.0,
            "cpu_s": 0.0,
        }
    )
    sessions: int = 0
    checkpoints: int = 0
    checkpoint_bytes: int = 0


class Trainer:
    """One run of one experiment under one seed, in its run directory.

    Args:
        experiment: what to train.
        seed: the run's seed.
        budget: G-iterations to make.
        evaluate_at: G-iterations at which to score, increasing.
        images: training images, uint8 [N, C, H, W] as large as the experiment's, on the training device or
            the CPU.
        labels: their classes, int64 [N], beside the images; for conditional experiments.
        device: the training device; that of the images unless given.
        pretrained: state dict for the generator's submodule of that name, for experiments with `starts_from`.
        evaluator: scores the images; None trains without scores.
        portable: whether to compute in the profile of `benchmark.training.portable`.
        directory: where checkpoints and samples go.
        watcher: told of progress and events.
        cadence: when to write checkpoints.
        started: `time.perf_counter()` at the start of the process, from which wall time counts.

    """

    def __init__(
        self,
        experiment: Experiment[Any],
        *,
        seed: int,
        budget: int,
        evaluate_at: list[int],
        images: Tensor,
        labels: Tensor | None = None,
        device: torch.device | None = None,
        pretrained: dict[str, Tensor] | None = None,
        evaluator: Evaluator | None,
        portable: bool = False,
        directory: Path,
        watcher: Watcher,
        cadence: Cadence = Cadence(),
        started: float,
    ) -> None:
        self.experiment, self.seed, self.budget = experiment, seed, budget
        self.evaluate_at, self.evaluator = evaluate_at, evaluator
        self.directory, self.watcher, self.cadence = directory, watcher, cadence
        self.draws = SeededDraws(experiment, seed, images, labels, device)
        self._pretrained, self._device = pretrained, device
        self._numerics = "portable" if portable else "faithful"
        self.state, self.players, self.losses = self._resume(images)
        self._wall_before = self.state.seconds["wall_s"] - started
        self._cpu_before = self.state.seconds["cpu_s"]
        self._last_checkpoint = (time.perf_counter(), self.state.gen_iters)
        self.state.sessions += 1
        self.state.seconds["startup_s"] += time.perf_counter() - started

    def run(self, stop: Callable[[], bool]) -> Literal["done", "diverged", "stopped"]:
        """Train and evaluate up to the budget, until divergence, or until `stop` says so.

        An evaluator may raise `Stopped`; what it was to score is in a checkpoint then.
        """
        state = self.state
        while True:
            if state.diverged_at is None and state.gen_iters in self.evaluate_at and not self._evaluated():
                try:
                    self._evaluate()
                except Stopped:
                    self._write_checkpoint()
                    return "stopped"
            if state.diverged_at is not None or state.gen_iters == self.budget:
                break
            self._train(min(self._next_evaluation(), state.gen_iters + CHUNK), stop)
            if state.diverged_at is not None:
                continue
            stopped = stop()
            if stopped or self._checkpoint_is_due():
                self._write_checkpoint()
            if stopped:
                return "stopped"
        self._write_checkpoint()
        return "done" if state.diverged_at is None else "diverged"

    def first_losses(self) -> list[Row]:
        """Of the first G-iterations, which a record holds itself."""
        return self.losses.rows(0, FIRST_LOSSES)

    def last_losses(self) -> Row | None:
        """Of the last G-iteration; None before the first."""
        return next(iter(self.losses.rows(len(self.losses) - 1, len(self.losses))), None)

    def _resume(self, images: Tensor) -> tuple[State, Players, LossHistory]:
        """Start from the newest intact checkpoint, or from the beginning."""
        folder = self.directory / "checkpoints"
        for path in checkpoint.available(folder):
            players = self._build(images)
            try:
                content, columns = checkpoint.restore(path, players)
                state, losses = State(**content), LossHistory(self.budget, columns)
                if state.numerics != self._numerics:
                    raise checkpoint.DamagedCheckpoint(f"{path.name} is of the profile {state.numerics}")
            except (checkpoint.DamagedCheckpoint, TypeError) as error:
                self.watcher.event("checkpoint_unusable", file=path.name, reason=str(error))
                continue
            self.draws.images_seen = state.images_seen
            self.watcher.event("resumed", gen_iters=state.gen_iters)
            return state, players, losses
        players = self._build(images)
        if self.experiment.starts_from:
            if self._pretrained is None:
                raise ValueError(
                    f"{self.experiment.name} needs the generator of {self.experiment.starts_from}"
                )
            players.generator.get_submodule("pretrained").load_state_dict(self._pretrained)
        return State(numerics=self._numerics), players, LossHistory(self.budget, {})

    def _build(self, images: Tensor) -> Players:
        exact = self._numerics == "portable"
        players = build(self.experiment, self.seed, images, self._device, exact=exact)
        if self._numerics == "portable":
            adopt_players(players, self.experiment.name)
        return players

    def _arithmetic(self) -> AbstractContextManager[Any]:
        """Where networks compute: the profile's mode, or torch as it is."""
        return Portable(self.experiment.name) if self._numerics == "portable" else nullcontext()

    def _iterate(self, k: int) -> Losses:
        """G-iteration k."""
        with self._arithmetic():
            losses = self.experiment.iterate(self.experiment.settings, self.players, k, self.draws.at(k))
        return with_one_nan(losses) if self._numerics == "portable" else losses

    def _train(self, until: int, stop: Callable[[], bool]) -> None:
        """G-iterations up to `until`, a stop or a checkpoint; sets `diverged_at` if a loss is not finite."""
        state, begin = self.state, time.perf_counter()
        for k in range(state.gen_iters, until):
            self.losses.append(self._iterate(k))
            state.gen_iters = k + 1
            self.watcher.progress("train", state.gen_iters)
            if stop() or self._checkpoint_is_due():
                break
        self.losses.collect()
        state.images_seen = self.draws.images_seen
        last = self.last_losses()
        if last and None in last.values():  # what the rest of the chunk computed means nothing
            state.diverged_at = len(self.losses)
            self.watcher.event("diverged", gen_iters=state.diverged_at, losses=last)
        state.seconds["train_s"] += time.perf_counter() - begin

    def _evaluate(self) -> None:
        """Score the generator as it is and save its sample grid."""
        state, begin = self.state, time.perf_counter()
        self.watcher.progress("evaluate", state.gen_iters)
        n_shown = sampling.n_shown(self.experiment)
        n = self.evaluator.n_generated if self.evaluator else n_shown
        shown: list[Generated] = []

        def generated() -> Iterator[Generated]:
            generator, arithmetic = self.players.scored, self._arithmetic
            for batch in sampling.batches(self.experiment, generator, self.seed, n, arithmetic):
                if sum(len(one.images) for one in shown) < n_shown:
                    shown.append(batch)
                yield batch

        try:
            scores = self._scores(generated())
        except NonFiniteImages as error:
            state.diverged_at = state.gen_iters
            self.watcher.event("diverged", gen_iters=state.gen_iters, reason=str(error))
            return
        name = f"samples/{state.gen_iters:09d}.png"
        state.samples[name] = self._save_picture(shown, self.directory / name)
        state.seconds["evaluate_s"] += time.perf_counter() - begin
        state.seconds["wall_s"] = self._wall()
        state.curve.append(
            {
                "gen_iters": state.gen_iters,
                "critic_updates": self.experiment.critic_updates(self.experiment.settings, state.gen_iters),
                "images_seen": state.images_seen,
                "wall_s": round(state.seconds["wall_s"], 3),
                "scores": scores,
                "losses": self.last_losses(),
            }
        )
        self.watcher.event("evaluated", **state.curve[-1])

    def _save_picture(self, shown: list[Generated], path: Path) -> str:
        """A grid of images, or points among as many of the data's: those that the next G-iteration draws."""
        if not self.experiment.points:
            return sampling.save_grid(torch.cat([batch.images for batch in shown]), path)
        real = sampling.real_points(self.experiment, self.draws.at(self.state.gen_iters))
        outputs = torch.cat([batch.outputs for batch in shown if batch.outputs is not None])
        return sampling.save_scatter(outputs.flatten(1), real, self.experiment.image_range, path)

    def _scores(self, batches: Iterator[Generated]) -> Scores:
        if self.evaluator:
            return self.evaluator.scores_of(batches)
        for _ in batches:
            pass
        return {}

    def _write_checkpoint(self) -> None:
        state, begin = self.state, time.perf_counter()
        self.watcher.progress("checkpoint", state.gen_iters)
        state.seconds["wall_s"] = self._wall()
        state.seconds["cpu_s"] = self._cpu_before + time.process_time()
        state.checkpoints += 1
        folder, losses = self.directory / "checkpoints", self.losses.columns()
        path = checkpoint.write(folder, self.players, asdict(state), losses)
        write_s = time.perf_counter() - begin
        state.checkpoint_bytes = path.stat().st_size
        state.seconds["checkpoint_s"] += write_s
        state.seconds["wall_s"] = self._wall()
        self._last_checkpoint = (time.perf_counter(), state.gen_iters)
        self.watcher.event(
            "checkpoint",
            gen_iters=state.gen_iters,
            file=path.name,
            bytes=state.checkpoint_bytes,
            write_s=round(write_s, 4),
        )

    def _checkpoint_is_due(self) -> bool:
        written_at, gen_iters = self._last_checkpoint
        if self.cadence.gen_iters and self.state.gen_iters - gen_iters >= self.cadence.gen_iters:
            return True
        return time.perf_counter() - written_at >= self.cadence.wall_s

    def _wall(self) -> float:
        return self._wall_before + time.perf_counter()

    def _evaluated(self) -> bool:
        return bool(self.state.curve) and self.state.curve[-1]["gen_iters"] == self.state.gen_iters

    def _next_evaluation(self) -> int:
        return min((k for k in self.evaluate_at if k > self.state.gen_iters), default=self.budget)


def _mean_image(images: Tensor) -> Tensor:
    """Mean of uint8 images [N, C, H, W] in 0..1, float32 on the CPU; exact sums, a part at a time.

    Black where there are none.
    """
    if not len(images):
        return torch.zeros(images.shape[1:])
    total = sum(part.sum(0, dtype=torch.int64) for part in torch.split(images, 4096))
    return torch.as_tensor(total).double().div(len(images)).div(255).float().cpu()


def build(
    experiment: Experiment[Any],
    seed: int,
    images: Tensor,
    device: torch.device | None = None,
    *,
    exact: bool = False,
) -> Players:
    """Networks and optimisers at G-iteration 0, a pure function of experiment, seed and training images.

    Built on the CPU and moved, so that the initial weights are the same on every device; with `exact`,
    refused where they are not the same on every machine.
    """
    players = initial.build(experiment, seed, _mean_image(images), exact=exact)
    device = device or images.device
    for network in (players.generator, players.critic):
        network.train()
        # Module.to moves parameters in place, so the optimisers keep pointing at them.
        network.to(device)
        if device.type == "cpu":
            memory_format = getattr(network, "memory_format", torch.channels_last)
            network.to(memory_format=memory_format)  # type: ignore[call-overload]
    for part in (players.sampler, *players.more.values()):
        if move := getattr(part, "to", None):
            move(device)
    return players
