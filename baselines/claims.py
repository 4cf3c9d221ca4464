"""What the papers print, as data: the typed, checked content of `claims.toml`.

A claim is a number with what it takes to compare with it, or a statement: that a paper prints none, that one
run is above another, what was seen without a number, that two printed numbers disagree, that a number is
commonly misquoted.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import typing
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["value", "prints_none", "ordering", "observation", "conflict", "misquotation"]
SpreadKind = Literal["splits", "seeds", "eval_repeats", "test_examples", "folds", "none", "unknown"]
Provenance = Literal["printed", "revised_by_authors", "other_paper"]
Grade = Literal["high", "medium", "low"]
Direction = Literal["higher", "lower", "none"]
Count = int | Literal["none", "all", "unstated"]
"""A number of images or splits; `none` where the metric has no such number."""

PATH = Path(__file__).with_name("claims.toml")
UNSTATED: Literal["unstated"] = "unstated"


class ClaimError(ValueError):
    """`claims.toml`, or another file of its form, does not fit: where and why."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a number was computed; `unstated` is what the paper does not say."""

    metric: str
    extractor: str = UNSTATED
    n_generated: Count = UNSTATED
    n_reference: Count = UNSTATED
    reference_split: str = UNSTATED
    splits: Count = UNSTATED
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim.

    Attributes:
        kind: a `value`, or a statement of another kind.
        experiment: of ours that it is about; empty if none. In statements perhaps a pattern.
        paper, table, row: where it is printed; `paper` is a key of the file's papers.
        value: the number; None in statements.
        spread: the number behind ±, if any.
        printed: value and spread with the digits of the paper.
        spread_kind: what the ± means.
        spread_n: over how many; None where there is none, or it is not known.
        direction: which values are better.
        dataset: a name as experiments have it, where there is one.
        stated_by: who measured it; a key of the file's papers.
        statement: the claim in words; empty for values.
        above, below: experiments of an ordering.
        also: further experiments that an observation is about.
        judged_by: the rule that could judge an observation, or why nothing can.
        about: ids of the claims that disagree or are misquoted.

    """

    id: str
    kind: Kind
    experiment: str
    paper: str
    table: str
    row: str
    metric: str
    value: float | None
    spread: float | None
    printed: str
    spread_kind: SpreadKind
    spread_n: int | None
    direction: Direction
    unit: str
    dataset: str
    network: str
    protocol: Protocol
    stated_by: str
    provenance: Provenance
    grade: Grade
    note: str
    statement: str = ""
    above: str = ""
    below: str = ""
    also: tuple[str, ...] = ()
    judged_by: str = ""
    about: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON types."""
        return dataclasses.asdict(self)


@cache
def load(path: Path = PATH) -> tuple[Claim, ...]:
    """All claims of a file, in its order.

    Raises:
        ClaimError: the file cannot be read, is no TOML, or an entry does not fit.

    """
    try:
        # Decimals keep the digits that were printed: 8.60 is not 8.6.
        content = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise ClaimError(f"{path}: {error}") from error
    try:
        return _claims(content)
    except ClaimError as error:
        raise ClaimError(f"{path}: {error}") from None


@cache
def papers(path: Path = PATH) -> Mapping[str, str]:
    """Citations of the papers that claims name by key."""
    content: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))["papers"]
    return content


def of(experiment: str, claims: Iterable[Claim] | None = None) -> tuple[Claim, ...]:
    """The claims about an experiment, those included that say something about such a claim."""
    claims = load() if claims is None else tuple(claims)

    def direct(claim: Claim) -> bool:
        return fnmatchcase(experiment, claim.experiment) or experiment in (
            claim.above,
            claim.below,
            *claim.also,
        )

    own = {claim.id for claim in claims if direct(claim)}
    return tuple(claim for claim in claims if claim.id in own or own & set(claim.about))


# --- Reading ------------------------------------------------------------------------------------------

