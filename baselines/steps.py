"""An existing training loop as an experiment: `from_steps` calls its step functions for each G-iteration.

The loop is an object that owns its networks, optimisers and schedulers. `make(settings)` gives a new one: the
class itself, or a function that ends in ``return SimpleNamespace(generator=..., d_step=d_step, ...)``.
It has

* ``d_step(real)`` and ``g_step()``, each one update, which return their loss; a conditional one has
  ``d_step(real, classes)``; or
* ``train(batches)``, a generator function that takes its real minibatches from `batches` and yields the
  losses of a G-iteration, ``{"critic": ..., "generator": ...}``, before it takes those of the next.

What the object holds is in the checkpoints: networks, optimisers, schedulers, tensors, arrays, plain values,
containers of them (`loop_values`), and which weights have gradients. Objects of other classes without a
``state_dict`` and local variables of ``train`` are not; a continued run starts it again. A step must not put
another network, optimiser or scheduler in the place of one that the object has.

Whatever the steps draw comes from the global generators of torch, NumPy and Python, which are seeded anew for
every G-iteration from (seed, G-iteration) alone and put back afterwards. Their bits depend on the version of
torch and on the device, where those of `Draws` do not; the setting `global_generators` says so.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines import spec
from baselines.loop_state import LoopState
from baselines.spec import Draws, Experiment, Losses, Players, Settings, Stateful

SEEDED = "seeded for each G-iteration"
_LOOP = "attributes"
_Batch = tuple[Tensor, ...]


def from_steps(
    name: str,
    make: Callable[[Any], Any],
    *,
    settings: Mapping[str, Any],
    generator: str = "generator",
    critic: str = "critic",
    sampler: str = "",
    image_range: tuple[float, float] = (-1.0, 1.0),
    classes: int = 0,
    **about: Any,
) -> Experiment[Any]:
    """Make an experiment of one's own loop.

    Args:
        name: ``baseline/experiment``.
        make: a new loop from the settings; called for every run, and to describe it.
        settings: `batch`, `latent` and whatever `make` reads, as plain values; `critic_steps`, minibatches
            and calls of `d_step` per G-iteration, is 1 unless given.
        generator: attribute of the loop with the network that makes images.
        critic: attribute with the other network.
        sampler: attribute with the network to score, where that is not the generator.
        image_range: values of images that are black and white; real minibatches are scaled to it.
        classes: number of classes of a conditional loop, whose networks take (input, classes); else 0.
        about: further fields of `spec.Experiment`: `dataset` and `image_shape` at least.

    Raises:
        TypeError: a setting or field that is missing or does not fit.

    """
    iterate = _Iteration(make, image_range, classes)

    def build(s: Settings, shape: tuple[int, int, int], mean_image: Tensor) -> Players:  # noqa: ARG001
        with _seeded(torch.initial_seed()):  # torch's own generator is the benchmark's here
            return _players(make(s), generator, critic, sampler)

    return Experiment(
        name=name,
        settings=spec.settings(**{"critic_steps": 1, **settings, "global_generators": SEEDED}),
        image_range=image_range,
        classes=classes,
        build=build,
        iterate=iterate,
        **about,
    )


class _Iteration:
    """One G-iteration of a loop: `iterate` of its experiment. `parts` are the functions that are listed."""

    def __init__(self, make: Callable[[Any], Any], image_range: tuple[float, float], classes: int) -> None:
        self.__module__ = make.__module__
        self._range, self._classes = image_range, classes
        steps = [getattr(make, step, None) for step in ("d_step", "g_step", "train")]
        self.parts = [step for step in steps if step] or [make]

    def __call__(self, s: Any, players: Players, k: int, draws: Draws) -> Losses:  # noqa: ARG002
        """Steps with everything global seeded; new tensors are on the training device by default."""
        owned = players.more[_LOOP]
        assert isinstance(owned, _Running)
        device = next(players.generator.parameters()).device
        with ExitStack() as here:
            here.enter_context(_seeded(draws.seed(), device))
            if device.type != "cpu":
                here.enter_context(device)
            batches = self._batches(draws)
            if hasattr(owned.loop, "train") and not isinstance(owned.loop, nn.Module):
                losses = _detached("train", owned.trained(batches, s.critic_steps), device)
                owned.check("train")
                return losses
            losses = {}
            for _ in range(s.critic_steps):
                losses |= _detached("d_step", owned.loop.d_step(*next(batches)), device)
            owned.check("d_step")
            losses |= _detached("g_step", owned.loop.g_step(), device)
            owned.check("g_step")
            return losses

    def _batches(self, draws: Draws) -> Iterator[_Batch]:
        """Real minibatches [B, C, H, W], scaled, with their classes where there are some."""
        low, high = self._range
        while True:
            images, *labels = draws.labelled_images() if self._classes else (draws.images(),)
            yield (images * ((high - low) / 255) + low, *labels)


class _Running(LoopState):
    """A loop's state, with its `train` as it goes on."""

    def __init__(self, loop: Any) -> None:
        super().__init__(loop)
        self._running: Iterator[Any] | None = None
        self._batches: Iterator[_Batch] = iter(())
        self._taken = 0

    def trained(self, batches: Iterator[_Batch], n: int) -> Any:
        """What the loop's `train` yields next, after it took n minibatches."""
        self._batches, self._taken = batches, 0
        if self._running is None:
            self._running = iter(self.loop.train(self._all()))
        try:
            losses = next(self._running)
        except StopIteration:
            raise ValueError("train() ends: it must go on for as long as it is asked to") from None
        if self._taken != n:
            raise ValueError(
                f"train() took {self._taken} minibatches for a G-iteration, not critic_steps={n}"
            )
        return losses

    def _all(self) -> Iterator[Any]:
        while True:
            self._taken += 1
            real, *labels = next(self._batches)
            yield (real, *labels) if labels else real


