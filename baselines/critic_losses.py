"""What the recorded loss ``critic`` of an experiment is, so that a curve of it can be read.

A penalty is a loss of its own (``gradient_penalty``), never part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["wasserstein", "cross-entropy", "hinge"]


@dataclass(frozen=True)
class CriticLoss:
    """A function of `losses.py`, by its `kind`, times `scale` (1 for the sum over real and generated)."""

    kind: Kind
    scale: float = 1.0


_LOSSES = (
    ("gan/mnist-printed", CriticLoss("cross-entropy")),
    ("gan/*", CriticLoss("cross-entropy", 0.5)),
    ("dcgan/*", CriticLoss("cross-entropy")),
    ("wgan/*-gan-*", CriticLoss("cross-entropy")),
    ("wgan/*", CriticLoss("wasserstein")),
    ("wgan_gp/*", CriticLoss("wasserstein")),
)
"""By pattern; the first that matches counts. SN-GAN's are a setting."""
_SETTING: Mapping[str, CriticLoss] = {
    "standard": CriticLoss("cross-entropy"),
    "hinge": CriticLoss("hinge"),
    "wasserstein": CriticLoss("wasserstein"),
}


def critic_loss(experiment: Mapping[str, Any]) -> CriticLoss | None:
    """What is known of an experiment as `catalogue.describe` gives it; None of a third party's."""
    settings = experiment["settings"]
    if experiment["baseline"] == "sngan" and "loss" in settings:
        return _SETTING.get(settings["loss"]["value"])
    found = next((loss for glob, loss in _LOSSES if fnmatchcase(experiment["name"], glob)), None)
    if found and "critic_loss_scale" in settings:
        return CriticLoss(found.kind, settings["critic_loss_scale"]["value"])
    return found
