"""What `spec.json` is: who a run is, from the experiment to the protocols."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from benchmark.records.fields import MOST_METRICS, MOST_POINTS, Count, Name, Sha256, Text, Word

SPEC_VERSION = 1


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
    """The run that a second stage starts from; records of before 2026-11-28 have no `cell_id` of it."""

    experiment: Name
    run_id: Sha256
    cell_id: Sha256 | None = None


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
