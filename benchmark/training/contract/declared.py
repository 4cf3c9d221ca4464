"""What can be checked without an iteration: declarations, shapes, batch norm, optimisers."""

from __future__ import annotations

import re
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import torch

from baselines import networks
from benchmark.training.contract.tools import players_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment


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
    """None has weights of the other network, and every weight is in some."""
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
