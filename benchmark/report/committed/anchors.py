"""What protocols say of images that no GAN made, and of fewer and more of them than they take.

`anchors.json` is by `benchmark.evaluation.anchors`, `parzen-samples.json` by its neighbour `parzen_samples`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from baselines import claims
from benchmark.records.quantities import DASH, count, metric_title
from benchmark.report.sources import printed
from benchmark.report.table import Row, Table, numbers, words

if TYPE_CHECKING:
    from pathlib import Path

_METRICS = ("parzen_ll", "classification_error")
_TRUE, _CENTROIDS = "theis2016.t1.mnist.true", "theis2016.t1.mnist.k-means"
_REAL = "dcgan2015.t3.mnist-50k.real"


def found(path: Path) -> tuple[str, Table]:
    """What they are, in a sentence, and their scores."""
    content = json.loads(path.read_text(encoding="utf-8"))
    k = content["k_means"]
    said = {claim.id: printed(claim, unit=True) for claim in claims.load()}
    clusters = f"{count(k['centroids'])} of the first {count(k['images'])} images"
    sentence = (
        "What the protocols on MNIST say of real training images in place of generated ones, and of k-means "
        f"centroids ({clusters}, {k['lloyd_iterations']} of Lloyd's iterations). A number of a generator is "
        f"to be read beside them: Theis et al. (2016) state {said[_TRUE]} for the true distribution and "
        f"{said[_CENTROIDS]} for centroids; the DCGAN paper {said[_REAL]} for real data. nearest-60k is "
        "nearest-50k with every training image, and no protocol of its own. Again: "
        "`python -m benchmark.evaluation.anchors`."
    )
    by_images = {"real training images": content["real_training_images"], "k-means centroids": k["scores"]}
    by_protocol = {p: scores for own in by_images.values() for p, scores in own.items()}
    scored = {p: m for p, scores in by_protocol.items() for m in _METRICS if m in scores}
    rows = [
        Row((whose, *(f"{own[p][m]:.2f}" if p in own else DASH for p, m in scored.items())))
        for whose, own in by_images.items()
    ]
    columns = *words("Images"), *numbers(*(f"{metric_title(m)}, {p}" for p, m in scored.items()))
    return sentence, Table(f"MNIST {content['dataset']['sha256'][:12]}…", columns, tuple(rows))


def by_samples(path: Path) -> tuple[str, Table]:
    """What the Parzen estimate is with other numbers of samples, in a sentence, and in numbers."""
    content = json.loads(path.read_text(encoding="utf-8"))
    name = content["images"]["experiment"]
    found = [content["generator"], content["real_training_images"]]
    sizes = sorted({int(n) for scores in found for n in scores})
    rows = [
        Row((count(n), *(f"{by_n[str(n)]['parzen_ll']:.2f}" if str(n) in by_n else DASH for by_n in found)))
        for n in sizes
    ]
    sentence = (
        f"The estimate by {content['protocol']} from fewer and more samples, of one generator and of real "
        "images: numbers from unequal numbers of samples must not be compared. Again: "
        f"`python -m benchmark.evaluation.parzen_samples {name}`."
    )
    columns = numbers("Samples", f"{name} seed {content['images']['seed']}", "real training images")
    return sentence, Table(f"{metric_title('parzen_ll')} by the number of samples.", columns, tuple(rows))
