"""The reference files that come with ganbench: in `results/reference` of a checkout, or in the package."""

from __future__ import annotations

from pathlib import Path

import benchmark
from benchmark.errors import UserError

_INSTALLED = Path(benchmark.__file__).with_name("reference")
_CHECKED_OUT = _INSTALLED.parents[1] / "results" / "reference"


def folder() -> Path:
    """Where they are."""
    return _INSTALLED if _INSTALLED.is_dir() else _CHECKED_OUT


def find(own: Path, given: Path | None = None, *, comes_with_ganbench: bool = True) -> Path:
    """The file to compare with: the one given, else `own`, else ganbench's of that name.

    Where there is none at all, `own`: the place in the results folder.

    Raises:
        UserError: the one given is not there.

    """
    if given:
        if not given.is_file():
            raise UserError("there is no such file", where=f"--reference {given}")
        return given
    ours = folder() / own.name
    return ours if not own.is_file() and ours.is_file() and comes_with_ganbench else own