_STATEMENTS: Mapping[str, Kind] = {
    "prints_none": "prints_none",
    "orderings": "ordering",
    "observations": "observation",
    "conflicts": "conflict",
    "misquotations": "misquotation",
}
_REQUIRED: Mapping[Kind, tuple[str, ...]] = {
    "value": ("row", "value", "dataset", "network", "paper", "table"),
    "prints_none": ("statement", "experiment", "paper"),
    "ordering": ("statement", "paper", "table", "above", "below"),
    "observation": ("statement", "judged_by", "paper", "table"),
    "conflict": ("statement", "about"),
    "misquotation": ("statement", "about", "quoted"),
}
_COMMON = (
    *("id", "experiment", "paper", "table", "metric", "protocol", "dataset", "network", "stated_by"),
    *("provenance", "grade", "note"),
)
_ALLOWED: Mapping[Kind, tuple[str, ...]] = {
    "value": (*_COMMON, "row", "value", "spread", "spread_kind", "spread_n"),
    "prints_none": (*_COMMON, "statement"),
    "ordering": (*_COMMON, "statement", "above", "below"),
    "observation": (*_COMMON, "statement", "also", "judged_by"),
    "conflict": ("id", "experiment", "grade", "note", "statement", "about"),
    "misquotation": ("id", "experiment", "grade", "note", "statement", "about", "quoted"),
}


@dataclass(frozen=True)
class _Names:
    """What entries refer to by name."""

    papers: Mapping[str, Any]
    metrics: Mapping[str, Any]
    protocols: Mapping[str, Protocol]


def _claims(content: dict[str, Any]) -> tuple[Claim, ...]:
    _known(content, ("papers", "metrics", "protocols", "tables", *_STATEMENTS), "the file")
    for key in content:
        kind: type = dict if key in ("papers", "metrics", "protocols") else list
        if not isinstance(content[key], kind):
            raise ClaimError(f"'{key}' must be a {'table' if kind is dict else 'list of tables'}")
    metrics = content.get("metrics", {})
    for name, metric in metrics.items():
        where = f"metric '{name}'"
        _known(metric, ("title", "unit", "direction"), where)
        for key in ("title", "unit"):
            _text(metric, key, where)
        _choice(metric.get("direction"), Direction, f"{where}: direction")
    protocols = {
        name: _protocol(entry, name, metrics) for name, entry in content.get("protocols", {}).items()
    }
    names = _Names(content.get("papers", {}), metrics, protocols)

    claims: dict[str, Claim] = {}
    for entry_kind, entry in _entries(content):
        claim = _claim(entry_kind, entry, names, claims)
        if claim.id in claims:
            raise ClaimError(f"{claim.id}: the id is taken")
        claims[claim.id] = claim
    return tuple(claims.values())


def _entries(content: dict[str, Any]) -> Iterable[tuple[Kind, dict[str, Any]]]:
    """Values first: statements refer to them."""
    for i, table in enumerate(content.get("tables", ())):
        prefix = _text(table, "id", f"table {i + 1}")
        shared = {key: value for key, value in table.items() if key not in ("id", "rows")}
        rows = table.get("rows")
        if not isinstance(rows, list) or not rows:
            raise ClaimError(f"{prefix}: 'rows' must be a list of at least one row")
        for row in rows:
            name = f"{prefix}.{_text(row, 'id', prefix)}"
            if "metric" in row or "protocol" in row:  # one replaces the other
                shared_here = {k: v for k, v in shared.items() if k not in ("metric", "protocol")}
            else:
                shared_here = shared
            entry = {**shared_here, **row, "id": name}
            if "spread" not in row:  # what the ± of a block means is nothing to a row without one
                entry = {k: v for k, v in entry.items() if k in row or k not in ("spread_kind", "spread_n")}
            yield "value", entry
    for section, kind in _STATEMENTS.items():
        for i, entry in enumerate(content.get(section, ())):
            _text(entry, "id", f"{section} {i + 1}")
            yield kind, entry


