"""What a probe of an experiment computes, as JSON data: so small that all experiments take minutes.

`full` is the experiment at full width with a small batch. `late` is the same code with narrow networks,
started at G-iterations where something changes: those around every change of the critic's schedule, some
hundred epochs in, the middle and the end of the budget, and far beyond it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from baselines.spec import SUITE
from benchmark.engines.benching.measure import flop
from benchmark.training.draws import SeededDraws

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from baselines.spec import Experiment, Players

VERSION = 1
"""Of what a plan means; with another one, earlier results say nothing."""
GEN_ITERS = {"float32": 10, "float64": 3, "portable": 2}
"""G-iterations of `full` by numerics, where they are cheap. Losses are compared within a tolerance that is
known for ten; equal bits need fewer."""
AT_LEAST = {"float32": 4, "float64": 1, "portable": 1}
WIDE = 50_000_000
"""Weights beyond which `full` is float32 only: the others would take 10 GB."""
WORK = 120e9
"""Floating-point operations that float32 gets: about three seconds of one core."""
BATCH, SMALL_BATCH = 4, 2
_PER_WEIGHT = 250
"""Operations in whose time an optimiser updates one weight, which memory limits."""
NARROW = {"width": 8, "critic_width": 8, "units": 128}
"""Most of these settings in `late`, or a tenth; the last of every setting whose name ends so."""
SCHEDULE_UNTIL = 1001
"""G-iterations among which changes of the number of critic updates are looked for. WGAN's long critic phases
at 500 and 1000 are among them: one says nothing of the next."""
LATE = 499
"""With one minibatch of 4 of 10 images each, it is in epoch 166; and WGAN's long critic phase is next."""
SOME_EPOCHS = 166
"""In which a GAN's momentum still rises and a conditional DCGAN's learning rate falls."""
BEYOND = 10_000_001
"""Where every schedule has ended; no multiple of 500, where WGAN's critic is updated 100 times."""
GENERATED = 8
"""Images of the evaluation."""


