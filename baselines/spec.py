"""The vocabulary a baseline file is written in: what is declared, what is drawn, what is trained."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping  # noqa: TC003 (`cited` evaluates annotations)
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from baselines.critic_losses import CriticLoss  # noqa: TC001 (as above)

Confidence = Literal["high", "medium", "low", "suite", "own"]
"""How sure a source is; `suite` marks a choice of this suite that no paper states, `own` one of whoever wrote
an experiment of no paper."""
HIGH: Confidence = "high"
MEDIUM: Confidence = "medium"
LOW: Confidence = "low"
SUITE: Confidence = "suite"

Losses = dict[str, Tensor]
"""What one G-iteration reports: detached scalars on the training device, never read inside the iteration."""


@dataclass(frozen=True)
class Paper:
    """A publication: the key of its BibTeX entry and how to name it in a sentence.

    `bibtex` is the entry itself, where `references.bib` does not have it: of a third party's paper.
    """

    key: str
    citation: str
    arxiv: str
    bibtex: str = ""


NO_PAPER = Paper("", "Of no paper: an experiment of one's own", "")


@dataclass(frozen=True)
class Source:
    """Where a value comes from (paper section, table or released file) and how sure that is."""

    where: str
    confidence: Confidence


@dataclass(frozen=True)
class Deviation:
    """A known difference from the paper: what differs, why, and what it may change."""

    what: str
    why: str
    effect: str


@dataclass(frozen=True)
class Budget:
    """The paper's training length in G-iterations; None where it prints none."""

    gen_iters: int | None
    arithmetic: str
    source: Source


