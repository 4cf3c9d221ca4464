"""What is checked of G-iterations: their losses, draws, gradients and data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from benchmark.training.contract.stand_in import DEVICE, StandIn
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, Note, bits, iterate, iterated, players_of
from benchmark.training.quantise import to_uint8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment, Players

FIRST = 24
"""The last long critic loop of WGAN's released schedule."""
_GARBAGE = 1e3
_PRIORS = {
    "normal": (math.inf, 1.0, 3.0),
    "uniform": (1.0, 1 / 3, 1 / 5),
    "uniform-sqrt3": (math.sqrt(3), 1.0, 9 / 5),
}
"""Bound, variance, fourth moment."""


def counts(experiment: Experiment[Any]) -> Iterator[str]:
    """`real_batches` and `critic_updates` count what iterations use."""
    players, draws = players_of(experiment), Counted(experiment, FIRST)
    steps = {name: _counter(getattr(players, f"{name}_optimiser")) for name in ("critic", "generator")}
    s = experiment.settings
    handed: Any = draws
    if experiment.real_batches(s, 0) or experiment.critic_updates(s, 0):
        yield "real_batches and critic_updates of no G-iterations are not 0"
    for k in range(FIRST, FIRST + 3):
        iterate(experiment, players, k, handed)
        for what, used, counted in (
            ("real_batches", draws.real_batches, experiment.real_batches),
            ("critic_updates", steps["critic"][0], experiment.critic_updates),
        ):
            said = counted(s, k + 1) - counted(s, FIRST)
            if used != said:
                yield f"{what} says {said} for {k + 1 - FIRST} G-iterations, but {used} were used"
                return
    if steps["generator"][0] != 3:
        yield f"the generator's optimiser makes {steps['generator'][0]} steps in 3 G-iterations"


def moves(experiment: Experiment[Any]) -> Iterator[str]:
    """Both networks move, and losses are finite scalars without a graph."""
    before = players_of(experiment)
    players, losses = iterated(experiment)
    yield from _unfit(losses, "cpu")
    if bad := [name for name, loss in losses.items() if not loss.isfinite().all()]:
        yield f"the loss '{bad[0]}' is not finite"
    for name in ("generator", "critic"):
        old, new = getattr(before, name), getattr(players, name)
        pairs = zip(old.parameters(), new.parameters(), strict=True)
        moved = [not torch.equal(a, b) for a, b in pairs]
        if sum(moved) < len(moved) / 2:
            yield f"only {sum(moved)} of {len(moved)} weights of the {name} move in a G-iteration"
        if not all(x.isfinite().all() for x in new.state_dict().values()):
            yield f"weights of the {name} are not finite after a G-iteration"
    pairs = zip(before.scored.state_dict().values(), players.scored.state_dict().values(), strict=True)
    if players.scored is not players.generator and all(torch.equal(a, b) for a, b in pairs):
        yield Note(
            "the network that is scored, the sampler, does not move in a G-iteration: meant if it is updated "
            "seldom or later, else scores are those of its first weights"
        )


def _unfit(losses: Any, device: str) -> Iterator[str]:
    if missing := {"critic", "generator"} - set(losses):
        yield f"iterate gives no loss '{min(missing)}'"
    for name, loss in losses.items():
        if loss.requires_grad:
            yield f"the loss '{name}' carries a graph: loss.detach()"
        elif loss.device.type != device:
            yield f"the loss '{name}' is on {loss.device}, not on the training device"


def determinism(experiment: Experiment[Any]) -> Iterator[str]:
    """An iteration is a function of its draws alone."""
    (one, losses), (same, same_losses), (other, _) = (
        iterated(experiment, seed=seed, elsewhere=elsewhere) for seed, elsewhere in ((0, 0), (0, 1), (1, 0))
    )
    if bits(one) != bits(same) or any(not _equal(losses[n], x) for n, x in same_losses.items()):
        dropout = any(isinstance(m, _DropoutNd) for p in (one.generator, one.critic) for m in p.modules())
        where = "by nn.Dropout: draws.keep gives masks" if dropout else "elsewhere than from `draws`"
        yield f"two G-iterations of the same draws differ: something is drawn {where}"
    if bits(one) == bits(other):
        yield "other draws make no difference: iterate ignores `draws`"


def _equal(a: Tensor, b: Tensor) -> bool:
    """Equal values, a NaN being equal to itself."""
    return bool(((a == b) | (a.isnan() & b.isnan())).all())


