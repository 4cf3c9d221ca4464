"""Names and patterns of experiments, as users type them, to registered experiments."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import baselines
from benchmark import escape
from benchmark.errors import UserError, did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LONGEST_PATTERN = 201
"""As many characters as a name in a record may have (`fields.Name`)."""


def describe(name: str, where: str = "") -> dict[str, Any]:
    """The experiment as JSON types.

    Raises:
        UserError: an unknown one, with the closest name; or a suite's variant that cannot be made.

    """
    try:
        return baselines.described(name)
    except baselines.UnknownExperiment:
        raise UserError(
            f"unknown experiment '{name}'", where=where, do=did_you_mean(name, baselines.names())
        ) from None
    except baselines.BrokenVariant as error:
        raise UserError(_plainly(str(error)), where=where) from error


_PYTHONS = re.compile(
    r"(?:\w+\.)+(\w+) = (.+) is not a (?:<class '(\w+)'>|typing\.Literal\[(.+)\]|tuple\[.+\])\Z"
)
_KINDS = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}


def _plainly(text: str) -> str:
    """What the class of some settings says of a value, in the words of who wrote it into a suite."""
    if not (found := _PYTHONS.search(text)):
        return text
    name, value, kind, words = found.groups()
    wanted = f"one of {words}" if words else _KINDS.get(kind, "a list")
    return f"{text[: found.start()]}{name} must be {wanted}, not {value}"


def meant(asked: str, among: Iterable[str]) -> str:
    """What to write for a name that is none of `among`: the pattern of a baseline's, else the closest."""
    among = list(among)
    if any(name.startswith(f"{asked}/") for name in among):
        return f"Write '{asked}/*' for all experiments of it"
    return did_you_mean(asked, among)


def check_pattern(pattern: str, where: str) -> None:
    """Refuse a shell-style pattern longer than any name: one takes time by the square of its length.

    Raises:
        UserError: more than `LONGEST_PATTERN` characters.

    """
    if len(pattern) > LONGEST_PATTERN:
        raise UserError(
            f"the pattern {shown(pattern)} has {len(pattern)} characters; at most {LONGEST_PATTERN} are read",
            where=where,
            do="Write a shorter one, like 'wgan/*'",
        )


def matching(patterns: Sequence[str], among: Sequence[str], where: str) -> tuple[str, ...]:
    """The names of `among` that any shell-style pattern matches, in the order of `among`.

    Raises:
        UserError: a pattern that matches none, or one that is too long.
        BrokenPlugin: what matches none may be of a plugin that is left out.

    """
    for pattern in patterns:
        check_pattern(pattern, where)
        if not any(fnmatchcase(name, pattern) for name in among):
            baselines.check_left_out(pattern)
            raise UserError(f"no experiment matches '{pattern}'", where=where, do=meant(pattern, among))
    return tuple(name for name in among if any(fnmatchcase(name, pattern) for pattern in patterns))


def bibtex(papers: Iterable[Mapping[str, str]]) -> str:
    """The entries of papers as experiments describe them, each once.

    Those of `baselines/references.bib` come first, in the order of the file; then what third parties give
    with their papers, or a comment where that is no entry that can be printed as it is.
    """
    wanted = {paper["key"]: paper for paper in papers if paper["key"]}
    text = files("baselines").joinpath("references.bib").read_text(encoding="utf-8")
    keyed = [(re.split(r"[{,]", entry, maxsplit=2)[1], entry) for entry in re.split(r"\n(?=@)", text)]
    found = [entry for key, entry in keyed if key in wanted]
    for key, paper in wanted.items():
        if key not in dict(keyed):
            entry, title = paper.get("bibtex") or "", paper.get("citation") or "it"
            if not entry:
                entry = escape.bibtex_comment(f"{key}: no BibTeX entry is given for {title}")
            elif why := escape.unusable_entry(entry):
                entry = escape.bibtex_comment(f"{key}: the BibTeX entry of {title} is left out: {why}")
            found.append(entry)
    return "\n".join(entry.strip() + "\n" for entry in found)
