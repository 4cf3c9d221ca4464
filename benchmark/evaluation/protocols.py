"""The evaluation protocols there are.

Why `digits-2k` has the numbers it has. The reference is the held-out split, not the 4 000 training images
of the usual "FID against train": against train, a generator that memorises scores best, and a real-data
floor would need 2 000 further real images, which do not exist. 1 000 and 2 000 are 12 and 24 times the 84
dimensions of the features: enough for stable covariances, not enough to remove the bias of FID at finite N,
which the real-data floor makes visible. IS uses one split, as ten splits of 200 images would lower it; the
spread in reports is over seeds.

The protocols of the papers use the 2015 Inception graph (`inception_protocols`). Three kinds use other things
than a feature network: the Parzen window of GAN 2014 the pixels, before they are quantised; the
nearest-neighbour classifier of DCGAN 2015 the quantised ones; its SVMs the critic, so that they are for
`ganbench evaluate` only.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from benchmark.errors import UserError, did_you_mean
from benchmark.evaluation import weights
from benchmark.evaluation.inception_protocols import INCEPTION
from benchmark.evaluation.protocol import CRITIC, NEAREST, WINDOW, Protocol

__all__ = ["Protocol", "get", "names", "replace"]


def names() -> tuple[str, ...]:
    """List the registered protocols."""
    return tuple(_registry())


def get(name: str) -> Protocol:
    """Look a protocol up; `UserError` for an unknown name."""
    known = _registry()
    if name not in known:
        raise UserError(f"unknown protocol '{name}'", do=did_you_mean(name, known))
    return known[name]


@cache
def _registry() -> dict[str, Protocol]:
    digits_2k = Protocol(
        name="digits-2k",
        title="2 000 generated digits, LeNet features",
        extractor="digits-lenet",
        metrics=("is", "fid"),
        n_generated=2000,
        n_reference=1000,
        reference_split="held-out",
        isc_splits=1,
        image_size=32,
        quantisation="clamp, round to nearest",
        comparable_with_papers=False,
        note=(
            "Not comparable with any paper: IS and FID use a small digit classifier instead of the Inception "
            "network. IS lies between 1 and 10 (ten classes). FID uses 84 features and 1 000 reference "
            "images. Compare values only with each other and with the score of real digits."
        ),
        weights_digest=weights.record(weights.path("digits-lenet"))["weights_sha256"],
    )
    return {
        protocol.name: protocol
        for protocol in (digits_2k, *INCEPTION, *_windows(), *_nearest(), *_of_critics())
    }


def _windows() -> tuple[Protocol, ...]:
    released = Protocol(
        name="parzen-mnist",
        title="Parzen-window log-likelihood of MNIST, 10 000 samples",
        extractor=WINDOW,
        metrics=("parzen_ll",),
        n_generated=10_000,
        n_reference=10_000,
        reference_split="held-out",
        isc_splits=None,
        image_size=None,
        quantisation="none: real values in 0..1, clamped",
        comparable_with_papers=True,
        note=(
            "Comparable with Table 1 of Goodfellow et al. 2014 (parzen_ll.py: -c 10 -n 10000 -l 1000). "
            "The standard error is over test images, not over seeds. Half a step of the grid of σ costs up "
            "to 13 nats, and nearly did on generators (parzen-mnist-fine-sigma: 5.3 to 12.8 more on "
            "fifteen of them; 2 on real images); the estimate depends on the number of samples; centroids "
            "beat the true distribution."
        ),
        weights_digest=None,
        dataset="mnist",
        n_validation=1_000,
        first_validation=50_000,
        sigma_grid=(0.1, 1.0, 10),
    )
    return (
        released,
        replace(
            released,
            name="parzen-mnist-fine-sigma",
            title="Parzen-window log-likelihood of MNIST, 10 000 samples, finer grid of σ",
            comparable_with_papers=False,
            note=(
                "Not comparable with a number of the papers: parzen-mnist with nine further σ between any "
                "two of the released grid. They were worth 10.8, 10.9 and 12.5 nats on three generators "
                "(gan/mnist, seeds 0 to 2, 125 000 G-iterations), 2 on real images, and leave at most .13. "
                "The standard error is over test images, not over seeds."
            ),
            sigma_grid=(0.1, 1.0, 91),
        ),
        replace(
            released,
            name="parzen-tfd",
            title="Parzen-window log-likelihood of the Toronto faces, 10 000 samples, 5 folds",
            n_reference=0,
            reference_split="test set of each fold",
            note=(
                "Comparable with Table 1 of Goodfellow et al. 2014: the mean over the five folds, σ by the "
                "validation part of each. The standard error is over folds, not over seeds."
            ),
            dataset="tfd",
            n_validation=None,
            first_validation=None,
            folds=5,
            folds_digest="",
        ),
    )


def _nearest() -> tuple[Protocol, ...]:
    pixels = (
        "Euclidean distance of all pixels, rounded to 0..255, in whole numbers; of equally close images the "
        "first decides."
    )
    some = Protocol(
        name="nearest-50k",
        title="Nearest-neighbour classifier of 50 000 generated digits, on MNIST's test images",
        extractor=NEAREST,
        metrics=("classification_error", "classification_accuracy"),
        n_generated=50_000,
        n_reference=10_000,
        reference_split="held-out",
        isc_splits=None,
        image_size=None,
        quantisation="clamp, round to nearest",
        comparable_with_papers=True,
        note=(
            "Comparable with Table 3 of DCGAN 2015. Each test image gets the class as which its nearest "
            f"generated image was made; classes are drawn, all equally likely. {pixels} The paper does not "
            "print how the classes were spread."
        ),
        weights_digest=None,
        dataset="mnist",
    )
    return (
        some,
        replace(
            some,
            name="nearest-10m",
            title="Nearest-neighbour classifier of 10 million generated digits, on MNIST's test images",
            n_generated=10_000_000,
            note=(
                "Comparable with the last column of Table 3 of DCGAN 2015, which says a million of each "
                "class; here classes are drawn, all equally likely. Each test image gets the class as which "
                f"its nearest generated image was made. {pixels}"
            ),
        ),
    )


def _of_critics() -> tuple[Protocol, ...]:
    unstated = "The paper prints neither C nor scaling nor batch-norm mode; "
    ours = "here C by validation images, no scaling, statistics averaged over the training images."
    cifar10 = Protocol(
        name="svm-cifar10",
        title="L2-SVM on critic features, all labels of CIFAR-10",
        extractor=CRITIC,
        metrics=("classification_accuracy", "classification_error"),
        n_generated=0,
        n_reference=10_000,
        reference_split="held-out",
        isc_splits=None,
        image_size=None,
        quantisation=None,
        comparable_with_papers=True,
        note=f"Comparable with Table 1 of DCGAN 2015, for a critic trained on ImageNet-1k. {unstated}{ours}",
        weights_digest=None,
        dataset="cifar10",
        n_validation=10_000,
        first_validation=40_000,
        labels_per_class=0,
    )
    over_draws = "The spread is 1.96 standard deviations over draws of labels, not over seeds."
    return (
        cifar10,
        replace(
            cifar10,
            name="svm-cifar10-400",
            title="L2-SVM on critic features, 400 labels per class of CIFAR-10",
            note=(
                "Comparable with the last column of Table 1 of DCGAN 2015, for a critic trained on "
                f"ImageNet-1k. {unstated}{ours} {over_draws}"
            ),
            labels_per_class=400,
            draws=100,
            choosing_draws=10,
        ),
        replace(
            cifar10,
            name="svm-svhn-1000",
            title="L2-SVM on critic features, 1 000 labels of SVHN",
            n_reference=26_032,
            note=(
                "Comparable with Table 2 of DCGAN 2015 and with its revision: 100 labels per class, C by 10 "
                f"of the draws (svhn_semisup_analysis.py). {over_draws}"
            ),
            dataset="svhn",
            first_validation=63_257,
            labels_per_class=100,
            draws=100,
            choosing_draws=10,
        ),
    )
