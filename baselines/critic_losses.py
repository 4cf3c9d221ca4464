"""What the recorded loss ``critic`` of an experiment is, so that a curve of it can be read. Needs no torch.

A penalty is a loss of its own (``gradient_penalty``), never part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["wasserstein", "cross-entropy", "hinge"]


@dataclass(frozen=True)
class CriticLoss:
    """A function of `losses.py`, by its `kind`, times `scale` (1 for the sum over real and generated)."""

    kind: Kind
    scale: float = 1.0


def critic_loss(experiment: Mapping[str, Any]) -> CriticLoss | None:
    """What an experiment, as `catalogue.describe` gives it, says of its loss; None if nothing."""
    said = experiment.get("critic_loss")
    return CriticLoss(**said) if said else None
