"""Experiments that a spec describes, made known to this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import baselines
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def revive(spec: Mapping[str, Any], directory: Path) -> None:
    """As `baselines.revive`, and see that a variant is what its spec calls it and can be made.

    Raises:
        UserError: it is of a plugin that is not installed, or of another version of an experiment.

    """
    said = spec["experiment"]
    try:
        baselines.revive(said)
        if said.get("variant"):
            baselines.described(said["name"])
    except (baselines.UnknownExperiment, baselines.BrokenVariant, TypeError) as error:
        why = f" ({error})" if isinstance(error, baselines.BrokenVariant) else ""
        raise UserError(
            f"its experiment '{said['name']}' is not known here{why}",
            where=str(directory),
            do="Install the plugin, or the version of ganbench, that the run was made with",
        ) from error