def gradients(experiment: Experiment[Any]) -> Iterator[str]:
    """No step uses gradients of before it."""
    expected = bits(iterated(experiment)[0])
    if bits(_with_garbage(experiment, within=False)) != expected:
        yield "a step uses gradients that were left from before the G-iteration: call zero_grad() first"
    elif bits(_with_garbage(experiment, within=True)) != expected:
        yield Note(
            "the second network's step uses gradients from before the first one's: meant if both losses are "
            "of one forward pass, else detach() or zero_grad() is missing"
        )


def _with_garbage(experiment: Experiment[Any], *, within: bool) -> Players:
    """Players after an iteration, with wrong gradients left at its start or, `within`, by each step."""
    players = players_of(experiment)
    pairs = (
        (players.generator_optimiser, players.critic),
        (players.critic_optimiser, players.generator),
    )
    for optimiser, other in pairs:
        if within:
            _spoil_after(optimiser, other)
        else:
            _spoil(other)
    draws: Any = Counted(experiment, PAST_WARM_UP)
    iterate(experiment, players, PAST_WARM_UP, draws)
    return players


def _spoil(network: nn.Module) -> None:
    for p in network.parameters():
        p.grad = torch.full_like(p, _GARBAGE)


def _spoil_after(optimiser: Any, network: nn.Module) -> None:
    step = optimiser.step

    def spoiling(*given: Any, **named: Any) -> Any:
        result = step(*given, **named)
        _spoil(network)
        return result

    optimiser.step = spoiling


def latents(experiment: Experiment[Any]) -> Iterator[str]:
    """The generator is trained on the latents that it is scored with: of `latent` values, of the prior."""
    players, seen = players_of(experiment), list[Tensor]()
    players.generator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach().flatten(1)))
    draws: Any = Counted(experiment, PAST_WARM_UP)
    iterate(experiment, players, PAST_WARM_UP, draws)
    s = experiment.settings
    if not seen:
        yield "the generator is not called"
        return
    z = torch.cat(seen)
    if z.shape[1] != s.latent:
        yield f"the generator is trained on {z.shape[1]} values of z, settings.latent is {s.latent}"
        return
    bound, variance, fourth = _PRIORS[s.prior]
    error = 5 * math.sqrt((fourth - variance**2) / z.numel())
    if (
        z.abs().max() > bound * (1 + 1e-6)
        or z.mean().abs() > 5 * math.sqrt(variance / z.numel())
        or abs(z.square().mean() - variance) > error
    ):
        yield f"the generator is trained on latents that are not of the prior '{s.prior}' it is scored with"


def scaling(experiment: Experiment[Any]) -> Iterator[str]:
    """Real images reach the critic in the declared range."""
    players, seen = players_of(experiment), list[Tensor]()
    players.critic.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    draws: Any = Counted(experiment, PAST_WARM_UP)
    iterate(experiment, players, PAST_WARM_UP, draws)
    low, high = experiment.image_range
    of_size = [x for x in seen if x.shape[1:] == experiment.image_shape]
    levels = [to_uint8(x, low, high).int() for x in of_size]
    found = any(
        _begins_with(level, real.int()) or _begins_with(level.flip(0), real.int().flip(0))
        for real in draws.pixels
        for level in levels
    )
    if draws.pixels and not found:
        yield Note(
            f"no real minibatch reaches the critic as it is, scaled to image_range {low:g} to {high:g}: "
            "meant with augmentation or noise, else the scaling is wrong"
        )


def _begins_with(levels: Tensor, real: Tensor) -> bool:
    """Whether the pixels are the same but for one level, by which dequantised ones may differ."""
    return len(levels) >= len(real) and bool(((levels[: len(real)] - real).abs() <= 1).all())


def device(experiment: Experiment[Any]) -> Iterator[str]:
    """On another device than the CPU, no tensor is left behind, and none is read."""
    players = players_of(experiment, DEVICE)
    draws: Any = Counted(experiment, PAST_WARM_UP, device=DEVICE)
    with StandIn() as gpu:
        losses = iterate(experiment, players, PAST_WARM_UP, draws)
    if gpu.reads:
        place, times = gpu.reads.most_common(1)[0]
        yield Note(
            "an iteration reads a number from the device (.item(), if loss > …): a GPU waits for it "
            f"({place}, {times} x)"
        )
    yield from _unfit(losses, DEVICE)


def _counter(optimiser: Any) -> list[int]:
    step, count = optimiser.step, [0]

    def counted(*given: Any, **named: Any) -> Any:
        count[0] += 1
        return step(*given, **named)

    optimiser.step = counted
    return count
