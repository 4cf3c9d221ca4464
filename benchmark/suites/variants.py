"""Sweeps: experiments with other settings, as a suite names them under ``[[variants]]``."""

from __future__ import annotations

import math
import re
from typing import Any

import baselines
from benchmark.errors import UserError, did_you_mean, shown
from benchmark.records import bounded, identity
from benchmark.suites import experiments

_KEYS = ("experiment", "name", "settings")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}")
_SIZES = ("batch", "generator_batch", "sampling_batch", "latent")
"""Settings that count what there must be at least one of, where there is any."""
_KINDS: dict[tuple[type, ...], str] = {
    (bool,): "true or false",
    (int, float): "a number",
    (str,): "a text",
    (list,): "a list",
}
_DEEPEST = bounded.DEPTH // 2
"""Nesting of a setting; a spec, a record and a reference put levels of their own around it."""


def read(table: Any, where: str, suite: str) -> tuple[str, ...]:
    """Names of the variants, which are registered in this process; torch is not needed yet.

    Raises:
        UserError: an entry that is no variant, or names an experiment or setting that is not there.

    """
    if not isinstance(table, list) or not all(isinstance(entry, dict) for entry in table):
        raise UserError(f"must be tables, not {shown(table)}", where=where, do="Write [[variants]]")
    found: list[str] = []
    made: dict[str, str] = {}
    for entry in table:
        for key in entry:
            if key not in _KEYS:
                raise UserError(f"unknown key '{key}'", where=where, do=did_you_mean(key, _KEYS))
        if missing := [key for key in _KEYS if key not in entry]:
            raise UserError(f"the key '{missing[0]}' is missing", where=where)
        name, settings = _registered(entry, where, suite)
        if name.casefold() in map(str.casefold, found):  # they name files, also where case does not count
            raise UserError(f"there are two variants '{name}'", where=where, do="Name them differently")
        if (other := made.setdefault(settings, name)) != name:
            do = "Leave one out: it would be trained twice"
            raise UserError(f"'{name}' has the settings of '{other}'", where=where, do=do)
        found.append(name)
    return tuple(found)


def _registered(entry: dict[str, Any], where: str, suite: str) -> tuple[str, str]:
    """Its name; and what it trains, as a text that is equal where that is."""
    of, name, settings = (entry[key] for key in _KEYS)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        do = "Use letters, digits, '.', '-' and '_', 31 at most"
        raise UserError(f"{shown(name)} can be no variant's name", where=where, do=do)
    where = f"{where}: {name}"
    if not isinstance(of, str) or "+" in of:
        raise UserError(f"must name an experiment, not {shown(of)}", where=f"{where}: experiment")
    known = experiments.describe(of, where=where)["settings"]
    if not isinstance(settings, dict) or not settings:
        do = "Write settings.NAME = VALUE"
        raise UserError(f"must be a table with a setting, not {shown(settings)}", where=where, do=do)
    for key in settings:
        if key not in known:
            raise UserError(f"'{of}' has no setting '{key}'", where=where, do=did_you_mean(key, known))
        _check_value(settings[key], f"{where}: settings.{key}")
        _check_kind(settings[key], known[key]["value"], f"{where}: settings.{key}")
        _check_size(key, settings[key], known[key]["value"], f"{where}: settings.{key}")
    if all(settings[key] == known[key]["value"] for key in settings):
        do = f"Change a setting, or leave it out: the suite may have '{of}' itself"
        raise UserError(f"has the settings of '{of}'; nothing differs", where=where, do=do)
    whole = {**{key: entry["value"] for key, entry in known.items()}, **settings}
    return (
        baselines.vary(of, name, settings, f"variant '{name}' of the suite '{suite}'"),
        f"{of} {identity.canonical(whole)}",
    )


def _check_value(value: Any, where: str) -> None:
    """Refuse what no `spec.json` can hold and be read again, at any depth of lists and tables."""
    level = [value]
    for _ in range(_DEEPEST + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict | list):
                inner.extend(one.values() if isinstance(one, dict) else one)
            elif isinstance(one, float) and not math.isfinite(one):
                raise UserError(f"must be a finite number, not {shown(one)}", where=where)
            elif isinstance(one, int) and abs(one) > bounded.LARGEST:
                do = "Write a smaller one, or, where it need not be whole, one like 1e20"
                raise UserError(f"a whole number is at most 2^64, not {shown(one)}", where=where, do=do)
            elif not isinstance(one, str | int | float):  # TOML has dates and times besides
                do = "Write a number, a text, true or false"
                raise UserError(f"a date or time is no setting: {shown(str(one))}", where=where, do=do)
        level = inner
        if not level:
            return
    raise UserError(f"is nested deeper than {_DEEPEST} levels", where=where)


def _check_kind(value: Any, declared: Any, where: str) -> None:
    """Refuse a text for a number and the like; the rest is up to the experiment's class."""
    for kind, what in _KINDS.items():
        if type(declared) in kind and type(value) not in kind:
            raise UserError(f"must be {what}, not {shown(value)}", where=where)


def _check_size(name: str, value: Any, declared: Any, where: str) -> None:
    """Refuse what no run can begin with: a count below what can be counted."""
    if type(value) is int and type(declared) is int and declared > 0:
        least = 1 if name in _SIZES else 0
        if value < least:
            raise UserError(f"must be at least {least}, not {shown(value)}", where=where)
