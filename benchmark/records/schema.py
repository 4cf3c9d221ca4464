"""What a record, a spec and an event are, checked when they are read; in words: `results/README.md`.

Inside ganbench they stay plain dictionaries. These classes say which keys there must be, of which type and in
which range; keys beyond them are let through, since they may explain but never decide anything.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from benchmark.records.bounded import Unreadable

SPEC_VERSION = 1
MOST_METRICS = 100
"""Of a protocol, and protocols of a run: no suite has nearly as many."""
MOST_POINTS = 100_000
"""Evaluations in a curve; a run of 10⁶ G-iterations, scored every 10, has as many."""

# Patterns end in \Z: a `$` would let a line break after it pass.
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=10**15)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
Mib = Annotated[float, Meta(ge=0, le=1e12)]
PerSecond = Annotated[float, Meta(ge=0, le=1e12)]
Value = Annotated[float, Meta(ge=-1e100, le=1e100)] | None
"""A number that was not finite is null. Squares of these can be summed without overflow; a loss is float32,
at most 3.4e38, and no score comes near."""
Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")]
"""What may become part of a path."""
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}/[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\Z")]
Text = Annotated[str, Meta(max_length=100_000)]
Utc = Annotated[str, Meta(pattern=r"^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,9})?Z\Z")]
"""Texts of one zone and form: the later is the greater."""
Sample = Annotated[str, Meta(pattern=r"^samples/[0-9]{1,15}\.png\Z")]
Scores = dict[str, dict[str, Value]]
Row = Annotated[dict[str, Value], Meta(max_length=100)]
"""Losses by name; each is drawn."""


class Setting(Struct):
    """A hyper-parameter with its source."""

    value: Any
    source: Text
    confidence: Text


class Budget(Struct):
    """The paper's."""

    gen_iters: Count | None
    arithmetic: Text
    source: Text
    confidence: Text


class Paper(Struct):
    """As a report cites it."""

    key: Text
    citation: Text
    arxiv: Text
    bibtex: Text = ""


class Deviation(Struct):
    """From the paper."""

    what: Text
    why: Text
    effect: Text


class Parameters(Struct):
    """Numbers of them."""

    generator: Count
    critic: Count


class CriticLoss(Struct):
    """What the loss called ``critic`` is (`baselines.critic_losses`)."""

    kind: Literal["wasserstein", "cross-entropy", "hinge"]
    scale: Annotated[float, Meta(gt=0, le=1e6)] = 1.0


class Variant(Struct):
    """Which settings of which experiment a suite has other values of."""

    of: Name
    name: Text
    settings: dict[str, Any]
    source: Text


class Experiment(Struct):
    """As the registry describes it."""

    name: Name
    baseline: Word
    module: Text
    title: Text
    paper: Paper
    summary: Text
    dataset: Text
    image_shape: Annotated[list[Annotated[int, Meta(ge=1, le=100_000)]], Meta(min_length=3, max_length=3)]
    image_range: Annotated[list[float], Meta(min_length=2, max_length=2)]
    settings: dict[str, Setting]
    parameters: Parameters
    budget: Budget
    deviations: list[Deviation]
    headline: bool
    classes: Count
    starts_from: Text
    train_images: Count = 0
    critic_loss: CriticLoss | None = None
    variant: Variant | None = None


class Dataset(Struct):
    """What a run was trained on."""

    name: Text
    digest: Text
    title: Text = ""
    official: bool = False


class Protocol(Struct):
    """How a score was computed; `benchmark.evaluation.protocol` explains the keys."""

    name: Word
    title: Text
    extractor: Text
    metrics: Annotated[list[Word], Meta(min_length=1, max_length=MOST_METRICS)]
    n_generated: Count
    n_reference: Count
    reference_split: Text
    comparable_with_papers: bool
    note: Text
    quantisation: Text | None = None
    weights_digest: Text | None = None
    dataset: Text | None = None
    folds_digest: Text | None = None
    isc_splits: Count | None = None
    image_size: Count | None = None
    is_sets: Count | None = None
    kid_subsets: Count | None = None
    kid_subset_size: Count | None = None
    prc_neighbours: Count | None = None
    n_validation: Count | None = None
    first_validation: Count | None = None
    folds: Count | None = None
    labels_per_class: Count | None = None
    draws: Count | None = None
    choosing_draws: Count | None = None
    sigma_grid: Annotated[list[float], Meta(min_length=3, max_length=3)] | None = None

    def __post_init__(self) -> None:
        """Each metric has a column of its own."""
        if len({*self.metrics}) < len(self.metrics):
            raise ValueError("a metric comes twice")


class Before(Struct):
    """The run that a second stage starts from."""

    experiment: Name
    run_id: Sha256


class Spec(Struct):
    """`spec.json`."""

    spec_version: int
    suite: Text
    experiment: Experiment
    dataset: Dataset
    gen_iters: Count
    evaluate_at: Annotated[list[Count], Meta(max_length=MOST_POINTS)]
    protocols: Annotated[list[Protocol], Meta(max_length=MOST_METRICS)]
    numerics: dict[str, Any]
    device: Text
    sources: dict[str, Text]
    seed: Annotated[int, Meta(ge=0)]
    starts_from: Before | None = None

    def __post_init__(self) -> None:
        """Another version may mean something else by the same keys."""
        if self.spec_version != SPEC_VERSION:
            raise ValueError(
                f"has spec_version {self.spec_version}; this version of ganbench reads {SPEC_VERSION}, "
                "so use the one that made it"
            )
        if len({protocol.name for protocol in self.protocols}) < len(self.protocols):
            raise ValueError("a protocol comes twice")


class Point(Struct):
    """One evaluation."""

    gen_iters: Count
    critic_updates: Count
    images_seen: Count
    wall_s: Seconds
    scores: Scores
    losses: Row | None


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
