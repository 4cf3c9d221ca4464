"""What the shell completes: names that commands take, without importing torch; the rest is click's."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

VARIABLE = "_GANBENCH_COMPLETE"
"""Set by the shell's function while it asks."""


def is_asked() -> bool:
    """Whether the shell asks for completions, or for its script."""
    return VARIABLE in os.environ


def suites(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Suites that come with ganbench, and files: a suite of one's own."""
    from benchmark import suites as known

    return _beginning(incomplete, known.names()) or [CompletionItem(incomplete, type="file")]


def experiments(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Experiments."""
    import baselines

    return _beginning(incomplete, baselines.names())


def suites_and_experiments(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """For commands that take either."""
    own = experiments(context, parameter, incomplete)
    known = [item for item in suites(context, parameter, incomplete) if item.type == "plain"]
    return [*known, *own]


def names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whatever `ganbench show` shows."""
    import baselines
    from benchmark import data
    from benchmark.evaluation import protocols

    papers = dict.fromkeys(name.split("/")[0] for name in baselines.names())
    others = _beginning(incomplete, (*papers, *data.names(), *protocols.names()))
    items = [*suites_and_experiments(context, parameter, incomplete), *others]
    return list({item.value: item for item in items}.values())


def protocol_names(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Protocols."""
    from benchmark.evaluation import protocols

    return _beginning(incomplete, protocols.names())


def _beginning(incomplete: str, options: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in options if fnmatchcase(name, f"{incomplete}*")]
