"""What a critic has learned: a linear SVM on its convolutions' activations (DCGAN 2015, §5, Tables 1 and 2).

    features(x) = concatenation over activations a(x) [C, H, W] of max-pool(a → 4×4), flattened      (§5.1)

28 672 numbers for the critic of `dcgan/imagenet32`, 7 168 for that of `dcgan/svhn32`. On them an L2-SVM
(squared hinge, one class against the rest) with

    Table 2    1 000 labels, equally many of each class; cost C from `COSTS` by the mean accuracy over 10
               draws of labels on validation images; then mean and 1.96 standard deviations over 100 draws
               on test images (released svhn_semisup_analysis.py)
    Table 1    all labels; cost, scaling and batch-norm mode are not printed: here C from `COSTS` by the
               accuracy on validation images of an SVM on the others, no scaling

The released script averages the batch-norm statistics over the training set first and freezes them, as
`with_statistics_of` does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

Range = tuple[float, float]
Statistics = Literal["running", "batch", "none"]
Told = Callable[[int, int], None]
"""Gets (steps done, steps in all) after each."""
COSTS = tuple(c * 1e-4 for c in (1, 2, 5, 10, 20, 50, 100))
"""Candidates for the SVM's C (released svhn_semisup_analysis.py)."""
CHOOSING_DRAWS, DRAWS = 10, 100
SIDE = 4
"""Height and width that every activation is pooled to."""
_NONLINEARITIES = frozenset({"relu", "relu_", "leaky_relu", "leaky_relu_", "amax"})


# --- Features -----------------------------------------------------------------------------------------


