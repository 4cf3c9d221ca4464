"""`bench.json`: how fast device models train, generate and score. Keys: results/README.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError
from benchmark.records import atomic, bounded
from benchmark.records.bounded import Unreadable
from benchmark.records.quantities import finite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA_VERSION = 1
NAME = "bench.json"
_MOST_BYTES = 16 * bounded.MIB
MEASURES = ("gen_iters", "generated_images", "scored_images")


def path_of(out: Path) -> Path:
    """What was measured last."""
    return out / NAME


def accepted_path(out: Path) -> Path:
    """Where `ganbench bench --accept` puts it by default."""
    return out / "reference" / NAME


def read(path: Path) -> dict[str, Any]:
    """What was measured, by device model; nothing where there is no file.

    Raises:
        UserError: it cannot be read or is of another schema.

    """
    do = "Move it away and measure again: ganbench bench"
    try:
        content = bounded.read_json(path, _MOST_BYTES)
        version, devices = content["schema_version"], content["devices"]
        if version == SCHEMA_VERSION:
            for block in devices.values():
                _check(block)
    except FileNotFoundError:
        return {}
    except Unreadable as error:
        raise UserError(f"cannot be read: it {error}", where=str(path), do=do) from error
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError("is no file of measured speeds", where=str(path), do=do) from None
    if version != SCHEMA_VERSION:
        what = f"has schema {version}; this version reads {SCHEMA_VERSION}"
        raise UserError(what, where=str(path), do=do)
    found: dict[str, Any] = devices
    return found


def _check(block: Mapping[str, Any]) -> None:
    """Raise something of `read`'s list where a number that is used is missing or none."""
    for entry in (*block["experiments"].values(), *block["protocols"].values()):
        if "left_out" in entry:
            continue
        for measure in MEASURES:
            if measure in entry:
                one = entry[measure]
                numbers = [*one["per_s"], *one["share_of_roof"], *one["gflop"].values()]
                if len(one["per_s"]) != 3 or len(one["share_of_roof"]) != 3:
                    raise ValueError(measure)
                if any(finite(x) is None or x < 0 for x in numbers):
                    raise ValueError(measure)


def add(path: Path, model: str, block: Mapping[str, Any]) -> None:
    """Put what was measured on a device model into the file, in the place of what was measured before.

    Raises:
        UserError: it cannot be read or written.

    """
    devices = read(path)
    before = devices.get(model, {"experiments": {}, "protocols": {}})
    devices[model] = {kind: {**before[kind], **block[kind]} for kind in ("experiments", "protocols")}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(path, {"schema_version": SCHEMA_VERSION, "devices": devices})
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", where=str(path)) from error
