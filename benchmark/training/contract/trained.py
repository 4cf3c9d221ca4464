"""What is checked of G-iterations: their losses, steps and gradients, and what they depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import Optimizer

from baselines.loop_state import LoopState
from benchmark.training.contract import process, unkept
from benchmark.training.contract.averaged import follows, what_moved
from benchmark.training.contract.elsewhere import THREADS, elsewhere, imported_anew
from benchmark.training.contract.stand_in import DEVICE, StandIn
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, Note, bits, iterate, iterated, players_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment, Losses, Players

FIRST = 24
"""The last long critic loop of WGAN's released schedule."""
_GARBAGE = 1e3


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
        moved = _weights_moved(old, new)
        if sum(moved) < len(moved) / 2:  # behind a layer that begins with zeros, the others move later
            iterate(experiment, players, PAST_WARM_UP + 1, draws.at(PAST_WARM_UP + 1))
            moved = _weights_moved(old, new)
        if sum(moved) < len(moved) / 2:
            yield f"only {sum(moved)} of {len(moved)} weights of the {name} move in a G-iteration"
        if not all(x.isfinite().all() for x in new.state_dict().values()):
            yield f"weights of the {name} are not finite after a G-iteration"
    if players.scored is not players.generator:
        yield from follows(experiment, before, players)
    for name, part in players.more.items():
        then: Any = before.more[name]
        held = isinstance(part, nn.Module) and {id(p) for p in part.parameters()} & _held(players)
        if isinstance(part, nn.Module) and held and not any(what_moved(then, part)):
            yield Note(f"more.{name} does not move in a G-iteration, though an optimiser has its weights")


def _weights_moved(before: nn.Module, after: nn.Module) -> list[bool]:
    return [not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True)]


def _held(players: Players) -> set[int]:
    """Weights that optimisers have."""
    optimisers = [part for part in players.parts().values() if isinstance(part, Optimizer)]
    return {id(p) for part in optimisers for group in part.param_groups for p in group["params"]}


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
    asked = set[str]()
    one, other = iterated(experiment), iterated(experiment, seed=1)
    with elsewhere(experiment, asked):
        anew, modules = imported_anew(experiment)
        there = iterated(anew, other_process=True)
    if not _are_equal(one, there):
        with elsewhere(experiment, asked):
            here = iterated(experiment, other_process=True)
        at_import = _are_equal(one, here) and THREADS not in asked
        yield _depends(experiment, anew, modules) if at_import else _differ(one[0], asked)
    if bits(one[0]) == bits(other[0]):
        yield "other draws make no difference: iterate ignores `draws`"


def _differ(players: Players, asked: set[str]) -> str:
    dropout = any(isinstance(m, _DropoutNd) for p in (players.generator, players.critic) for m in p.modules())
    if asked:
        where = f"elsewhere than from `draws`, or follows from {', '.join(sorted(asked))}"
    elif dropout:
        where = "by nn.Dropout: draws.keep gives masks"
    else:
        where = "elsewhere than from `draws`, or a clock is read"
    do = "for what networks draw, begin iterate with torch.manual_seed(draws.seed())"
    if any(isinstance(part, LoopState) for part in players.more.values()):
        do = "draw from the global generators, which are seeded for each G-iteration"
    return f"two G-iterations of the same draws differ: something is drawn {where}; {do}"


def _depends(experiment: Experiment[Any], anew: Experiment[Any], modules: dict[str, Any]) -> str:
    there = {name: x for name, x in process.held(anew, modules) if x != ("function", "")}
    names = sorted(unkept.changed(dict(process.held(experiment)), there))
    what = ", ".join(names[:3]) or "something that its modules hold"
    return (
        f"a G-iteration is another one in another process: {what} is not the same there; make it a setting, "
        "or draw it in build"
    )


def _are_equal(one: tuple[Players, Losses], other: tuple[Players, Losses]) -> bool:
    return bits(one[0]) == bits(other[0]) and all(_equal(one[1][name], x) for name, x in other[1].items())


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
    if within:
        for optimiser, other in pairs:
            _spoil_after(optimiser, other)
    else:
        for part in players.parts().values():
            _spoil(part)
    draws: Any = Counted(experiment, PAST_WARM_UP)
    iterate(experiment, players, PAST_WARM_UP, draws)
    return players


def _spoil(part: Any) -> None:
    for p in part.parameters() if isinstance(part, nn.Module) else ():
        p.grad = torch.full_like(p, _GARBAGE)


def _spoil_after(optimiser: Any, network: nn.Module) -> None:
    step = optimiser.step

    def spoiling(*given: Any, **named: Any) -> Any:
        result = step(*given, **named)
        _spoil(network)
        return result

    optimiser.step = spoiling


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
