"""Which experiments there are, and what is known about each; needs no torch."""

from __future__ import annotations

from typing import Any

import baselines
from benchmark.suites import experiments as names


def experiments(*patterns: str) -> tuple[str, ...]:
    """Names of the experiments, in the order of the papers; those that any shell-style pattern matches.

    Raises:
        UserError: a pattern that matches none.

    """
    known = baselines.names()
    return names.matching(patterns, known, "experiments") if patterns else known


def describe(name: str) -> dict[str, Any]:
    """All about an experiment as JSON types: settings with sources, networks, budget, deviations, BibTeX.

    Raises:
        UserError: an unknown name.

    """
    described = names.describe(name)
    return {**described, **baselines.details(name), "bibtex": names.bibtex([described["paper"]])}