def plan(experiment: Experiment[Any]) -> dict[str, Any]:
    """What to compute of an experiment; the same for the same settings and number of operations."""
    work, batch = _work(experiment, _of_batch(experiment, BATCH)) or 1.0, BATCH
    if work * AT_LEAST["float32"] > WORK:
        batch = SMALL_BATCH
        work = _work(experiment, _of_batch(experiment, batch)) or 1.0
    per_numerics = {
        name: max(AT_LEAST[name], min(most, int(WORK / work) * most // GEN_ITERS["float32"]))
        for name, most in GEN_ITERS.items()
    }
    if sum(_weights(experiment)) > WIDE:
        per_numerics |= {"float64": 0, "portable": 0}
    late = {**_of_batch(experiment, BATCH), **narrow(experiment)}
    return {
        "version": VERSION,
        "seed": 0,
        "images": {"full": _images(experiment, batch), "late": _images(experiment, BATCH)},
        "full": {
            "settings": _of_batch(experiment, batch),
            "start": _usual(experiment),
            "gen_iters": per_numerics,
            "generated": GENERATED,
        },
        "late": {"settings": late, "starts": {str(k): n for k, n in sorted(late_starts(experiment).items())}},
    }


def reduced(experiment: Experiment[Any], settings: Mapping[str, Any]) -> Experiment[Any]:
    """The experiment with other values of some settings."""
    cited = {name: (value, "the probe's plan", SUITE) for name, value in settings.items()}
    return replace(experiment, settings=experiment.settings.revised(**cited))


def _images(experiment: Experiment[Any], batch: int) -> int:
    """Two batches and a half, so that an epoch's end is met however it is dealt with.

    Only two of a small batch: a batch norm cannot have less.
    """
    return 0 if experiment.points else 2 * batch + (batch // 2 if batch > SMALL_BATCH else 0)


def _of_batch(experiment: Experiment[Any], batch: int) -> dict[str, Any]:
    """Batch sizes in proportion to `batch` real images."""
    values = experiment.settings.values()
    own = values["batch"]
    batch = min(own, batch)
    others = {n: v for n, v in values.items() if n.endswith("_batch") and _is_count(v)}
    return {"batch": batch, **{name: max(1, value * batch // own) for name, value in others.items()}}


def narrow(experiment: Experiment[Any]) -> dict[str, int]:
    """Settings that make networks narrow, as far as they have settings of these names and allow it."""
    found: dict[str, int] = {}
    batch = _of_batch(experiment, BATCH)
    for name, value in experiment.settings.values().items():
        most = NARROW.get("units" if name.endswith("units") else name)
        if not most or not _is_count(value) or value <= most:
            continue
        allowed = (n for n in (most, value // 10) if _work(experiment, {**batch, **found, name: n}))
        if narrow := next(allowed, None):
            found[name] = narrow
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _critic_updates(experiment: Experiment[Any], k: int) -> int:
    count: Callable[[Any, int], int] = experiment.critic_updates
    return count(experiment.settings, k + 1) - count(experiment.settings, k)


def _usual(experiment: Experiment[Any]) -> int:
    """The first G-iteration with as many critic updates as most have."""
    updates = [_critic_updates(experiment, k) for k in range(SCHEDULE_UNTIL)]
    return updates.index(max(set(updates), key=updates.count))


def late_starts(experiment: Experiment[Any]) -> dict[int, int]:
    """G-iteration → how many from there."""
    updates = [_critic_updates(experiment, k) for k in range(SCHEDULE_UNTIL)]
    starts = {LATE: 3, BEYOND: 1}
    if _usual(experiment):
        starts[0] = 1
    for k in range(1, SCHEDULE_UNTIL):
        if updates[k] != updates[k - 1] and not any(s <= k - 1 and k < s + n for s, n in starts.items()):
            starts[k - 1] = 2
    by_epochs = any(name.endswith(("_epoch", "_epochs")) for name in experiment.settings.values())
    if by_epochs and experiment.real_batches(experiment.settings, LATE) > LATE:
        starts[_in_epoch(experiment, SOME_EPOCHS)] = 3
    ends = [experiment.budget.gen_iters or 0]
    ends += [v for n, v in experiment.settings.values().items() if n.endswith("_iters") and _is_count(v)]
    for end in ends:
        if end > SCHEDULE_UNTIL:
            starts |= {end // 2 + 1: 1, end - 1: 1}
    return starts


def _in_epoch(experiment: Experiment[Any], epoch: int) -> int:
    """The first G-iteration of an epoch of the drawn images, at the latest `LATE`."""
    small = reduced(experiment, _of_batch(experiment, BATCH))
    draws = SeededDraws(small, 0, torch.zeros(_images(experiment, BATCH), *experiment.image_shape))
    return next((k for k in range(LATE) if draws.at(k).epoch >= epoch), LATE)


def _work(experiment: Experiment[Any], settings: dict[str, Any]) -> float:
    """Of one G-iteration in floating-point operations, counted on tensors without content.

    0 where it cannot be done: it needs a tensor's content, or does not allow these settings.
    """
    small = reduced(experiment, settings)
    n = _images(experiment, settings["batch"])
    images = torch.zeros((n, *experiment.image_shape), dtype=torch.uint8)
    labels = torch.zeros(n, dtype=torch.int64) if experiment.classes else None
    k = _usual(experiment)
    draws: Any = _WithoutContent(SeededDraws(small, 0, images, labels).at(k))
    try:
        players = _without_content(small)
        products = sum(flop(lambda: small.iterate(small.settings, players, k, draws)).values())
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        return 0.0
    updates = (1, _critic_updates(experiment, k))
    return float(products) + _PER_WEIGHT * sum(n * w for n, w in zip(updates, _weights(small), strict=True))


def _without_content(experiment: Experiment[Any]) -> Players:
    with torch.device("meta"):
        return experiment.build(
            experiment.settings, experiment.image_shape, torch.zeros(experiment.image_shape)
        )


def _weights(experiment: Experiment[Any]) -> tuple[int, int]:
    """Of generator and critic."""
    players = _without_content(experiment)
    networks = (players.generator, players.critic)
    generator, critic = (sum(p.numel() for p in network.parameters()) for network in networks)
    return generator, critic


class _WithoutContent:
    """Draws whose tensors have shapes only."""

    def __init__(self, draws: SeededDraws) -> None:
        self._draws = draws

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._draws, name)
        return (lambda *given: _shape_only(found(*given))) if callable(found) else found


def _shape_only(drawn: Any) -> Any:
    if isinstance(drawn, tuple):
        return tuple(map(_shape_only, drawn))
    return drawn.to("meta") if isinstance(drawn, torch.Tensor) else drawn
