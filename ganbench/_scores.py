"""Scores of whatever makes images."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from benchmark.cli import given
from benchmark.errors import UserError
from benchmark.evaluation import generation, protocols, samples, scoring
from benchmark.evaluation.protocol import CRITIC
from benchmark.records import environment
from benchmark.training import numerics
from ganbench import _html

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from benchmark.evaluation.source import Source


@dataclass(frozen=True)
class Result:
    """Scores, and all they depend on.

    Attributes:
        scores: value by protocol and metric.
        protocols: the protocols as records have them, by name.
        data: what the images were compared with.
        images: what is known of the images.
        device: where features were computed.
        notes: what the scores depend on that the arguments did not say.

    """

    scores: dict[str, dict[str, float]]
    protocols: dict[str, dict[str, Any]]
    data: str
    images: dict[str, Any]
    device: str
    notes: tuple[str, ...] = ()

    def __getitem__(self, metric: str) -> float:
        """The value of a metric, where one protocol has it; `KeyError` otherwise."""
        values = [scores[metric] for scores in self.scores.values() if metric in scores]
        if len(values) != 1:
            raise KeyError(f"{len(values)} protocols have '{metric}': {', '.join(self.scores)}")
        return values[0]

    def _repr_html_(self) -> str:
        return _html.result(self.scores, self.protocols, self.data, self.images)


def evaluate(
    source: str
    | os.PathLike[str]
    | Callable[[torch.Tensor], torch.Tensor]
    | torch.Tensor
    | np.ndarray[Any, Any],
    protocol: str | Sequence[str] | None = None,
    data: str | None = None,
    *,
    latent: int = 128,
    prior: Literal["normal", "uniform", "uniform-sqrt3"] = "normal",
    value_range: tuple[float, float] = (-1.0, 1.0),
    seed: int | None = None,
    experiment: str | None = None,
    device: str | None = None,
) -> Result:
    """Score images as `ganbench evaluate` does; what a training loop around it computes stays the same.

    Args:
        source: an `nn.Module` or another callable from latents [N, latent], float32 on `device`, to images
            [N,C,H,W]; an array or tensor [N,C,H,W], uint8 or floating-point; or a path of anything that
            `ganbench evaluate` takes but a program: a run, a checkpoint, weights of an experiment's
            generator, an .npz or .npy file, a folder of pictures.
            A module is in evaluation mode meanwhile, and no graph is built; its mode, parameters, buffers and
            gradients, and torch's generators, are left as they were. Another callable's own code decides.
        protocol: one or several of `ganbench list protocols`; a run's own unless given.
        data: what to compare with, of `ganbench list datasets`; a run's own unless given.
        latent: dimension of the latents of a callable.
        prior: their distribution.
        value_range: values of a callable or a floating-point array that are black and white.
        seed: of the latents; the run's, else 0.
        experiment: what bare weights are of.
        device: where a callable gets its latents and features are computed, as torch names it, or `auto`;
            where a module's parameters are unless given, else the CPU.

    Raises:
        UserError: an unknown name, or images, data and protocols that do not fit.

    """
    path = None if callable(source) or hasattr(source, "__array__") else Path(source)
    if protocol is None:
        if path is None:
            raise UserError("nothing says how to score the images", where="evaluate", do="Say protocol=NAME")
        protocol = given.own_protocols(path)
    names = [protocol] if isinstance(protocol, str) else list(protocol)
    chosen = [protocols.get(name).resolved() for name in dict.fromkeys(names)]
    if critics := [p.name for p in chosen if p.extractor == CRITIC]:
        raise UserError(f"{', '.join(critics)} scores critics", do="Use `ganbench evaluate RUN` for them")
    on = environment.resolve_device(device or _device_of(source))
    asked = given.Asked(dataset=data, experiment=experiment, seed=seed)
    if path is None and data is None:
        raise UserError("what are the images to be compared with?", where="evaluate", do="Say data=NAME")
    dataset = given.dataset_of(path, asked) if path is not None else str(data)
    given.check(chosen, dataset, [], path or Path(), asked)
    notes: list[str] = []
    with numerics.applied():
        if path is not None:
            images, used, scores = given.scored(chosen, path, dataset, on, asked, notes.append)
        else:
            made, used = (
                _source(source, prior, latent, value_range, seed or 0, on),
                {p.name: p for p in chosen},
            )
            with _evaluating(source):
                scores = scoring.scores_of_images(chosen, made, dataset, on, notes.append)
            images = made.described
    return Result(scores, {p.name: p.as_dict() for p in used.values()}, dataset, images, on, tuple(notes))


def _device_of(source: Any) -> str:
    """Where a module's parameters are; the CPU for all else."""
    first = next(source.parameters(), None) if isinstance(source, nn.Module) else None
    return "cpu" if first is None else str(first.device)


def _source(
    source: Any, prior: str, latent: int, value_range: tuple[float, float], seed: int, device: str
) -> Source:
    """The images of a callable or an array."""
    if not callable(source):
        return samples.of_array(source, value_range, "the array")
    where = type(source).__name__ if isinstance(source, nn.Module) else "the callable"
    return generation.of_callable(source, prior, latent, value_range, seed, torch.device(device), where)


@contextmanager
def _evaluating(source: Any) -> Iterator[None]:
    """A module is in evaluation mode meanwhile."""
    was_training = [m for m in source.modules() if m.training] if isinstance(source, nn.Module) else []
    if isinstance(source, nn.Module):
        source.eval()
    try:
        yield
    finally:
        for module in was_training:
            module.training = True
