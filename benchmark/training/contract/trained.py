"""What is checked of G-iterations: their losses, draws, gradients and data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from baselines.loop_state import LoopState
from benchmark.training.contract.stand_in import DEVICE, StandIn
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, Note, bits, iterate, iterated, players_of
from benchmark.training.quantise import to_uint8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment, Players

FIRST = 24
"""The last long critic loop of WGAN's released schedule."""
_GARBAGE = 1e3
_ENOUGH = 4096
"""Values of z by which a prior is known."""
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
                n = k + 1 - FIRST
                yield (
                    f"{what} says {said} for {n} G-iteration{'s' * (n > 1)}, but {used} were used: declare "
                    f"{what}=lambda s, k: …, how many the first k use"
                )
                return
    if steps["generator"][0] != 3:
        yield f"the generator's optimiser makes {steps['generator'][0]} steps in 3 G-iterations"


def moves(experiment: Experiment[Any]) -> Iterator[str]:
    """Both networks move, and losses are finite scalars without a graph."""
    players = players_of(experiment)
    before = players_of(experiment)
    as_built = bits(before)
    draws: Any = Counted(experiment, PAST_WARM_UP)
    losses = iterate(experiment, players, PAST_WARM_UP, draws)
    if bits(before) != as_built:
        yield "iterate changes other players than those that it is given: it must use its argument alone"
        return
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
    if players.scored is not players.generator:
        yield from _averaged(experiment, before, players)


def _averaged(experiment: Experiment[Any], before: Players, players: Players) -> Iterator[str]:
    """The sampler moves with the generator, also in what is no parameter."""
    kept = set(_moved(before.scored, players.scored))
    if not kept:
        yield Note(
            "the network that is scored, the sampler, does not move in a G-iteration: meant if it is updated "
            "seldom or later, else scores are those of its first weights"
        )
        return
    unused = ("running_mean", "running_var") if experiment.settings.sampling_statistics == "batch" else ()
    buffers = dict(players.generator.named_buffers())
    for name in _moved(before.generator, players.generator):
        own = {name, f"module.{name}"} & players.scored.state_dict().keys()
        counts = name in buffers and buffers[name].is_floating_point() and not name.endswith(unused)
        if counts and own and not own & kept:
            yield (
                f"{name} of the sampler stays as it was built, though the generator's moves: average or copy "
                "its buffers, too"
            )
            return


def _moved(before: nn.Module, after: nn.Module) -> Iterator[str]:
    pairs = zip(before.state_dict().items(), after.state_dict().values(), strict=True)
    return (name for (name, a), b in pairs if not torch.equal(a, b))


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
        where = (
            "by nn.Dropout: draws.keep gives masks"
            if dropout
            else "elsewhere than from `draws`, or a clock is read"
        )
        do = "for what networks draw, begin iterate with torch.manual_seed(draws.seed())"
        if any(isinstance(part, LoopState) for part in one.more.values()):
            do = "draw from the global generators, which are seeded for each G-iteration"
        yield f"two G-iterations of the same draws differ: something is drawn {where}; {do}"
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
    """The generator is trained on the latents that it is scored with: of `latent` values, of the prior.

    Beside them it may be given what another network makes, such as codes of real images.
    """
    players, seen, encoded = players_of(experiment), list[list[Tensor]](), list[bool]()

    def noting(_: Any, given: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        z = _first(given, named)
        seen[-1].append(z.detach().flatten(1))
        encoded.append(z.grad_fn is not None)

    players.generator.register_forward_pre_hook(noting, with_kwargs=True)
    draws: Any = Counted(experiment, PAST_WARM_UP)
    while len(seen) < 2 or (len(seen) < FIRST and _numel(seen) < _ENOUGH):
        seen.append([])
        k = PAST_WARM_UP + len(seen) - 1
        iterate(experiment, players, k, draws.at(k))
        if not seen[-1]:
            yield "the generator is not called"
            return
    if all(torch.equal(a, b) for a, b in zip(*seen[:2], strict=False)):
        yield "the generator is trained on the same latents in every G-iteration"
        return
    if len(z := seen[0][0]) > 1 and bool((z == z[0]).all()):
        yield "the generator is trained on minibatches of one and the same latents"
        return
    s = experiment.settings
    calls = [list(of_call) for of_call in zip(*seen, strict=False)]
    together = calls if any(encoded) else [[z for of_call in calls for z in of_call]]
    fitting = [zs for zs in together if {z.shape[1] for z in zs} == {s.latent}]
    if not fitting:
        n = next(z.shape[1] for zs in together for z in zs if z.shape[1] != s.latent)
        yield f"the generator is trained on {n} values of z, settings.latent is {s.latent}"
    elif not any(_is_of(s.prior, torch.cat(zs)) for zs in fitting):
        yield f"the generator is trained on latents that are not of the prior '{s.prior}' it is scored with"


def _first(given: tuple[Tensor, ...], named: dict[str, Tensor]) -> Tensor:
    """The first argument of a call, which may have its name."""
    return next(iter((*given, *named.values())))


def _numel(seen: list[list[Tensor]]) -> int:
    return sum(z.numel() for of_iteration in seen for z in of_iteration)


def _is_of(prior: str, z: Tensor) -> bool:
    """Whether bound and moments are those of a prior, to five standard errors."""
    bound, variance, fourth = _PRIORS[prior]
    error = 5 * math.sqrt((fourth - variance**2) / z.numel())
    return bool(
        z.abs().max() <= bound * (1 + 1e-6)
        and z.mean().abs() <= 5 * math.sqrt(variance / z.numel())
        and abs(z.square().mean() - variance) <= error
    )


def scaling(experiment: Experiment[Any]) -> Iterator[str]:
    """Real images reach the critic in the declared range."""
    players, seen = players_of(experiment), list[Tensor]()
    players.critic.register_forward_pre_hook(
        lambda _, given, named: seen.append(_first(given, named).detach()), with_kwargs=True
    )
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
