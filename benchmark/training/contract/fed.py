"""What is checked of what the networks are given in training: latents, images, classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor, nn

from benchmark.training.contract.tools import (
    PAST_WARM_UP,
    Counted,
    Note,
    heeds_classes,
    iterate,
    pictures,
    players_of,
)
from benchmark.training.quantise import to_uint8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment

_MOST = 24
"""G-iterations, at most."""
_ENOUGH = 4096
"""Values of z by which a prior is known."""
_LABELS = 20
"""Of each class, as many on average, and every class is among them."""
_PRIORS = {
    "normal": (math.inf, 1.0, 3.0),
    "uniform": (1.0, 1 / 3, 1 / 5),
    "uniform-sqrt3": (math.sqrt(3), 1.0, 9 / 5),
}
"""Bound, variance, fourth moment."""


class _Call:
    """A call of a network: what it was given, with the names of these or without, and what it gave."""

    def __init__(self, given: tuple[Tensor, ...], named: dict[str, Tensor], gave: Any = None) -> None:
        x, *classes = (*given, *named.values())
        self.x, self.encoded = x.detach(), x.grad_fn is not None
        self.classes = classes[0].detach().clone() if classes and isinstance(classes[0], Tensor) else None
        self.cast = torch.is_autocast_enabled(x.device.type)
        self.gave = gave.detach() if isinstance(gave, Tensor) else None


def _noted(network: nn.Module) -> list[_Call]:
    """Gets what the network is called with from now on."""
    calls: list[_Call] = []
    network.register_forward_hook(
        lambda _, given, named, gave: calls.append(_Call(given, named, gave)), with_kwargs=True
    )
    return calls


def latents(experiment: Experiment[Any]) -> Iterator[str]:
    """The generator is trained on the latents that it is scored with: of `latent` values, of the prior.

    Beside them it may be given what another network makes, such as codes of real images. Its classes are all
    of them.
    """
    players, s = players_of(experiment), experiment.settings
    calls, draws = _noted(players.generator), Counted(experiment, PAST_WARM_UP)
    seen: list[list[_Call]] = []
    while len(seen) < 2 or (len(seen) < _MOST and not _is_enough(experiment, seen)):
        k = PAST_WARM_UP + len(seen)
        iterate(experiment, players, k, draws.at(k))
        seen.append(calls[:])
        calls.clear()
        if not seen[-1]:
            yield "the generator is not called"
            return
    if all(torch.equal(a.x, b.x) for a, b in zip(*seen[:2], strict=False)):
        yield "the generator is trained on the same latents in every G-iteration"
        return
    if len(z := seen[0][0].x) > 1 and bool((z == z[0]).all()):
        yield "the generator is trained on minibatches of one and the same latents"
        return
    positions = [[call.x.flatten(1) for call in of_call] for of_call in zip(*seen, strict=False)]
    encoded = any(call.encoded for of_iteration in seen for call in of_iteration)
    together = positions if encoded else [[z for of_call in positions for z in of_call]]
    fitting = [zs for zs in together if {z.shape[1] for z in zs} == {s.latent}]
    if not fitting:
        n = next(z.shape[1] for zs in together for z in zs if z.shape[1] != s.latent)
        yield f"the generator is trained on {n} values of z, settings.latent is {s.latent}"
    elif not any(_is_of(s.prior, torch.cat(zs)) for zs in fitting):
        yield f"the generator is trained on latents that are not of the prior '{s.prior}' it is scored with"
    given, (_, labels) = _classes(seen), pictures(experiment)
    if labels is not None and len(given) >= _LABELS * experiment.classes:
        for c in sorted({*labels.tolist()} - {*given.tolist()})[:1]:  # some ask for those of real images
            yield Note(
                f"the generator is never asked for class {c} in {len(seen)} G-iterations, but scored with "
                f"all of 0 … {experiment.classes - 1}"
            )


def _is_enough(experiment: Experiment[Any], seen: list[list[_Call]]) -> bool:
    values = sum(call.x.numel() for of_iteration in seen for call in of_iteration)
    labels, wanted = len(_classes(seen)), _LABELS * experiment.classes
    return values >= _ENOUGH and (labels >= wanted or labels * _MOST < wanted * len(seen))


def _classes(seen: list[list[_Call]]) -> Tensor:
    """What the generator was asked for, where that are numbers of classes."""
    given = [call.classes for of_iteration in seen for call in of_iteration if call.classes is not None]
    return torch.cat([torch.zeros(0, dtype=torch.int64), *(c for c in given if _are_classes(c))])


def _are_classes(given: Tensor | None) -> TypeGuard[Tensor]:
    return given is not None and given.dtype == torch.int64 and given.dim() == 1


def _is_of(prior: str, z: Tensor) -> bool:
    """Whether bound and moments are those of a prior, to five standard errors."""
    bound, variance, fourth = _PRIORS[prior]
    error = 5 * math.sqrt((fourth - variance**2) / z.numel())
    return bool(
        z.abs().max() <= bound * (1 + 1e-6)
        and z.mean().abs() <= 5 * math.sqrt(variance / z.numel())
        and abs(z.square().mean() - variance) <= error
    )


def images(experiment: Experiment[Any]) -> Iterator[str]:
    """Real images reach the critic in the declared range; they and generated ones, with their classes."""
    players, draws = players_of(experiment), Counted(experiment, PAST_WARM_UP)
    made, judged = _noted(players.generator), _noted(players.critic)
    ranges = []
    for k in (PAST_WARM_UP, PAST_WARM_UP + 1):  # a second one, as the first minibatch may be kept for ever
        for kept in (made, judged, draws.real):
            kept.clear()
        iterate(experiment, players, k, draws.at(k))
        given = [call.x for call in judged if call.x.shape[1:] == experiment.image_shape]
        ranges.append({ends for pixels, *_ in draws.real for ends in _ranges(pixels, given)})
    low, high = experiment.image_range
    judged = [call for call in judged if call.x.shape[1:] == experiment.image_shape]
    levels = [to_uint8(call.x, low, high).int() for call in judged]
    real: list[tuple[list[Any], Any]] = [
        (classes, _where(pixels.int(), levels)) for pixels, *classes in draws.real
    ]
    if draws.real and not any(places for _, places in real):
        if always := ranges[0] & ranges[1]:
            ends = " and in ".join(f"{black:g} to {white:g}" for black, white in sorted(always))
            yield f"real images reach the critic in {ends}, but image_range is {low:g} to {high:g}"
            return
        yield Note(
            f"no real minibatch reaches the critic as it is, scaled to image_range {low:g} to {high:g}: "
            "meant with augmentation or noise, else the scaling is wrong"
        )
    if any(call.cast for call in (*made, *judged)):
        yield Note(
            "networks are called under torch.autocast, which is in no record: --numerics bf16-mixed is"
        )
    if not (experiment.classes and judged and heeds_classes(players.critic, judged[0].x)):
        return
    fake: list[tuple[list[Any], Any]] = [
        ([call.classes], _where(call.gave, [other.x for other in judged], 0.0))
        for call in made
        if call.gave is not None and _are_classes(call.classes)
    ]
    for kind, known in (("real", real), ("generated", fake)):
        for classes, places in known:
            beside = [c[rows] for i, rows in places if _are_classes(c := judged[i].classes)]
            if beside and all((c == classes[0]).sum() < len(c) / 2 for c in beside):
                yield f"the critic is given {kind} images with other classes than theirs"
                return


def _where(part: Tensor, wholes: list[Tensor], most: float = 1) -> list[tuple[int, slice]]:
    """In which tensors, and where there, another one is at the beginning or end.

    Pixels may differ by `most`: by one level, where they are dequantised.
    """
    n = len(part)
    return [
        (i, rows)
        for i, whole in enumerate(wholes)
        for rows in (slice(0, n), slice(len(whole) - n, len(whole)))
        if len(whole) >= n and bool(((whole[rows] - part).abs() <= most).all())
    ]


def _ranges(part: Tensor, wholes: list[Tensor]) -> set[tuple[float, float]]:
    """What black and white became, where a tensor begins or ends with these pixels in another range."""
    x = part.double().flatten()
    found = set()
    for whole in wholes:
        for rows in (whole[: len(part)], whole[-len(part) :]):
            if rows.shape != part.shape:
                continue
            y = rows.double().flatten()
            slope = float((x - x.mean()) @ (y - y.mean()) / (x - x.mean()).square().sum())
            black = float(y.mean() - slope * x.mean())
            off = (y - slope * x - black).abs().max()
            if slope and bool(off <= abs(slope)):  # by one level, as above
                found.add((round(black, 3) + 0.0, round(black + 255 * slope, 3) + 0.0))  # no -0
    return found
