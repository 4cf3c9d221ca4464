"""Scores of a critic by the protocols of an SVM on its features (DCGAN 2015, Tables 1 and 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from benchmark import data
from benchmark.data.framing import frame
from benchmark.errors import UserError
from benchmark.evaluation import critic_features
from benchmark.evaluation.critic_features import Labelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from baselines.spec import Experiment
    from benchmark.evaluation.protocol import Protocol

    Told = Callable[[str], critic_features.Told]
    """Gets the name of a step, gives who is told of its progress."""

_BATCH = 128


def scores(
    critic: nn.Module, experiment: Experiment[Any], protocol: Protocol, told: Told
) -> dict[str, float]:
    """Accuracy and error rate of an SVM on the features of `critic`, in percent.

    Returns ``classification_accuracy``, ``classification_error``, ``svm_cost``; where labels are drawn, also
    ``accuracy_spread_over_draws``, 1.96 standard deviations in percentage points.

    Args:
        critic: on the device to compute features on; stays as it is.
        experiment: what it is the critic of.
        protocol: one with the extractor `CRITIC`.
        told: hears of the progress; this takes from minutes to hours.

    Raises:
        UserError: the data are not there or do not fit the critic or the protocol, or the critic wants
            classes.

    """
    where, name = f"protocol '{protocol.name}'", protocol.dataset or ""
    if experiment.classes:
        raise UserError(f"the critic of '{experiment.name}' wants classes", where=where)
    images = {split: _images(name, split, experiment, where) for split in ("train", "held-out")}
    chosen, validated = protocol.first_validation or 0, protocol.n_validation or 0
    if len(images["train"]) < chosen + validated or len(images["held-out"]) < protocol.n_reference:
        sizes = f"{len(images['train'])} training and {len(images['held-out'])} test images of '{name}'"
        raise UserError(f"{sizes} are fewer than it takes", where=where)
    images["held-out"] = images["held-out"][: protocol.n_reference]
    critic = critic_features.with_statistics_of(critic, images["train"], experiment.image_range, _BATCH)

    def labelled(split: str) -> Labelled:
        rows = critic_features.features(
            critic,
            images[split],
            experiment.image_range,
            statistics="running",
            batch=_BATCH,
            told=told(f"features of {name}, {split}"),
        )
        return Labelled(rows, data.load_labels(name, cast("data.Split", split))[: len(rows)])

    train, test = labelled("train"), labelled("held-out")
    found = _accuracy(train, test, protocol, told("support vector machines"))
    spread = {"accuracy_spread_over_draws": 100 * found.spread} if found.draws > 1 else {}
    return {
        "classification_accuracy": 100 * found.mean,
        "classification_error": 100 * (1 - found.mean),
        **spread,
        "svm_cost": found.cost,
    }


def _accuracy(
    train: Labelled, test: Labelled, protocol: Protocol, told: critic_features.Told
) -> critic_features.Accuracy:
    first, n = protocol.first_validation or 0, protocol.n_validation or 0
    if not protocol.labels_per_class:
        every = Labelled(*(x[: first + n] for x in train))
        return critic_features.all_labels(every, n, test, told=told)
    return critic_features.few_labels(
        Labelled(*(x[:first] for x in train)),
        Labelled(*(x[first : first + n] for x in train)),
        test,
        protocol.labels_per_class,
        draws=protocol.draws or 1,
        choosing_draws=protocol.choosing_draws or 1,
        told=told,
    )


def _images(name: str, split: str, experiment: Experiment[Any], where: str) -> Tensor:
    """Images of a split as large as the critic's, uint8 [N, C, H, W]."""
    images = data.load(name, cast("data.Split", split))
    if images.shape[1:] == torch.Size(experiment.image_shape):
        return images
    channels, height, width = experiment.image_shape
    if images.shape[1] != channels or images.shape[2] > height or images.shape[3] > width:
        raise UserError(
            f"images of '{name}' are {'x'.join(map(str, images.shape[1:]))}, "
            f"the critic sees {channels}x{height}x{width}",
            where=where,
            do="Take an experiment with images of this size",
        )
    return frame(images, height)
