"""What is checked of the images that are scored."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils._pytree import tree_leaves

from benchmark.training import sampling as images_of
from benchmark.training import trainer
from benchmark.training.contract.tools import PAST_WARM_UP, Counted, Note, iterated, players_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from baselines.spec import Experiment, Players

_FEW = 8
_MOST = 0.5


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
    draws: Any = Counted(experiment, PAST_WARM_UP)
    given = [draws.latent(_FEW), *([draws.labels(_FEW)] if experiment.classes else [])]
    with torch.no_grad():
        for p in generator.parameters():
            if p.dim() > 1:
                p.mul_(100)
        images: Tensor = generator(*given)
    return images


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
    states = zip(scored.state_dict().values(), before.state_dict().values(), strict=True)
    if not all(torch.equal(a, b) for a, b in states):
        yield "sampling changes the generator"
    if [m.training for m in scored.modules()] != [m.training for m in before.modules()]:
        yield "sampling changes the generator's mode"
    if experiment.classes > 1:
        yield from _unconditional(experiment, players)


def _unconditional(experiment: Experiment[Any], players: Players) -> Iterator[str]:
    """Neither network ignores the classes, after a G-iteration from whatever they began as."""
    draws: Any = Counted(experiment, PAST_WARM_UP)
    x: Any = draws.latent(_FEW)
    of_class = [torch.full((_FEW,), c) for c in (0, 1)]
    with torch.no_grad():
        for name, network in (("network that is scored", players.scored), ("critic", players.critic)):
            given = [network.eval()(x, classes) for classes in of_class]
            if all(torch.equal(a, b) for a, b in zip(*map(tree_leaves, given), strict=True)):
                yield Note(f"the {name} ignores the classes: it gives the same for all of them")
            x = given[0]
