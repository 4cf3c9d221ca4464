"""What the papers say: five baselines, one file each, and the registry that finds their experiments.

`get` imports torch and the baseline's file. The others read `catalogue.json` and `details.json` instead, so
that listing, showing and planning need no torch; where these are older than the files, they import the files.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from baselines.varied import BrokenVariant as BrokenVariant
from baselines.varied import Variant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from baselines.plugins import LeftOut, Plugin
    from baselines.spec import Experiment


ENTRY_POINT_GROUP = "ganbench.baselines"
"""Third parties register a module here; its `EXPERIMENTS` join the registry."""


class UnknownExperiment(LookupError):
    """No registered experiment has this name."""


class BrokenPlugin(Exception):
    """A third party's entry point does not give usable experiments."""


class PluginLeftOut(UserWarning):
    """The same, where nobody asked for one of its experiments."""


def names() -> tuple[str, ...]:
    """All experiment names, in the order of the papers; warns (`PluginLeftOut`) of what is not among them."""
    return (*_found().entries, *_registered)


def check_left_out(asked: str) -> None:
    """Raise `BrokenPlugin` where a name or pattern may mean an experiment that is left out."""
    papers = {name.partition("/")[0] for name in _own()}
    for left in _found().left_out:
        if left.name not in _found().entries and left.may_be(asked, papers):
            raise BrokenPlugin(f"{left} cannot be loaded, and '{asked}' may be of it: {left.reason}")


def described(name: str) -> dict[str, Any]:
    """The experiment as JSON types (see `catalogue.describe`); a variant's first time imports torch.

    Raises:
        UnknownExperiment: no registered experiment has this name.
        BrokenPlugin: neither, and it may be of a plugin that cannot be loaded.
        BrokenVariant: it cannot be made.

    """
    return _entry(name).description


def details(name: str) -> dict[str, Any]:
    """What only showing it needs (see `catalogue.detail`); `UnknownExperiment` for an unknown name."""
    from baselines import catalogue

    entry = _entry(name)
    if entry.plugin is not None:
        return entry.plugin.details[name]
    known = catalogue.read_details() if entry.experiment is None else {}
    return known[name] if name in known else catalogue.detail(get(name))


def get(name: str) -> Experiment[Any]:
    """The experiment itself, with the functions that build and train; imports torch.

    Raises:
        UnknownExperiment: no registered experiment has this name.
        BrokenPlugin: a third party's is not what was described.
        BrokenVariant: a suite's cannot be made, or is not what was described.

    """
    entry = _entry(name)
    if entry.experiment is None and entry.variant is not None:
        entry = _registered[name] = _made(entry.variant, entry.description)
    if entry.experiment is not None:
        return entry.experiment
    if entry.plugin is not None:
        from baselines import plugins

        return plugins.experiment(entry.plugin, name)
    module = importlib.import_module(entry.description["module"])
    experiment: Experiment[Any] = next(e for e in module.EXPERIMENTS if e.name == name)
    return experiment


def register(experiment: Experiment[Any]) -> Experiment[Any]:
    """Add an experiment to the registry of this process, and return it; one of the same name is replaced.

    Runs have processes of their own, which know of it only by an entry point (`ENTRY_POINT_GROUP`).

    Raises:
        ValueError: its name is none, or not free; or its networks do not keep to what `spec` says of them.

    """
    from baselines import catalogue

    if experiment.name in _found().entries:
        raise ValueError(f"the name '{experiment.name}' is taken")
    catalogue.check_name(experiment.name)
    catalogue.detail(experiment)
    description = catalogue.describe(experiment, experiment.iterate.__module__)
    _registered[experiment.name] = _Entry(description, experiment=experiment)
    return experiment


def vary(of: str, name: str, settings: Mapping[str, Any], source: str) -> str:
    """Add an experiment with other values of some settings to the registry of this process; gives its name.

    It is made when it is asked for: `described` and `get` raise `BrokenVariant` then.

    Args:
        of: the experiment.
        name: of the variant; the experiment's is ``of+name``.
        settings: values by name.
        source: where they come from.

    Raises:
        UnknownExperiment: no registered experiment is called `of`.

    """
    _entry(of)
    full_name = f"{of}+{name}"
    _registered[full_name] = _Entry({}, variant=Variant(of, name, settings, source))
    return full_name


