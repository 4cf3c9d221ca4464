"""Further experiments of GAN 2014."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baselines.spec import Experiment

EXPERIMENTS: tuple[Experiment[Any], ...] = ()