def _players(loop: Any, generator: str, critic: str, sampler: str) -> Players:
    state = _Running(loop)
    for name in filter(None, (generator, critic, sampler)):
        if not isinstance(state.parts.get(name), nn.Module):
            raise TypeError(f"{type(loop).__name__} has no network '{name}'")
    stateful = {name: part for name, part in state.parts.items() if not isinstance(part, Tensor)}
    optimisers = [_optimiser_of(name, stateful) for name in (generator, critic)]
    used = {generator, critic, sampler, *optimisers}
    more: dict[str, Stateful] = {name: part for name, part in stateful.items() if name not in used}
    g, c = (stateful[name] for name in optimisers)
    scored = state.parts[sampler] if sampler and sampler != generator else None
    more[_LOOP] = state
    return Players(state.parts[generator], state.parts[critic], g, c, sampler=scored, more=more)


def _optimiser_of(name: str, stateful: Mapping[str, Any]) -> str:
    """Name of the first optimiser that has weights of the network."""
    own = {id(p) for p in stateful[name].parameters()}
    for optimiser, part in stateful.items():
        groups = part.param_groups if isinstance(part, torch.optim.Optimizer) else ()
        if own & {id(p) for group in groups for p in group["params"]}:
            return optimiser
    raise TypeError(f"no optimiser has the weights of '{name}'")


def _detached(step: str, given: Any, device: torch.device) -> Losses:
    """Losses by name, of what a step returns: a number, or several by name."""
    player = {"d_step": "critic", "g_step": "generator"}.get(step, "")
    losses = given if isinstance(given, Mapping) else {player: given}
    wanted = (player,) if player else ("critic", "generator")
    if missing := [name for name in wanted if losses.get(name) is None]:
        raise ValueError(f"{step} gives no loss '{missing[0]}': return it, or a dict that has it")
    return {name: torch.as_tensor(loss, device=device).detach().reshape(()) for name, loss in losses.items()}


@contextmanager
def _seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the global generators of torch, NumPy and Python, and put them back."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    devices = [device] if device and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
