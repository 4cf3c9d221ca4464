"""What is checked of an average of generators: the network that is scored, where it is not the generator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from benchmark.training.contract.tools import PAST_WARM_UP, Counted, Note, iterate, players_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment, Players

_FAR = 10.0


def follows(experiment: Experiment[Any], before: Players, players: Players) -> Iterator[str]:
    """The sampler begins as the generator, and moves with it in all that it has."""
    generator, scored = before.generator.state_dict(), _of_generator(before)
    if others := [name for name, x in scored.items() if not torch.equal(x, generator[name])]:
        yield Note(f"{others[0]} of the sampler begins with other values than the generator's")
    far = players_of(experiment)
    own = {x.data_ptr() for x in far.generator.state_dict().values()}
    begun = {name: x for name, x in _of_generator(far).items() if x.data_ptr() not in own}
    for x in begun.values():
        x.add_(_FAR)  # from there, the slowest average moves by more than a rounding error
    spoilt = {name: x.clone() for name, x in begun.items()}
    draws: Any = Counted(experiment, PAST_WARM_UP)
    iterate(experiment, far, PAST_WARM_UP, draws)
    still = [name for name, x in begun.items() if torch.equal(x, spoilt[name])]
    if len(still) == len(begun) and not any(what_moved(before.scored, players.scored)):
        yield Note(
            "the network that is scored, the sampler, does not move in a G-iteration: meant if it is updated "
            "seldom or later, else scores are those of its first weights"
        )
        return
    unused = ("running_mean", "running_var") if experiment.settings.sampling_statistics == "batch" else ()
    trained = set(what_moved(before.generator, players.generator))
    if lost := [name for name in still if name in trained and not name.endswith(unused)]:
        yield (
            f"{lost[0]} of the sampler stays as it was built, though the generator's moves: average or copy "
            "all weights and buffers"
        )


def _of_generator(players: Players) -> dict[str, Tensor]:
    """The sampler's tensors of real numbers, by the names that they have in the generator."""
    own, scored = players.generator.state_dict(), players.scored.state_dict()
    named = {name.removeprefix("module.") if name not in own else name: x for name, x in scored.items()}
    return {
        name: x
        for name, x in named.items()
        if x.is_floating_point() and name in own and own[name].shape == x.shape
    }


def what_moved(before: nn.Module, after: nn.Module) -> Iterator[str]:
    """Names of what changed."""
    pairs = zip(before.state_dict().items(), after.state_dict().values(), strict=True)
    return (name for (name, a), b in pairs if not torch.equal(a, b))
