"""What is checked of the images that are scored."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from benchmark.training import sampling as images_of
from benchmark.training import trainer
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, Note, heeds_classes, iterated, players_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment, Players

_FEW = 8
_MOST = 0.5
_CLASSES = 32


def value_range(experiment: Experiment[Any]) -> Iterator[str]:
    """A generator whose weights are a hundredfold gives black and white: the ends of the declared range.

    With its own weights, it does not give images most of whose pixels are clipped, nor those of any class.
    """
    scored = players_of(experiment).scored
    low, high = experiment.image_range
    declared = f"image_range {low:g} to {high:g}"
    n = experiment.settings.sampling_batch or (_FEW * min(experiment.classes, _FEW) or _FEW)
    first = next(images_of.batches(experiment, scored, 0, n))
    assert first.outputs is not None
    of = torch.zeros(n, dtype=torch.int64) if first.classes is None else first.classes
    shares = {c: _share_outside(first.outputs[of == c], low, high) for c in set(of.tolist())}
    worst = max(shares, key=lambda c: shares[c])
    outside = sum(shares.values()) / len(shares)
    if shares[worst] > _MOST:
        which = f" of class {worst}" if outside <= _MOST else ""
        yield (
            f"{shares[worst]:.0%} of the pixels of generated images{which} lie outside {declared} and are "
            "clipped: set image_range to what the generator gives"
        )
        return
    images = _saturated(experiment, scored)
    least, most = images.min().item(), images.max().item()
    if least < low or most > high:
        yield Note(
            f"the generator can leave {declared}; what lies outside is clipped, "
            f"{outside:.0%} of the pixels before training"
        )
        return
    margin = 0.01 * (high - low)
    if least > low + margin or most < high - margin:
        yield f"the generator's images lie in {least:.3g} to {most:.3g}, image_range is {low:g} to {high:g}"


def _share_outside(outputs: Tensor, low: float, high: float) -> float:
    """Share of values outside by more than a tenth of the range: a linear layer begins around 0."""
    margin = 0.1 * (high - low)
    return ((outputs < low - margin) | (outputs > high + margin)).float().mean().item()


def _saturated(experiment: Experiment[Any], scored: nn.Module) -> Tensor:
    """Images of hundredfold weights, in the mode that scores are made in.

    Normalisation has statistics of the batch in any case: with others, the values would overflow.
    """
    generator = copy.deepcopy(scored).train(experiment.settings.sampling_statistics == "batch")
    for module in generator.modules():
        if isinstance(module, _NormBase):
            module.train()
            if isinstance(module.weight, Tensor):  # it may be all that is before the last activation
                module.weight.data.mul_(100)
    draws: Any = Counted(experiment, PAST_WARM_UP)
    random = torch.Generator().manual_seed(0)
    given = [draws.latent(_FEW), *([draws.labels(_FEW)] if experiment.classes else [])]
    with torch.no_grad():
        for p in generator.parameters():
            if p.dim() > 1:
                p.mul_(100) if p.any() else p.normal_(0, 100, generator=random)  # some begin with zeros
        images: Tensor = generator(*given)
    return images


class _InParts(nn.Module):
    """A generator that is given a batch in two parts."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor, *classes: Tensor) -> Any:
        n = len(z) // 2
        return torch.cat([self.generator(z[s], *(c[s] for c in classes)) for s in (slice(n), slice(n, None))])


class _Companions(nn.Module):
    """A generator whose latents after the first are multiplied by a factor."""

    def __init__(self, generator: nn.Module, factor: float) -> None:
        super().__init__()
        self.generator, self.factor = generator, factor

    def forward(self, z: Tensor, *classes: Tensor) -> Any:
        return self.generator(torch.cat((z[:1], self.factor * z[1:])), *classes)


def sampling(experiment: Experiment[Any]) -> Iterator[str]:
    """An image depends on others as `sampling_statistics` says, and nothing is left behind."""
    players = iterated(experiment)[0]
    scored = players.scored
    before = copy.deepcopy(scored)
    n = experiment.settings.sampling_batch or _FEW
    image, same, other = (
        images_of.evaluation_images(experiment, _Companions(scored, factor), 0, n)[:1]
        for factor in (1, 1, -0.5)
    )
    if not torch.equal(image, same):
        yield "the generator gives another image for the same latents"
    # As `ganbench evaluate` makes it: of another seed, and without data.
    black = torch.zeros((1, *experiment.image_shape), dtype=torch.uint8)
    loaded = trainer.build(experiment, 1, black).scored
    loaded.load_state_dict(scored.state_dict())
    if not torch.equal(image, images_of.evaluation_images(experiment, loaded, 0, n)[:1]):
        yield (
            "a network built anew gives other images with the same weights: keep what is missing in its "
            "state_dict, as parameters or as buffers that are persistent"
        )
    if torch.equal(image, other) == (experiment.settings.sampling_statistics == "batch"):
        depends = "does not depend" if torch.equal(image, other) else "depends"
        kind = experiment.settings.sampling_statistics
        yield f"an image {depends} on those sampled with it, sampling_statistics is {kind}"
    elif experiment.settings.sampling_statistics != "batch":
        parted = images_of.evaluation_images(experiment, _InParts(scored), 0, n)[:1]
        if (image.int() - parted.int()).abs().max() > 1:
            yield "an image depends on how many are sampled with it"
    states = zip(scored.state_dict().values(), before.state_dict().values(), strict=True)
    if not all(torch.equal(a, b) for a, b in states):
        yield "sampling changes the generator"
    if [m.training for m in scored.modules()] != [m.training for m in before.modules()]:
        yield "sampling changes the generator's mode"
    yield from _ignored(experiment, players)


def _ignored(experiment: Experiment[Any], players: Players) -> Iterator[str]:
    """What networks make nothing of, after a G-iteration from whatever they began as: latents, classes."""
    draws: Any = Counted(experiment, PAST_WARM_UP)
    z, scored = draws.latent(_FEW).requires_grad_(), players.scored.eval()
    images = scored(z, *([torch.zeros(_FEW, dtype=torch.int64)] if experiment.classes else []))
    weights = torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad((images * weights).sum(), z, allow_unused=True, materialize_grads=True)
    dead = [i for i, of_value in enumerate(slope.T) if not of_value.any()]
    if len(dead) < len(slope.T):
        for i in dead[:1]:
            yield Note(f"{len(dead)} of {len(slope.T)} values of z make no difference, first z[:, {i}]")
    elif torch.equal(images[:-1], images[1:]):
        yield Note("the network that is scored ignores the latents: it gives the same image for all of them")
    if experiment.classes < 2:
        return
    if not heeds_classes(scored, z):
        yield Note("the network that is scored ignores the classes: it gives the same for all of them")
    elif heeds_classes(players_of(experiment).scored, z):  # else, those not seen yet are still alike
        yield from _alike(scored, z[:1], min(experiment.classes, _CLASSES))
    if not heeds_classes(players.critic, images.detach()):
        yield Note("the critic ignores the classes: it gives the same for all of them")


def _alike(scored: nn.Module, z: Tensor, n: int) -> Iterator[str]:
    """Classes of which the same latents are the same image."""
    with torch.no_grad():
        images = scored(z.expand(n, -1), torch.arange(n)).flatten(1)
    for c in range(1, n):
        if (same := (images[:c] == images[c]).all(1).nonzero()).numel():
            yield Note(f"classes {same[0].item()} and {c} are the same image, of the same latents")
            return