STATED = Source("stated by you", "own")
BY_DEFAULT = Source("default of ganbench", "own")
SUITES_BUDGET = Budget(None, "set by the suite", STATED)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Hyper-parameters every baseline has; each baseline file adds its own.

    What claims to be a paper's is built by `cited`, so that no value lacks a source. Of one's own, plain
    values will do: they are stated by you.

    Attributes:
        batch: real images per minibatch.
        latent: values of z that an image is made from; the generator gets [N, latent] and may reshape it.
        prior: distribution of z; ``uniform`` is U(-1, 1), ``uniform-sqrt3`` U(-√3, √3) (unit variance).
        epoch_end: what happens when a set is no multiple of the batch: the remainder is dropped (`drop`),
            makes a short batch (`keep`), or is filled up from the next epoch (`wrap`).
        sampling_statistics: batch-norm statistics when sampling for evaluation: of the `batch` sampled, or
            `running` averages, as in torch's evaluation mode; `none` without batch norm.
        sampling_batch: images sampled together, where the statistics are those of the `batch` sampled, so
            that each depends on the others, by default as many as in training; else 0, for their number
            changes no image.

    Raises:
        TypeError: a field is missing, unknown, or holds a value its annotation does not admit.

    """

    batch: int
    latent: int
    prior: Literal["normal", "uniform", "uniform-sqrt3"] = "normal"
    epoch_end: Literal["drop", "keep", "wrap"] = "drop"
    sampling_statistics: Literal["batch", "running", "none"] = "running"
    sampling_batch: int = 0
    sources: Mapping[str, Source] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check the values, and complete what follows from the others."""
        _check_kinds(type(self), self.values())
        if self.sampling_statistics == "batch" and not self.sampling_batch:
            object.__setattr__(self, "sampling_batch", self.batch)

    def revised(self, **cited_values: tuple[object, str, Confidence]) -> Self:
        """Copy with some values and their sources replaced: how a variant is declared.

        Raises:
            TypeError: a field is unknown or given a value its annotation does not admit.

        """
        values: dict[str, Any] = {name: value for name, (value, _, _) in cited_values.items()}
        return dataclasses.replace(self, **values, sources={**self.sources, **_sources(cited_values)})

    def values(self) -> dict[str, Any]:
        """Name → plain value, without the sources."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "sources"}

    def source(self, name: str) -> Source:
        """Where a value comes from; `STATED` or `BY_DEFAULT` for a plain one."""
        left_alone = name in _DEFAULTS and getattr(self, name) == _DEFAULTS[name]
        return self.sources.get(name, BY_DEFAULT if left_alone else STATED)


_DEFAULTS = {f.name: f.default for f in dataclasses.fields(Settings) if f.default is not dataclasses.MISSING}


S = TypeVar("S", bound=Settings)
S_contra = TypeVar("S_contra", bound=Settings, contravariant=True)


def cited(kind: type[S], **cited_values: tuple[object, str, Confidence]) -> S:
    """Make the settings of one experiment from ``name=(value, source, confidence)``.

    Raises:
        TypeError: a field is missing, unknown, or holds a value its annotation does not admit.

    """
    if missing := {f.name for f in dataclasses.fields(kind)} - {*cited_values, "sources"}:
        raise TypeError(f"{kind.__module__}.{kind.__name__} has no value for {', '.join(sorted(missing))}")
    values = {name: value for name, (value, _, _) in cited_values.items()}
    return kind(**values, sources=_sources(cited_values))  # type: ignore[arg-type]


def settings(**values: bool | float | str | tuple[Any, ...]) -> Any:
    """Settings of one's own without a class of one's own: ``settings(batch=64, latent=100, rate=2e-4)``.

    What `Settings` does not have becomes a field of the type of its value.

    Raises:
        TypeError: `batch` or `latent` is missing, or a value is no number, string, truth value or tuple.

    """
    common = {f.name for f in dataclasses.fields(Settings)}
    own = [(name, type(value)) for name, value in values.items() if name not in common]
    if wrong := [name for name, kind in own if kind not in (bool, int, float, str, tuple)]:
        raise TypeError(f"the setting {wrong[0]} is no number, string, truth value or tuple")
    kind = dataclasses.make_dataclass("OwnSettings", own, bases=(Settings,), frozen=True, kw_only=True)
    return kind(**values)


def _sources(cited_values: Mapping[str, tuple[object, str, Confidence]]) -> dict[str, Source]:
    return {name: Source(where, confidence) for name, (_, where, confidence) in cited_values.items()}


def _check_kinds(kind: type[Settings], values: Mapping[str, object]) -> None:
    hints = typing.get_type_hints(kind)
    for name, value in values.items():
        if name in hints and not _admits(hints[name], value):
            raise TypeError(f"{kind.__module__}.{name} = {value!r} is not a {hints[name]}")


def _admits(hint: Any, value: object) -> bool:
    if typing.get_origin(hint) is Literal:
        return value in typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, tuple)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is hint if isinstance(hint, type) else True


class Draws(Protocol):
    """Everything random in one G-iteration, as a pure function of (seed, purpose, iteration).

    Within an iteration the draws of one purpose follow each other in one stream, so their order in a
    baseline file is part of the result.
    """

    @property
    def epoch(self) -> int:
        """Epoch of the next real minibatch, from 0."""

    def images(self) -> Tensor:
        """Next real minibatch, uint8 [B, C, H, W] in 0..255, on the training device."""

    def labelled_images(self) -> tuple[Tensor, Tensor]:
        """Next real minibatch and its classes, int64 [B]; conditional experiments only."""

    def skip_images(self) -> None:
        """Pass over one real minibatch without loading it."""

    def latent(self, n: int) -> Tensor:
        """Latents [n, latent] from the experiment's prior."""

    def labels(self, n: int) -> Tensor:
        """Uniform random classes, int64 [n]; conditional experiments only."""

    def uniform(self, purpose: Literal["penalty", "dequantise", "points"], *shape: int) -> Tensor:
        """U[0, 1), drawn on the CPU and moved; `points` for experiments whose data are drawn, not loaded."""

    def normal(self, purpose: Literal["points"], *shape: int) -> Tensor:
        """N(0, 1), drawn on the CPU and moved."""

    def keep(self, probability: float, *shape: int) -> Tensor:
        """Bernoulli keep-mask (float 0/1) for dropout, drawn on the CPU and moved."""

    def seed(self) -> int:
        """63 bits of this iteration, for generators of other libraries; the same at every call."""


class Stateful(Protocol):
    """What a checkpoint can keep: tensors, numbers, strings, None, and lists, tuples and dicts of them."""

    def state_dict(self) -> dict[str, Any]:
        """All that changes in training."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Continue from there."""


