"""What a tracker shows of a run: its settings, its scores and losses over G-iterations, its sample grids."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmark.errors import NothingToJudge
from benchmark.records import bounded, loss_file, places, schema, store
from benchmark.records.bounded import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_LOSSES = 1000
"""Values that a tracker gets of a loss; of more G-iterations every so-manieth, and the last."""


@dataclass(frozen=True)
class Point:
    """A number at a G-iteration; `utc_s` since 1970, where it is known."""

    tag: str
    gen_iters: int
    value: float
    utc_s: float | None = None


@dataclass(frozen=True)
class History:
    """One run.

    Attributes:
        name: experiment and seed.
        key: `run_id` and `env_id`, shortened as its directory is called: the same for the same run.
        state: as `ganbench status` says it.
        ids: what identifies it, in full.
        config: settings and what else was chosen, flat, as JSON types.
        points: scores and losses, by G-iteration.
        grids: sample grids by G-iteration.

    """

    name: str
    key: str
    state: str
    ids: dict[str, str]
    config: dict[str, Any]
    points: tuple[Point, ...]
    grids: tuple[tuple[int, Path], ...]


def directories(paths: Iterable[Path]) -> list[Path]:
    """The run directories at or below the paths, finished or not; none that was set aside.

    Raises:
        NothingToJudge: a path without any.

    """
    found: dict[Path, None] = {}
    for path in paths:
        if (path / "spec.json").is_file():
            below = [] if store.is_set_aside(path) else [path]
        else:
            below = store.directories_with(path, "spec.json")
        if not below:
            raise NothingToJudge("no run", where=str(path), do="Name a run directory or a results folder")
        found.update(dict.fromkeys(below))
    return list(found)


def read(directory: Path) -> History:
    """The history of a run from `spec.json`, `record.json` or else `events.jsonl`, and `losses.safetensors`.

    Raises:
        NothingToJudge: its spec is damaged.

    """
    spec = store.read_spec(directory)
    if spec is None:
        raise NothingToJudge("its spec.json is damaged", where=str(directory))
    record = store.read_record(directory)
    evaluated = [e for e in store.events(directory) if e["event"] == "evaluated" and _is_point(e)]
    utc_s = {e["gen_iters"]: _seconds(e["utc"]) for e in evaluated}
    curve = record["curve"] if record else list({e["gen_iters"]: e for e in evaluated}.values())
    points = [
        Point(f"{protocol}/{metric}", entry["gen_iters"], value, utc_s.get(entry["gen_iters"]))
        for entry in curve
        for protocol, scores in entry["scores"].items()
        for metric, value in scores.items()
        if value is not None
    ]
    points += _losses(directory, record, curve)
    experiment, dataset = spec["experiment"], spec["dataset"]
    return History(
        name=f"{experiment['name']} seed {spec['seed']}",
        key=directory.name,
        state=store.state(directory).text(),
        ids={name: str(record[name]) for name in ("run_id", "cell_id", "env_id")} if record else {},
        config={
            "experiment": experiment["name"],
            "seed": spec["seed"],
            "budget_gen_iters": spec["gen_iters"],
            "dataset": dataset["name"],
            "dataset_digest": dataset["digest"],
            "protocols": [protocol["name"] for protocol in spec["protocols"]],
            **{f"settings.{key}": setting["value"] for key, setting in experiment["settings"].items()},
        },
        points=tuple(sorted(points, key=lambda p: (p.gen_iters, p.tag))),
        grids=tuple(sorted(_grids(directory))),
    )


def _grids(directory: Path) -> Iterator[tuple[int, Path]]:
    """The sample grids by G-iteration; none that is no regular file of the run's own."""
    for path in directory.glob("samples/*.png"):
        name = path.relative_to(directory).as_posix()
        if not re.fullmatch("samples/[0-9]{1,15}[.]png", name) or not places.inside(directory, name):
            continue
        with suppress(FileNotFoundError, Unreadable):
            bounded.check_regular(path, bounded.PICTURE_BYTES)
            yield int(path.stem), path


def _losses(directory: Path, record: dict[str, Any] | None, curve: list[dict[str, Any]]) -> list[Point]:
    """Of every so-manieth G-iteration where their file can be read, else of the evaluations."""
    columns = None
    if record:
        with suppress(loss_file.UnusableLosses):
            columns = loss_file.read(directory, record)
    if columns is None:
        values = [
            (name, entry["gen_iters"], value)
            for entry in curve
            for name, value in (entry["losses"] or {}).items()
        ]
    else:
        values = [
            (name, k + 1, float(column[k])) for name, column in columns.items() for k in _shown(len(column))
        ]
    return [
        Point(f"losses/{name}", k, value)
        for name, k, value in values
        if value is not None and math.isfinite(value)
    ]


def _is_point(event: dict[str, Any]) -> bool:
    try:
        schema.check(event, schema.Point)
    except Unreadable:
        return False
    return True


def _shown(n: int) -> list[int]:
    step = max(1, -(-n // MOST_LOSSES))
    return sorted({*range(step - 1, n, step), *([n - 1] if n else [])})


def _seconds(utc: str) -> float | None:
    try:
        return datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
