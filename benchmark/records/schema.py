"""What records, checkpoints' texts and events are, checked when they are read; in words: `results/README.md`.

Inside ganbench they stay plain dictionaries. These classes, and those of `spec_schema`, say which keys there
must be, of which type and in which range; keys beyond them are let through, since they may explain but never
decide anything.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from benchmark.records.bounded import Unreadable
from benchmark.records.fields import (
    MOST_POINTS,
    Count,
    Mib,
    Name,
    PerSecond,
    Row,
    Sample,
    Scores,
    Seconds,
    Sha256,
    Text,
    Utc,
    Word,
)
from benchmark.records.spec_schema import Spec  # noqa: TC001 - msgspec asks for it

_RANGES = {
    "is": (0.99, float("inf")),
    "fid": (-1.0, float("inf")),
    "precision": (0.0, 1.0),
    "recall": (0.0, 1.0),
    "classification_accuracy": (0.0, 100.0),
    "classification_error": (0.0, 100.0),
}
"""What a metric can be, where it has bounds; an Inception score is 1 or more and a FID 0 or more but for
rounding. The unbiased KID may be negative."""


class Point(Struct):
    """One evaluation."""

    gen_iters: Count
    critic_updates: Count
    images_seen: Count
    wall_s: Seconds
    scores: Scores
    losses: Row | None

    def __post_init__(self) -> None:
        """No score is impossible."""
        _check_ranges(self.scores)


class Final(Struct):
    """The result."""

    gen_iters: Count
    scores: Scores


class Digests(Struct):
    """Of what lies beside the record."""

    generator_weights: Sha256 | None
    critic_weights: Sha256 | None
    losses: Sha256
    samples: dict[Sample, Sha256]


class Timing(Struct):
    """Seconds over all sessions, and what they were spent on."""

    wall_s: Seconds
    startup_s: Seconds
    train_s: Seconds
    evaluate_s: Seconds
    checkpoint_s: Seconds
    cpu_s: Seconds = 0.0
    sessions: Count = 1
    checkpoints: Count = 0
    checkpoint_bytes: Count = 0
    run_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class Git(Struct):
    """The code's revision."""

    sha: Text
    dirty: bool = False
    diff_sha256: Text | None = None


class Provenance(Struct):
    """Where a run was made: what judgements and reports ask for."""

    packages: dict[str, Text]
    environment: dict[str, Any]
    started_utc: Utc
    finished_utc: Utc
    argv: list[Text] = msgspec.field(default_factory=list)
    git: Git | None = None
    plugin_git: Git | None = None

    def __post_init__(self) -> None:
        """Days that are in the calendar, and in order."""
        if datetime.fromisoformat(self.started_utc) > datetime.fromisoformat(self.finished_utc):
            raise ValueError("finished_utc is before started_utc")


class Record(Struct):
    """`record.json`."""

    schema_version: int
    status: Literal["done", "diverged"]
    run_id: Sha256
    cell_id: Sha256
    env_id: Sha256
    suite: Text
    experiment: Name
    baseline: Word
    seed: Annotated[int, Meta(ge=0)]
    gen_iters: Count
    spec: Spec
    curve: Annotated[list[Point], Meta(max_length=MOST_POINTS)]
    final: Final | None
    real_data: Scores
    diverged_at: Count | None
    digests: Digests
    first_losses: Annotated[list[Row], Meta(max_length=10)]
    samples: Annotated[list[Sample], Meta(max_length=MOST_POINTS)]
    timing: Timing
    peak_memory_mib: Mib
    provenance: Provenance
    record_sha256: Sha256

    def __post_init__(self) -> None:
        """What must agree: the copied keys with the spec, the result with the status."""
        spec = self.spec
        copies = (self.experiment, self.baseline, self.seed, self.gen_iters)
        if copies != (spec.experiment.name, spec.experiment.baseline, spec.seed, spec.gen_iters):
            raise ValueError("experiment, baseline, seed or gen_iters are not those of its spec")
        if (self.status == "done") != (self.final is not None) or (self.status == "done") != (
            self.diverged_at is None
        ):
            raise ValueError("status, final and diverged_at contradict each other")
        if self.final and (not self.curve or self.curve[-1].scores != self.final.scores):
            raise ValueError("final is not the last point of the curve")
        at = [point.gen_iters for point in self.curve]
        if at != sorted(set(at)):
            raise ValueError("the points of the curve are not in order")
        ends = {self.final.gen_iters, at[-1]} if self.final else {self.gen_iters}
        if ends != {self.gen_iters} or max([self.diverged_at or 0, *at]) > self.gen_iters:
            raise ValueError("the curve, final or diverged_at do not fit the budget")
        if any(row.keys() != self.first_losses[0].keys() for row in self.first_losses):
            raise ValueError("the rows of first_losses do not name the same losses")
        if sorted(self.samples) != sorted(self.digests.samples):
            raise ValueError("samples are not those that digests has")
        _check_ranges(self.real_data)


class Checkpointed(Struct):
    """The JSON text in the header of a checkpoint."""

    gen_iters: Count
    tensors_sha256: Sha256
    players: dict[str, Any] = msgspec.field(default_factory=dict)
    numerics: Text = "faithful"
    images_seen: Count = 0
    diverged_at: Count | None = None
    curve: Annotated[list[Point], Meta(max_length=MOST_POINTS)] = msgspec.field(default_factory=list)
    samples: dict[Sample, Sha256] = msgspec.field(default_factory=dict)
    seconds: dict[str, Seconds] = msgspec.field(default_factory=dict)
    sessions: Count = 0
    checkpoints: Count = 0
    checkpoint_bytes: Count = 0
    run_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class Event(Struct):
    """A line of `events.jsonl`; each kind has further keys."""

    event: Text
    utc: Text = ""
    reason: Text = ""
    file: Text = ""
    gen_iters: Count = 0


class Progress(Struct):
    """`progress.json`."""

    gen_iters: Count
    phase: Text = ""
    budget: Count = 0
    iters_per_s: PerSecond = 0.0


def _check_ranges(scores: Scores) -> None:
    for protocol, values in scores.items():
        for metric, value in values.items():
            low, high = _RANGES.get(metric, (-float("inf"), float("inf")))
            if value is not None and not low <= value <= high:
                raise ValueError(f"{protocol} has {metric} {value:g}, which it cannot be")


T = TypeVar("T", bound=Struct)


def check(content: Any, kind: type[T]) -> T:
    """The content as `kind`.

    Raises:
        Unreadable: a key is missing, or a value is of another type or out of range; says which.

    """
    try:
        return msgspec.convert(content, kind)
    except (msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(str(error).replace(" - at `$", " at `")) from error
