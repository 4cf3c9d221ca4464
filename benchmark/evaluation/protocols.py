"""Evaluation protocols: exactly how a score is computed, as data. Imports no torch.

Why `digits-2k` has the numbers it has. The reference is the held-out split, not the 4 000 training images
of the usual "FID against train": against train, a generator that memorises scores best, and a real-data
floor would need 2 000 further real images, which do not exist. 1 000 and 2 000 are 12 and 24 times the 84
dimensions of the features: enough for stable covariances, not enough to remove the bias of FID at finite N,
which the real-data floor makes visible. IS uses one split, as ten splits of 200 images would lower it; the
spread in reports is over seeds.

The protocols of the papers use the 2015 Inception graph. They share one generation and one feature pass.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from benchmark.errors import UserError, did_you_mean
from benchmark.evaluation import weights


@dataclass(frozen=True)
class Protocol:
    """How generated images become scores.

    Attributes:
        name: how suites and records call it.
        title: how reports call it.
        extractor: the feature network, one of `benchmark.evaluation.extractors`.
        metrics: the scores computed, from ``is`` (Inception score), ``fid`` (Fréchet distance), ``kid``
            (kernel distance), ``precision`` and ``recall``.
        n_generated: generated images per evaluation.
        n_reference: real images that FID and the like compare with; 0 where nothing is compared.
        reference_split: the split of the data set they are of: its first `n_reference` images; or ``none``.
        isc_splits: groups over which the Inception score is averaged.
        image_size: height and width in pixels at which images enter the extractor; 0 for as they are.
        quantisation: how generator outputs become uint8.
        comparable_with_papers: whether the scores may stand beside a number printed in a paper.
        note: what a reader must know to read the scores.
        weights_digest: SHA-256 (hex) of the extractor's weights file; empty until `resolved` where the file
            is not part of ganbench.
        is_sets: consecutive sets of `n_generated` / `is_sets` images with an Inception score each, of which
            the mean is the score.
        kid_subsets: pairs of random subsets over which KID is averaged.
        kid_subset_size: images in such a subset.
        prc_neighbours: the k of the k-nearest-neighbour balls of precision and recall.

    """

    name: str
    title: str
    extractor: str
    metrics: tuple[str, ...]
    n_generated: int
    n_reference: int
    reference_split: str
    isc_splits: int
    image_size: int
    quantisation: str
    comparable_with_papers: bool
    note: str
    weights_digest: str
    is_sets: int | None = None
    kid_subsets: int | None = None
    kid_subset_size: int | None = None
    prc_neighbours: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """All fields that apply, as JSON types; this is what identifies the protocol in records."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        return {**fields, "metrics": list(self.metrics)}

    def resolved(self) -> Protocol:
        """The protocol with the digest of the weights that are there now; runs are planned and scored by it.

        Other weights than the published ones make it another protocol, comparable with no paper.

        Raises:
            UserError: the weights are not there or damaged; says how to get them.

        """
        if self.weights_digest:
            return self
        try:
            digest = weights.inception_digest()
        except UserError as error:
            what = f"{error.where}: {error.what}"
            raise UserError(what, where=f"protocol '{self.name}'", do=error.do) from None
        if digest == weights.INCEPTION_SHA256:
            return replace(self, weights_digest=digest)
        note = "Not comparable with any paper: the weights are not the published ones. " + self.note
        return replace(self, weights_digest=digest, comparable_with_papers=False, note=note)


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
    return {protocol.name: protocol for protocol in (digits_2k, *_of_papers())}


def _of_papers() -> tuple[Protocol, ...]:
    common = Protocol(
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
    rounding = "Images are rounded to nearest; the code of WGAN-GP and SN-GAN truncates (half a grey level)."
    sngan_port = (
        "SN-GAN's code resizes with aligned corners and takes 1 000 classes with the bias; not so here."
    )
    ours = "Not comparable with a number of the five papers, which print none of this metric; "
    fid = replace(common, metrics=("fid",), isc_splits=1)
    train_10k = replace(fid, n_generated=10_000, n_reference=10_000, reference_split="train")
    return (
        replace(
            common,
            name="is-50k",
            title="Inception score, 50 000 images in 10 splits",
            note=(
                "Comparable with Inception scores of WGAN-GP (gan_cifar_resnet.py) and Salimans et al. "
                f"The deviation over splits is not one over seeds. {rounding}"
            ),
        ),
        replace(
            common,
            name="is-5k",
            title="Inception score, ten sets of 5 000 images",
            isc_splits=1,
            is_sets=10,
            note=(
                "Comparable with the Inception scores of SN-GAN (appendix B.1). "
                f"The deviation over sets is not one over seeds. {rounding} {sngan_port}"
            ),
        ),
        replace(
            common,
            name="is-1k",
            title="Inception score, 1 000 images in 10 splits",
            n_generated=1_000,
            note=(
                "Comparable only with the curves of WGAN-GP (Figure 3; gan_cifar.py): splits of 100 images "
                f"lower the score by about 15 %. {rounding}"
            ),
        ),
        replace(
            fid,
            name="fid-50k",
            title="FID, 50 000 images against 50 000 of training",
            n_reference=50_000,
            reference_split="train",
            note=(
                "Comparable with FID as in Heusel et al. (50 000 generated against the training set), "
                f"not with SN-GAN's. {rounding}"
            ),
        ),
        replace(
            fid,
            name="fid-5k",
            title="FID, 5 000 images against 10 000 held out",
            n_generated=5_000,
            n_reference=10_000,
            reference_split="held-out",
            note=(
                "Comparable with the FID of SN-GAN, which does not print the split of its real images. "
                f"Higher than FID of 50 000 images by the bias of small samples. {rounding} {sngan_port}"
            ),
        ),
        replace(
            train_10k,
            name="kid-10k",
            title="KID, 10 000 images against 10 000 of training",
            metrics=("kid",),
            comparable_with_papers=False,
            kid_subsets=100,
            kid_subset_size=1_000,
            note=(
                f"{ours}cubic kernel, unbiased, 100 subsets of 1 000 (Binkowski et al. 2018). "
                "The deviation over subsets is not one over seeds."
            ),
        ),
        replace(
            train_10k,
            name="prc-10k",
            title="Precision and recall, 10 000 images against 10 000 of training",
            metrics=("precision", "recall"),
            comparable_with_papers=False,
            prc_neighbours=3,
            note=(
                f"{ours}k = 3 as in Kynkäänniemi et al. (2019), but with Inception features for VGG-16 and "
                "10 000 images for 50 000."
            ),
        ),
    )