def with_statistics_of(critic: nn.Module, images: Tensor, image_range: Range, batch: int) -> nn.Module:
    """A copy whose running statistics are the mean over the batches of `images`, for ``running`` features.

    Only batch norms are in training mode meanwhile: spectral norms stay as they are. The variance of a batch
    is torch's unbiased one, n/(n − 1) of the released script's for n values per channel and batch.

    Args:
        critic: any critic; stays as it is.
        images: uint8 [N, C, H, W], N ≥ batch; the rest of N/batch is left out.
        image_range: values of black and white in what the critic sees.
        batch: images per batch.

    Raises:
        ValueError: fewer images than a batch.

    """
    if len(images) < batch:
        raise ValueError(f"{len(images)} images do not fill a batch of {batch}")
    averaged = copy.deepcopy(critic).eval()
    norms = [(m, m.momentum) for m in averaged.modules() if isinstance(m, _BatchNorm)]
    for norm, _ in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for an average with equal weights
        norm.train()
    with torch.no_grad():
        for part in torch.split(images[: len(images) // batch * batch], batch):
            averaged(_scaled(part, image_range, averaged))
    for norm, momentum in norms:
        norm.momentum = momentum
    return averaged.eval()


def features(
    critic: nn.Module,
    images: Tensor,
    image_range: Range,
    *,
    statistics: Statistics,
    batch: int = 128,
    told: Told = lambda *_: None,
) -> Tensor:
    """Activations of all convolutions, max-pooled to 4×4, in one vector per image: float32 [N, F] on the CPU.

    An activation is the output of a ReLU, a leaky ReLU or a maxout on maps [B, C, H, W] that at least one
    `nn.Conv2d` went into since the one before; so after batch norm, where there is one, and after the sum of
    a residual block. A convolution that no nonlinearity follows, such as WGAN's last, has none. Maps
    smaller than 4×4 stay as they are.

    Args:
        critic: any unconditional critic; stays as it is.
        images: uint8 [N, C, H, W] of the size the critic was made for.
        image_range: values of black and white in what the critic sees.
        statistics: batch-norm statistics as in `Settings.sampling_statistics`: ``running`` averages, or
            those of the `batch` computed at a time. Then every batch is full: the last is filled up with
            the first images, since each vector depends on its batch.
        batch: images at a time; bounds memory but for the result (5.7 GB for 50 000 images and 28 672
            features). Changes a vector with ``batch`` only.
        told: hears of the images.

    Raises:
        ValueError: no image, fewer images than a full batch, or a critic without convolutions.

    """
    n, with_batch = len(images), statistics == "batch"
    if not n or (with_batch and n < batch):
        raise ValueError(f"{n} images do not fill a batch of {batch if with_batch else 1}")
    network = copy.deepcopy(critic).train(with_batch)
    rows = []
    with torch.no_grad():
        for part in torch.split(images, batch):
            if with_batch and len(part) < batch:
                part = torch.cat((part, images[: batch - len(part)]))
            maps = activations(network, _scaled(part, image_range, network))
            if not maps:
                raise ValueError(f"{type(critic).__name__} has no activated convolutions")
            rows.append(torch.cat([_pooled(a).flatten(1) for a in maps], 1).float().cpu())
            told(min(len(rows) * batch, n), n)
    return torch.cat(rows)[:n]


def activations(network: nn.Module, x: Tensor) -> list[Tensor]:
    """The activations of one forward pass (see `features`), in their order, each [B, C, H, W]."""
    watch = _Watch()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    hooks = [m.register_forward_pre_hook(watch.convolves) for m in convolutions]
    try:
        with watch:
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return watch.found


class _Watch(TorchFunctionMode):
    """Sees every torch function, so that functional nonlinearities count like modules."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []
        self._open = False

    def convolves(self, *_: object) -> None:
        """Called before each convolution: a maxout may lie within."""
        self._open = True

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if self._open and name in _NONLINEARITIES and isinstance(out, Tensor) and out.dim() == 4:
            self.found.append(out)
            self._open = False
        return out


def _pooled(a: Tensor) -> Tensor:
    return nn.functional.adaptive_max_pool2d(a, (min(SIDE, a.shape[2]), min(SIDE, a.shape[3])))


def _scaled(images: Tensor, image_range: Range, network: nn.Module) -> Tensor:
    low, high = image_range
    return images.to(next(network.parameters()).device) / 255 * (high - low) + low


# --- The SVM ------------------------------------------------------------------------------------------


class Labelled(NamedTuple):
    """Features [n, F] and the class of each, int64 [n]."""

    features: Tensor
    labels: Tensor


class Accuracy(NamedTuple):
    """Accuracy on test images in 0..1: mean, 1.96 standard deviations over `draws`, the C."""

    mean: float
    spread: float
    cost: float
    draws: int


def svm_accuracy(train: Labelled, test: Labelled, cost: float) -> float:
    """Share of test images that an L2-SVM of this C classifies rightly, in 0..1.

    Minimises ½‖w‖² + C Σ max(0, 1 − y·(wx + b))² for each class against the rest (scikit-learn's LinearSVC).
    Its coordinate descent takes the images in a fixed order of random numbers, so equal data give equal bits.
    """
    machine = LinearSVC(C=cost, penalty="l2", loss="squared_hinge", dual=True, random_state=0)
    machine.fit(train.features.numpy(), train.labels.numpy())
    right: float = machine.score(test.features.numpy(), test.labels.numpy())
    return right


def drawn(labels: Tensor, per_class: int, draw: int) -> Tensor:
    """Indices of `per_class` images of every class, int64, class by class; draw number `draw`, from 0.

    A function of its arguments alone.

    Raises:
        ValueError: a class has fewer images.

    """
    generator = np.random.Generator(np.random.Philox(key=draw))
    chosen = []
    for one in torch.unique(labels).tolist():
        members = (labels == one).nonzero().squeeze(1)
        if len(members) < per_class:
            raise ValueError(f"class {one} has {len(members)} images, fewer than {per_class}")
        chosen.append(members[torch.from_numpy(generator.permutation(len(members))[:per_class])])
    return torch.cat(chosen)


def choose_cost(
    train: Labelled,
    validation: Labelled,
    per_class: int,
    draws: int = CHOOSING_DRAWS,
    told: Told = lambda *_: None,
) -> float:
    """The C of `COSTS` with the largest mean accuracy on the validation images; the first of equals.

    With `per_class` 0 there is one SVM per C, on all of `train`. `told` hears of them.
    """
    sets = [_of_draw(train, per_class, draw) for draw in range(draws)] if per_class else [train]
    means: list[float] = []
    for cost in COSTS:
        accuracies = []
        for some in sets:
            accuracies.append(svm_accuracy(some, validation, cost))
            told(len(means) * len(sets) + len(accuracies), len(COSTS) * len(sets))
        means.append(float(np.mean(accuracies)))
    return COSTS[int(np.argmax(means))]


def few_labels(
    train: Labelled,
    validation: Labelled,
    test: Labelled,
    per_class: int = 100,
    *,
    draws: int = DRAWS,
    choosing_draws: int = CHOOSING_DRAWS,
    told: Told = lambda *_: None,
) -> Accuracy:
    """Table 2's protocol, and Table 1's with 400 per class: `per_class` labels, over draws of them.

    Args:
        train: images that labels are drawn from; for SVHN the training images that do not validate.
        validation: images that choose C: for SVHN 10 000 of the training images.
        test: images that the accuracy is about.
        per_class: labels per class; 100 make 1 000 of ten classes.
        draws: of which the accuracy is the mean; the first `choosing_draws` choose C.
        choosing_draws: how many.
        told: hears of the SVMs, of which the first choose C.

    Raises:
        ValueError: a class has fewer images than `per_class`, or there is no draw.

    """
    if draws < 1 or choosing_draws < 1:
        raise ValueError("there must be a draw")
    to_choose = len(COSTS) * choosing_draws
    in_all = to_choose + draws
    cost = choose_cost(train, validation, per_class, choosing_draws, lambda done, _: told(done, in_all))
    found = []
    for draw in range(draws):
        found.append(svm_accuracy(_of_draw(train, per_class, draw), test, cost))
        told(to_choose + len(found), in_all)
    return Accuracy(float(np.mean(found)), 1.96 * float(np.std(found)), cost, draws)


def all_labels(
    labelled: Labelled, n_validation: int, test: Labelled, *, told: Told = lambda *_: None
) -> Accuracy:
    """Table 1's protocol: one SVM on all labelled images.

    C by the accuracy on the last `n_validation` of them of SVMs on the others. `told` hears of the SVMs.
    """
    n = len(labelled.labels) - n_validation
    others, validation = (Labelled(*(x[part] for x in labelled)) for part in (slice(n), slice(n, None)))
    cost = choose_cost(others, validation, 0, told=lambda done, _: told(done, len(COSTS) + 1))
    accuracy = svm_accuracy(labelled, test, cost)
    told(len(COSTS) + 1, len(COSTS) + 1)
    return Accuracy(accuracy, 0.0, cost, 1)


def _of_draw(train: Labelled, per_class: int, draw: int) -> Labelled:
    chosen = drawn(train.labels, per_class, draw)
    return Labelled(train.features[chosen], train.labels[chosen])
