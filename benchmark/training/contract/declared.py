"""What can be checked without an iteration: declarations, shapes, batch norm, optimisers."""

from __future__ import annotations

import re
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from baselines import networks
from baselines.loop_state import LoopState
from benchmark.training.contract.tools import players_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from baselines.spec import Experiment, Players


def declarations(experiment: Experiment[Any]) -> Iterator[str]:
    """Names, sources, deviations, image range and shape."""
    if not re.fullmatch(r"[a-z0-9_]+/[a-z0-9-]+", experiment.name):
        yield f"the name '{experiment.name}' is not baseline/experiment in lower case"
    settings = experiment.settings
    if unknown := set(settings.sources) - set(settings.values()):
        yield f"there are sources of {', '.join(sorted(unknown))}, which is no setting"
    for name, source in settings.sources.items():
        if not source.where.strip() or source.confidence not in ("high", "medium", "low", "suite", "own"):
            yield f"settings.{name}: its source says nothing"
    for deviation in experiment.deviations:
        if not all(text.strip() for text in astuple(deviation)):
            yield f"the deviation '{deviation.what}' lacks what, why or effect"
    channels, height, width = experiment.image_shape
    low, high = experiment.image_range
    if not low < high:
        yield f"image_range is {low} to {high}: the first is black, the second white"
    if channels not in (1, 3) or (height != width and not experiment.points):
        yield f"image_shape is {channels}x{height}x{width}, not (1 or 3, n, n)"


def shapes(experiment: Experiment[Any]) -> Iterator[str]:
    """Images of the declared shape; a number for each from the critic."""
    try:
        networks.layer_table(experiment)
    except ValueError as error:
        yield str(error)


def statistics(experiment: Experiment[Any]) -> Iterator[str]:
    """The statistics of sampling are those that the networks have."""
    settings = experiment.settings
    scored = players_of(experiment, "meta").scored
    normalised = any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in scored.modules())
    kind, stated = settings.sampling_statistics, "sampling_statistics" in settings.sources
    if normalised and kind == "none":
        yield "sampling_statistics is none, but the generator has batch norm: running or batch"
    if not normalised and (kind == "batch" or (stated and kind != "none")):
        yield f"sampling_statistics is {kind}, but the generator has no batch norm"
    if (settings.sampling_batch > 0) != (kind == "batch"):
        yield f"sampling_batch is {settings.sampling_batch} with sampling_statistics {kind}"


def optimisers(experiment: Experiment[Any]) -> Iterator[str]:
    """None has weights of the other network or of none, and every weight is in some."""
    players = players_of(experiment, "meta")
    for name, other in (("generator", "critic"), ("critic", "generator")):
        network, optimiser = getattr(players, name), getattr(players, f"{name}_optimiser")
        own = {id(p): path for path, p in network.named_parameters()}
        held = {id(p) for group in optimiser.param_groups for p in group["params"]}
        everywhere = {
            id(p)
            for part in players.parts().values()
            if isinstance(part, torch.optim.Optimizer)
            for group in part.param_groups
            for p in group["params"]
        }
        if held & {id(p) for p in getattr(players, other).parameters()}:
            yield f"{name}_optimiser holds weights of the {other}"
        if left_out := [path for key, path in own.items() if key not in everywhere]:
            yield f"no optimiser holds {left_out[0]} of the {name}"
        if elsewhere := {t.device.type for t in network.state_dict().values()} - {"meta"}:
            yield f"the {name} is built on {elsewhere.pop()}, whatever device is asked for"
    yield from _strays(players)


def _strays(players: Players) -> Iterator[str]:
    """Weights that are in no network of the players: no checkpoint has them, and no device gets them."""
    known, parts = set[int](), players.parts()
    for part in parts.values():
        known |= {id(p) for x in _kept(part) for p in _weights(x)}
    for name, part in parts.items():
        if isinstance(part, torch.optim.Optimizer):
            held = [p for group in part.param_groups for p in group["params"]]
            if n := sum(id(p) not in known for p in held):
                yield f"{name} holds {n} weights of no network: give theirs in Players.more, or register it"
        for path, module in part.named_modules() if isinstance(part, nn.Module) else ():
            for key, value in vars(module).items():
                if key[0] != "_" and any(id(p) not in known for p in _weights(value) if p.requires_grad):
                    yield (
                        f"{'.'.join(filter(None, (name, path, key)))} has weights that are not the module's, "
                        "which are in no checkpoint: take nn.ModuleList, nn.ModuleDict or nn.ParameterList"
                    )


def _kept(part: Any) -> Iterable[Any]:
    """What a checkpoint has of a part; of somebody's class, its attributes are taken for that."""
    if isinstance(part, LoopState):
        return part.in_checkpoints()
    known = isinstance(part, nn.Module | torch.optim.Optimizer)
    return [part] if known else getattr(part, "__dict__", {}).values()


def _weights(value: Any) -> Iterator[nn.Parameter]:
    """Parameters of a network, and of what lists and dicts hold."""
    if isinstance(value, nn.Module):
        yield from value.parameters()
    elif isinstance(value, nn.Parameter):
        yield value
    elif isinstance(value, list | tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _weights(inner)
