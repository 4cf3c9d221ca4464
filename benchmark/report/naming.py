"""What reports call experiments: the method as its paper writes it, and how that is cited in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_METHODS = {"gan": "GAN", "dcgan": "DCGAN", "wgan": "WGAN", "wgan_gp": "WGAN-GP", "sngan": "SN-GAN"}


def method(experiment: str) -> str:
    """`wgan_gp/digits` → `WGAN-GP`; of a third party's the first part of its name."""
    first = experiment.partition("/")[0]
    return _METHODS.get(first, first)


def cited(experiment: Mapping[str, Any]) -> str:
    """`Gulrajani et al., 2017`, from a spec's experiment; empty without a citation."""
    paper = experiment.get("paper")
    citation = str(paper.get("citation", "")) if isinstance(paper, dict) else ""
    first, year = citation.partition(",")[0], citation.rpartition(",")[2].strip()
    authors = f"{first} et al." if " & " in citation else first
    return f"{authors}, {year}" if authors and year.isdecimal() else authors