def _claim(kind: Kind, entry: dict[str, Any], names: _Names, before: Mapping[str, Claim]) -> Claim:
    where = entry["id"]
    _known(entry, _ALLOWED[kind], where)
    for key in _REQUIRED[kind]:
        if key not in entry:
            raise ClaimError(f"{where}: '{key}' is missing")

    def text(key: str, default: str = "") -> str:
        return _text(entry, key, where) if key in entry else default

    about, also = _texts(entry, "about", where), _texts(entry, "also", where)
    for name in about:
        _one_of(name, before, f"{where}: about")
    first = before[about[0]] if about else None
    protocol = first.protocol if first else _protocol_of(entry, names, where)
    metric = names.metrics[protocol.metric]
    paper = text("paper", first.paper if first else "")
    stated_by = text("stated_by", paper)
    for key, name in (("paper", paper), ("stated_by", stated_by)):
        _one_of(name, names.papers, f"{where}: {key}")
    grade = _choice(entry.get("grade", "high"), Grade, f"{where}: grade")
    note = text("note")
    if ("unconfirmed" in note) != (grade == "low"):
        raise ClaimError(f"{where}: grade low and a note that says 'unconfirmed' go together")
    value, spread = (_number(entry, key, where) for key in ("value", "spread"))
    spread_kind, spread_n = _spread(entry, spread, where)
    return Claim(
        id=where,
        kind=kind,
        experiment=text("experiment"),
        paper=paper,
        table=text("table", first.table if first else ""),
        row=text("row", text("quoted")),
        metric=protocol.metric,
        value=None if value is None else float(value),
        spread=None if spread is None else float(spread),
        printed="" if value is None else f"{value}" if spread is None else f"{value} ± {spread}",
        spread_kind=spread_kind,
        spread_n=spread_n,
        direction=metric["direction"],
        unit=metric["unit"],
        dataset=text("dataset", first.dataset if first else ""),
        network=text("network", first.network if first else ""),
        protocol=protocol,
        stated_by=stated_by,
        provenance=_choice(entry.get("provenance", "printed"), Provenance, f"{where}: provenance"),
        grade=grade,
        note=note,
        statement=text("statement"),
        above=text("above"),
        below=text("below"),
        also=also,
        judged_by=text("judged_by"),
        about=about,
    )


def _protocol(entry: dict[str, Any], name: str, metrics: Mapping[str, Any]) -> Protocol:
    where = f"protocol '{name}'"
    _known(entry, [f.name for f in dataclasses.fields(Protocol)], where)
    _one_of(_text(entry, "metric", where), metrics, f"{where}: metric")
    for key, value in entry.items():
        if key in ("n_generated", "n_reference", "splits"):
            whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if not whole and value not in ("none", "all", UNSTATED):
                raise ClaimError(f"{where}: '{key}' must be a positive count, none, all or unstated")
        else:
            _text(entry, key, where)
    return Protocol(**entry)


def _protocol_of(entry: dict[str, Any], names: _Names, where: str) -> Protocol:
    """The named protocol, or one of the metric that is unstated throughout."""
    if ("protocol" in entry) == ("metric" in entry):
        raise ClaimError(f"{where}: give either 'protocol' or, where it is unstated, 'metric'")
    if "protocol" in entry:
        return names.protocols[_one_of(entry["protocol"], names.protocols, f"{where}: protocol")]
    return Protocol(metric=_one_of(entry["metric"], names.metrics, f"{where}: metric"))


def _texts(entry: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    found = entry.get(key, [])
    if not isinstance(found, list) or (key in entry and not found):
        raise ClaimError(f"{where}: '{key}' must be a list of {'ids' if key == 'about' else 'experiments'}")
    return tuple(str(name) for name in found)


def _spread(entry: dict[str, Any], spread: Decimal | None, where: str) -> tuple[SpreadKind, int | None]:
    kind: SpreadKind = _choice(entry.get("spread_kind", "none"), SpreadKind, f"{where}: spread_kind")
    if (spread is None) != (kind == "none"):
        raise ClaimError(f"{where}: 'spread' and a 'spread_kind' other than none go together")
    n = entry.get("spread_n", "unknown")
    if n == "unknown":
        return kind, None
    if kind in ("none", "unknown") or isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise ClaimError(f"{where}: 'spread_n' must be a count of at least 2, of a known spread, not {n!r}")
    return kind, n


def _number(entry: dict[str, Any], key: str, where: str) -> Decimal | None:
    number = entry.get(key)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | Decimal):
        raise ClaimError(f"{where}: '{key}' must be a number, not {number!r}")
    number = Decimal(number)
    if not number.is_finite() or number <= 0:
        raise ClaimError(f"{where}: '{key}' must be positive and finite, not {number}")
    return number


def _text(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(value, str) or (not value and key != "unit"):
        raise ClaimError(f"{where}: '{key}' must be a text, not {value!r}")
    return value


def _choice(value: Any, choices: Any, where: str) -> Any:
    return _one_of(value, typing.get_args(choices), where)


def _one_of(value: Any, known: Iterable[str], where: str) -> str:
    known = tuple(known)
    if value not in known:
        near = difflib.get_close_matches(str(value), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "known are " + ", ".join(known[:12])
        raise ClaimError(f"{where}: {value!r} is unknown; {hint}")
    return str(value)


def _known(entry: Any, allowed: Iterable[str], where: str) -> None:
    if not isinstance(entry, dict):
        raise ClaimError(f"{where}: must be a table, not {entry!r}")
    for key in entry:
        _one_of(key, allowed, where)
