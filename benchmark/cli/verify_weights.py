"""`ganbench verify-weights`: whether the Inception network scores real images as it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from benchmark.cli.options import OneOf, as_json, data_dir, offline
from benchmark.cli.options import weights as weights_file
from benchmark.cli.streams import print_json
from benchmark.errors import NothingToJudge, UserError

DATASET = "cifar10"


@dataclass(frozen=True)
class Anchor:
    """A score of real images that is known.

    Attributes:
        what: the score in words.
        value: what it should be.
        tolerance: how far from it the score may be.
        source: who says so.

    """

    what: str
    value: float
    tolerance: float
    source: str


IS_TRAIN = Anchor(
    "Inception score of the CIFAR-10 training images", 11.23678, 0.001, "torch-fidelity's README: 11.23678"
)
IS_SPREAD = Anchor("its deviation over 10 splits", 0.09514, 0.001, "torch-fidelity's README: 0.09514")
FID_TEST = Anchor("FID of the CIFAR-10 test images against those of training", 3.15, 0.05, "about 3.15")


@click.command("verify-weights")
@weights_file
@data_dir
@offline
@click.option("--no-scores", is_flag=True, help="Check digest and content only; score no images.")
@click.option("--device", default="auto", show_default=True, type=OneOf(["auto", "cpu", "cuda"]))
@as_json
def verify_weights(no_scores: bool, device: str, json_: bool) -> int:
    """Fetch and check the weights of the Inception network, then score real CIFAR-10 images with it.

    The scores must be the known ones: this is the check that a number by a protocol of a paper means what
    it says. Takes a minute on a GPU and hours on a CPU. Exit code 1 when a score is another one, 4 when
    weights or data are not there.
    """
    from benchmark.data import places
    from benchmark.evaluation import protocols, weights
    from benchmark.records import environment

    if not weights.inception_path().is_file():
        try:
            if not places.offline():
                weights.download_inception()
            weights.inception_digest()
        except UserError as error:
            raise NothingToJudge(error.what, where=error.where, do=error.do) from error
    digest = protocols.get("is-50k").resolved().weights_digest or ""
    from benchmark.evaluation import inception
    from benchmark.training import numerics

    inception.load(digest)
    published = digest == weights.INCEPTION_SHA256
    found: dict[str, Any] = {
        "file": str(weights.inception_path()),
        "sha256": digest,
        "published": published,
        "anchors": [],
    }
    if not no_scores:
        with numerics.applied():
            found["anchors"] = _scored(environment.resolve_device(device))
    if json_:
        print_json(found)
    else:
        _print(found)
    return 0 if all(anchor["ok"] for anchor in found["anchors"]) else 1


def _scored(device: str) -> list[dict[str, Any]]:
    """The anchors with the scores of the real images beside them."""
    import torch

    from benchmark import data
    from benchmark.evaluation import protocols
    from benchmark.evaluation.evaluator import Evaluator

    try:
        train, test = data.load(DATASET, "train"), data.load(DATASET, "held-out")
    except UserError as error:
        what = f"the weights are as they should be, but the images of {DATASET} are not there: {error.what}"
        raise NothingToJudge(what, where=error.where, do=error.do) from error
    split = [protocols.get(name).resolved() for name in ("is-50k", "fid-50k")]
    of_train = Evaluator([_sized(split[0], len(train))], DATASET, device).scores_of(torch.split(train, 500))
    of_test = Evaluator([_sized(split[1], len(test))], DATASET, device).scores_of(torch.split(test, 500))
    values = (
        (IS_TRAIN, of_train["is-50k"]["is"]),
        (IS_SPREAD, of_train["is-50k"]["is_std_over_splits"]),
        (FID_TEST, of_test["fid-50k"]["fid"]),
    )
    return [
        {**vars(anchor), "score": score, "ok": abs(score - anchor.value) <= anchor.tolerance}
        for anchor, score in values
    ]


def _sized(protocol: Any, n_images: int) -> Any:
    """The protocol for as many images as there are to score."""
    from dataclasses import replace

    return replace(protocol, n_generated=n_images)


def _print(found: dict[str, Any]) -> None:
    from benchmark.cli.text import print_table, print_text

    print_text(f"{found['file']}: SHA-256 {found['sha256']}")
    print_text(
        "the published weights" if found["published"] else "NOT the published weights: another protocol"
    )
    if found["anchors"]:
        print_table(
            ("what", "score", "should be", "source", ""),
            [
                (
                    a["what"],
                    f"{a['score']:.5f}",
                    f"{a['value']:g} ± {a['tolerance']:g}",
                    a["source"],
                    "ok" if a["ok"] else "WRONG",
                )
                for a in found["anchors"]
            ],
            right=(1, 2),
        )
