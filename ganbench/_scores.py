"""Scores of whatever makes images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from benchmark.cli import given
from benchmark.errors import NothingToJudge, UserError
from benchmark.evaluation import generation, protocols, scoring
from benchmark.evaluation.protocol import CRITIC
from benchmark.records import environment
from ganbench import _html

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import numpy as np

    from benchmark.evaluation.generation import Source


@dataclass(frozen=True)
class Result:
    """Scores, and all they depend on.

    Attributes:
        scores: value by protocol and metric.
        protocols: the protocols as records have them, by name.
        data: what the images were compared with.
        images: what is known of the images.
        device: where features were computed.

    """

    scores: dict[str, dict[str, float]]
    protocols: dict[str, dict[str, Any]]
    data: str
    images: dict[str, Any]
    device: str

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
    protocol: str | Sequence[str],
    data: str | None = None,
    *,
    latent: int = 128,
    prior: Literal["normal", "uniform", "uniform-sqrt3"] = "normal",
    value_range: tuple[float, float] = (-1.0, 1.0),
    seed: int | None = None,
    experiment: str | None = None,
    device: Literal["auto", "cpu", "cuda"] = "cpu",
) -> Result:
    """Score images as `ganbench evaluate` does.

    Args:
        source: an `nn.Module` or another callable from latents [N, latent], float32 on `device`, to images
            [N,C,H,W]; an array or tensor [N,C,H,W], uint8 or floating-point; or the path of a run, a
            checkpoint of ours, bare weights of an experiment's generator, or a folder of PNG and JPEG files.
            A module is in evaluation mode meanwhile; its parameters stay where they are.
        protocol: one or several of `ganbench list protocols`.
        data: what to compare with, of `ganbench list datasets`; a run's own unless given.
        latent: dimension of the latents of a callable.
        prior: their distribution.
        value_range: values of a callable or a floating-point array that are black and white.
        seed: of the latents; the run's, else 0.
        experiment: what bare weights are of.
        device: where a callable gets its latents and features are computed.

    Raises:
        UserError: an unknown name, or images, data and protocols that do not fit.

    """
    names = [protocol] if isinstance(protocol, str) else list(protocol)
    chosen = [protocols.get(name).resolved() for name in dict.fromkeys(names)]
    if critics := [p.name for p in chosen if p.extractor == CRITIC]:
        raise UserError(f"{', '.join(critics)} scores critics", do="Use `ganbench evaluate RUN` for them")
    on = environment.resolve_device(device)
    asked = given.Asked(dataset=data, experiment=experiment, seed=seed)
    path = None if callable(source) or hasattr(source, "__array__") else Path(source)
    if path is not None and not path.exists():
        raise NothingToJudge("there is no such file or folder", where=str(path))
    if path is None and data is None:
        raise UserError("what are the images to be compared with?", where="evaluate", do="Say data=NAME")
    dataset = given.dataset_of(path, asked) if path is not None else str(data)
    given.check(chosen, dataset, [], path or Path(), asked)
    images: Source
    if path is not None:
        images = given.source(path, on, asked)
    elif callable(source):
        where = type(source).__name__ if isinstance(source, nn.Module) else "the callable"
        images = generation.of_callable(
            source, prior, latent, value_range, seed or 0, torch.device(on), where
        )
    else:
        images = generation.of_array(source, value_range)
    was_training = isinstance(source, nn.Module) and [m for m in source.modules() if m.training]
    if isinstance(source, nn.Module):
        source.eval()
    try:
        scores = scoring.scores_of_images(chosen, images, dataset, on, str(path or "the images"))
    finally:
        for module in was_training or ():
            module.training = True
    return Result(scores, {p.name: p.as_dict() for p in chosen}, dataset, images.described, on)
