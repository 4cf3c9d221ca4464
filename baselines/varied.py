"""Experiments with other settings, as a suite names them: made once, then described without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from baselines import kept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from baselines.spec import Experiment


class BrokenVariant(ValueError):
    """An experiment cannot be made with the settings that a suite names; says which and why."""


@dataclass(frozen=True)
class Variant:
    """The experiment `of` with other `settings`, which have the `source`; it is called ``of+name``."""

    of: str
    name: str
    settings: Mapping[str, Any]
    source: str

    def as_dict(self) -> dict[str, Any]:
        """JSON types."""
        return {**vars(self), "settings": dict(self.settings)}


def described(variant: Variant, base: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, Any] | None:
    """The description that was kept, of the base as it is described and of the code as it is; else None."""
    content = kept.read(kept.place("variants", [variant.as_dict(), base, sources]))
    return content["description"] if content else None


def keep(
    description: dict[str, Any], variant: Variant, base: Mapping[str, Any], sources: Mapping[str, str]
) -> None:
    """Keep what `made` described; None was kept before, or something else."""
    kept.write(kept.place("variants", [variant.as_dict(), base, sources]), {"description": description})


def made(variant: Variant, base: Experiment[Any], module: str) -> tuple[Experiment[Any], dict[str, Any]]:
    """The experiment, whose networks are built once to see that they can be, and its description.

    Raises:
        BrokenVariant: a value that does not fit, or networks that cannot be built with it.

    """
    from baselines import catalogue

    cited = {
        key: (tuple(value) if isinstance(value, list) else value, variant.source, "suite")
        for key, value in variant.settings.items()
    }
    try:
        experiment = replace(
            base,
            name=f"{variant.of}+{variant.name}",
            title=f"{base.title}: {variant.name}",
            settings=base.settings.revised(**cited),
            headline=False,
        )
        described = catalogue.describe(experiment, module)
    except TypeError as error:
        raise BrokenVariant(f"{variant.source}: {' '.join(str(error).split())}") from error
    except Exception as error:  # of somebody's `build`
        said = " ".join(repr(error).split())[:200]
        raise BrokenVariant(f"{variant.source}: cannot be built: {said}") from error
    return experiment, json.loads(json.dumps({**described, "variant": variant.as_dict()}))
