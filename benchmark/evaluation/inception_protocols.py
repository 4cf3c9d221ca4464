"""The protocols that use the 2015 Inception graph; `protocols` registers them.

They share one generation and one feature pass.
"""

from __future__ import annotations

from dataclasses import replace

from benchmark.evaluation.protocol import Protocol

_COMMON = Protocol(
    name="",
    title="",
    extractor="inception-2015",
    metrics=("is",),
    n_generated=50_000,
    n_reference=0,
    reference_split="none",
    isc_splits=10,
    image_size=0,
    quantisation="clamp, round to nearest",
    comparable_with_papers=True,
    note="",
    weights_digest="",
)
_ROUNDING = "Images are rounded to nearest; the code of WGAN-GP and SN-GAN truncates (half a grey level)."
_SNGAN_PORT = "SN-GAN's code resizes with aligned corners and takes 1 000 classes with the bias; not so here."
_OURS = "Not comparable with a number of the five papers, which print none of this metric; "
_FID = replace(_COMMON, metrics=("fid",), isc_splits=1)
_TRAIN_10K = replace(_FID, n_generated=10_000, n_reference=10_000, reference_split="train")
INCEPTION = (
    replace(
        _COMMON,
        name="is-50k",
        title="Inception score, 50 000 images in 10 splits",
        note=(
            "Comparable with Inception scores of WGAN-GP (gan_cifar_resnet.py) and Salimans et al. "
            f"The deviation over splits is not one over seeds. {_ROUNDING}"
        ),
    ),
    replace(
        _COMMON,
        name="is-5k",
        title="Inception score, ten sets of 5 000 images",
        isc_splits=1,
        is_sets=10,
        note=(
            "Comparable with the Inception scores of SN-GAN (appendix B.1). "
            f"The deviation over sets is not one over seeds. {_ROUNDING} {_SNGAN_PORT}"
        ),
    ),
    replace(
        _COMMON,
        name="is-1k",
        title="Inception score, 1 000 images in 10 splits",
        n_generated=1_000,
        note=(
            "Comparable only with the curves of WGAN-GP (Figure 3; gan_cifar.py): splits of 100 images "
            f"lower the score by about 15 %. {_ROUNDING}"
        ),
    ),
    replace(
        _FID,
        name="fid-50k",
        title="FID, 50 000 images against 50 000 of training",
        n_reference=50_000,
        reference_split="train",
        note=(
            "Comparable with FID as in Heusel et al. (50 000 generated against the training set), "
            f"not with SN-GAN's. {_ROUNDING}"
        ),
    ),
    replace(
        _FID,
        name="fid-5k",
        title="FID, 5 000 images against 10 000 held out",
        n_generated=5_000,
        n_reference=10_000,
        reference_split="held-out",
        note=(
            "Comparable with the FID of SN-GAN, which does not print the split of its real images. "
            f"Higher than FID of 50 000 images by the bias of small samples. {_ROUNDING} {_SNGAN_PORT}"
        ),
    ),
    replace(
        _TRAIN_10K,
        name="kid-10k",
        title="KID, 10 000 images against 10 000 of training",
        metrics=("kid",),
        comparable_with_papers=False,
        kid_subsets=100,
        kid_subset_size=1_000,
        note=(
            f"{_OURS}cubic kernel, unbiased, 100 subsets of 1 000 (Binkowski et al. 2018). "
            "The deviation over subsets is not one over seeds."
        ),
    ),
    replace(
        _TRAIN_10K,
        name="prc-10k",
        title="Precision and recall, 10 000 images against 10 000 of training",
        metrics=("precision", "recall"),
        comparable_with_papers=False,
        prc_neighbours=3,
        note=(
            f"{_OURS}k = 3 as in Kynkäänniemi et al. (2019), but with Inception features for VGG-16 and "
            "10 000 images for 50 000."
        ),
    ),
)