@dataclass
class Players:
    """The whole state of a training run: the two networks, their optimisers, and what else one has.

    Attributes:
        sampler: the network whose images are scored, such as an average of generators; the generator unless
            given.
        more: further networks, optimisers, schedulers and whatever else changes in training, by name.

    """

    generator: nn.Module
    critic: nn.Module
    generator_optimiser: torch.optim.Optimizer
    critic_optimiser: torch.optim.Optimizer
    sampler: nn.Module | None = None
    more: dict[str, Stateful] = field(default_factory=dict)

    @property
    def scored(self) -> nn.Module:
        """The network whose images are scored."""
        return self.generator if self.sampler is None else self.sampler

    def parts(self) -> dict[str, Stateful]:
        """Everything that a checkpoint keeps, by name."""
        found: dict[str, Any] = {
            name: part for name, part in vars(self).items() if name != "more" and part is not None
        }
        return found | {f"more.{name}": part for name, part in self.more.items()}


class Build(Protocol[S_contra]):
    """Networks and optimisers from settings.

    `mean_image` is the training set's mean in 0..1, [C, H, W]. Initial weights come from torch's random
    functions, in whose place the benchmark puts draws of its own.
    """

    def __call__(self, s: S_contra, shape: tuple[int, int, int], mean_image: Tensor) -> Players:
        """Players with initial weights."""
        ...


def critic_steps(s: Settings, k: int) -> int:
    """Critic updates: k times the setting `critic_steps`, where there is one; else one per G-iteration."""
    return int(getattr(s, "critic_steps", 1)) * k


def _as_critic_updates(s: Settings, k: int) -> int:
    raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Experiment(Generic[S]):
    """One setting that a paper (or its released code) ran, or a stated reduction of it; or one's own.

    Attributes:
        name: ``baseline/experiment``.
        paper: without one, settings need no sources.
        image_shape: what the networks see, (C, H, W); smaller data are zero-padded to it.
        image_range: values of generated images that become black and white; what lies outside is clipped.
        iterate: one G-iteration, number k from 0; returns its losses.
        real_batches: real minibatches that G-iterations 0..k-1 consumed; fixes the data position of k. One
            for every critic update unless given.
        critic_updates: critic updates made by G-iterations 0..k-1.
        critic_loss: what the loss ``critic`` that `iterate` returns is, so that its curve can be read; None
            where `critic_losses` has no word for it.
        classes: number of classes of a conditional experiment, whose networks take (input, classes); else 0.
        train_images: the first so many of the training split are trained on, as the budget's arithmetic says;
            0 means all.
        points: a minibatch of the data where they are points of the plane that are drawn, not images that are
            loaded: [batch, 1, 1, 2] in the unit of the generator's outputs; else None.
        starts_from: experiment whose trained generator is part of this one's, if any: its submodule
            `pretrained`, which has the same `state_dict`.
        headline: the experiment its paper is known for.

    Raises:
        ValueError: it has a paper, and a setting without a source.

    """

    name: str
    title: str = ""
    paper: Paper = NO_PAPER
    summary: str = ""
    dataset: str
    image_shape: tuple[int, int, int]
    image_range: tuple[float, float] = (-1.0, 1.0)
    settings: S
    build: Build[S]
    iterate: Callable[[S, Players, int, Draws], Losses]
    real_batches: Callable[[S, int], int] = _as_critic_updates
    critic_updates: Callable[[S, int], int] = critic_steps
    budget: Budget = SUITES_BUDGET
    deviations: tuple[Deviation, ...] = ()
    headline: bool = False
    classes: int = 0
    train_images: int = 0
    starts_from: str = ""
    critic_loss: Callable[[S], CriticLoss] | None = None
    points: Callable[[S, Draws], Tensor] | None = None

    def __post_init__(self) -> None:
        """Complete what follows from the rest."""
        uncited = [name for name in self.settings.values() if name not in self.settings.sources]
        if self.paper.key and uncited:
            raise ValueError(
                f"'{self.name}' is of a paper ({self.paper.key}), but {', '.join(uncited)} has no source: "
                "make the settings with `cited`, or give no paper"
            )
        if self.real_batches is _as_critic_updates:
            object.__setattr__(self, "real_batches", self.critic_updates)
        if not self.title:
            object.__setattr__(self, "title", self.name)

    @property
    def baseline(self) -> str:
        """The part of the name before the slash."""
        return self.name.split("/", 1)[0]


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the parameters of `network`: the critic while the generator is updated."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


def update(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """One optimiser step on `loss`, from cleared gradients."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Learning rates are functions of the G-iteration, so that a checkpoint needs no scheduler."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