def variant(name: str) -> dict[str, Any] | None:
    """What `vary` was given for an experiment, to be given again in another process; None if it is none."""
    entry = _registered.get(name)
    return entry.variant.as_dict() if entry and entry.variant else None


def revive(description: Mapping[str, Any]) -> None:
    """Make the experiment of a description known to this process, where it is a variant; raises as `vary`."""
    if given := description.get("variant"):
        vary(**given)


def sources(module: str) -> dict[str, str]:
    """SHA-256 by dotted name of every file that decides what the experiments of a module are; no torch.

    The module's own, those of `baselines` it imports, and all that a third party's imports of its own.
    """
    from baselines import catalogue

    if module in catalogue.MODULES:
        return catalogue.sources(module)
    return catalogue.sources(module, plugin_files(module))


def plugin_files(module: str) -> Mapping[str, Path]:
    """The files of a third party's code by dotted name; none of a module that is no plugin's."""
    plugins = (e.plugin for e in _found().entries.values() if e.plugin)
    return next((plugin.files for plugin in plugins if plugin.module == module), {})


@dataclass(frozen=True)
class _Entry:
    """An experiment; the description of a variant is empty until it is asked for."""

    description: dict[str, Any]
    plugin: Plugin | None = None
    experiment: Experiment[Any] | None = None
    variant: Variant | None = None


_registered: dict[str, _Entry] = {}


def _entry(name: str) -> _Entry:
    # What a baseline file has needs no plugin: a worker of it neither waits for a broken one nor warns again.
    entry = _own().get(name) or _registered.get(name) or _found().entries.get(name)
    if entry is None:
        check_left_out(name)
        raise UnknownExperiment(name)
    if entry.variant is not None and not entry.description:
        from baselines import varied

        base = described(entry.variant.of)
        known = varied.described(entry.variant, base, sources(base["module"]))
        entry = replace(entry, description=known) if known else _made(entry.variant)
        _registered[name] = entry
    return entry


def _made(variant: Variant, known: Mapping[str, Any] | None = None) -> _Entry:
    """A variant with its experiment; its description is kept, or compared with the one that was."""
    from baselines import varied

    base = described(variant.of)
    experiment, description = varied.made(variant, get(variant.of), base["module"])
    if description != known:
        varied.keep(description, variant, base, sources(base["module"]))
        if known:
            raise BrokenVariant(f"{variant.source}: what was kept of it was altered; start the command again")
    return _Entry(description, experiment=experiment, variant=variant)


@dataclass(frozen=True)
class _Found:
    """The experiments that no call registered, and what of plugins is not among them."""

    entries: dict[str, _Entry]
    left_out: list[LeftOut]


@cache
def _own() -> dict[str, _Entry]:
    from baselines import catalogue

    own = catalogue.read() or catalogue.compute(catalogue.MODULES)
    return {name: _Entry(description) for name, description in own.items()}


@cache
def _found() -> _Found:
    """With a warning for everything that is left out; as this is kept, once in a process."""
    from baselines import plugins

    entries = dict(_own())
    found, left_out = plugins.found()
    for plugin in found:
        if taken := sorted(entries.keys() & plugin.experiments.keys()):
            others = f" (and {len(taken) - 1} more of its names)" if taken[1:] else ""
            left_out.append(plugins.LeftOut(str(plugin), taken[0], f"the name is taken{others}"))
        new = {name: text for name, text in plugin.experiments.items() if name not in taken}
        entries |= {name: _Entry(text, plugin) for name, text in new.items()}
    for left in left_out:
        text = f"the plugin {left} cannot be loaded and is left out: {left.reason}. Fix or uninstall it"
        warnings.warn(text, PluginLeftOut, stacklevel=2)
    return _Found(entries, left_out)
