"""The reference files that come with ganbench: in `results/reference` of a checkout, or in the package."""

from __future__ import annotations

from pathlib import Path

import benchmark

_INSTALLED = Path(benchmark.__file__).with_name("reference")
_CHECKED_OUT = _INSTALLED.parents[1] / "results" / "reference"


def folder() -> Path:
    """Where they are."""
    return _INSTALLED if _INSTALLED.is_dir() else _CHECKED_OUT
