"""`probes.json`: the accepted probes of all experiments, one block each, so that a diff shows what changed.

Keys: `results/README.md`. Numbers have as many digits as their precision holds, 9 or 17; every block has its
own SHA-256, so that an edit is noticed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.records import atomic, bounded, identity
from benchmark.records.bounded import Unreadable
from benchmark.training.numerics import FAITHFUL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Block = dict[str, Any]

SCHEMA_VERSION = 1
MOST_BYTES = 64 * bounded.MIB
NAME = "probes.json"
_KEPT = (
    "plan",
    "settings",
    "sources",
    "initial_weights",
    "portable",
    "float32",
    "float64",
    "scores",
    "portable_scores",
)
_DIGITS = {"float32": 9, "float64": 17, "scores": 9}


def path_of(out: Path) -> Path:
    """Where `ganbench probe --accept` puts it by default."""
    return out / "reference" / NAME


def block(result: Mapping[str, Any], environment: Mapping[str, Any]) -> Block:
    """What is kept of a probe's result, with the `environment` (its digest) it was computed in."""
    content = {key: _rounded(result[key], _DIGITS.get(key, 17)) for key in _KEPT if key in result}
    if "sources" in content:
        content["sources"] = identity.digest(content["sources"])
    content["environment"] = environment_id(environment)
    return {**content, "sha256": identity.digest(content)}


def environment_id(environment: Mapping[str, Any]) -> str:
    """What the file calls an environment."""
    return identity.env_id(dict(environment), FAITHFUL)[:8]


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner, digits) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner, digits) for inner in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def read(path: Path) -> tuple[dict[str, Block], dict[str, Any]] | None:
    """Blocks by experiment, and environments by the first digits of their id; None where there is no file.

    Raises:
        UserError: it cannot be read, is of another schema, or was edited.

    """
    do = "Take it from git, or make it again: ganbench probe --accept"
    try:
        content = bounded.read_json(path, MOST_BYTES)
        version, blocks, environments = (
            content[key] for key in ("schema_version", "experiments", "environments")
        )
        kept = {name: {k: v for k, v in b.items() if k != "sha256"} for name, b in blocks.items()}
        edited = [name for name, b in kept.items() if identity.digest(b) != blocks[name].get("sha256")]
    except FileNotFoundError:
        return None
    except Unreadable as error:
        raise UserError(f"cannot be read: it {error}", where=str(path), do=do) from error
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError("is no file of accepted probes", where=str(path), do=do) from None
    if version != SCHEMA_VERSION:
        what = f"has schema {version}; this version reads {SCHEMA_VERSION}"
        raise UserError(what, where=str(path), do=do)
    if edited:
        raise UserError(f"the probe of {edited[0]} was edited or damaged", where=str(path), do=do)
    return blocks, environments


def write(path: Path, blocks: Mapping[str, Block], environments: Mapping[str, Any]) -> None:
    """Write the file whole or not at all; equal blocks in any order give equal bytes.

    Raises:
        UserError: it cannot be written.

    """
    used = {b["environment"] for b in blocks.values()}
    content = {
        "schema_version": SCHEMA_VERSION,
        "environments": {key: value for key, value in environments.items() if key in used},
        "experiments": blocks,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, (_text(content) + "\n").encode("utf-8"))
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", where=str(path)) from error


def _text(value: Any, indent: str = "") -> str:
    """JSON with sorted keys: a line for every list and for every table without tables in it."""
    nested = isinstance(value, dict) and any(isinstance(inner, dict | list) for inner in value.values())
    if not nested:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    inner = indent + " "
    lines = [f"{inner}{json.dumps(key)}: {_text(value[key], inner)}" for key in sorted(value)]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
