"""FID and IS of other libraries on the same images and weights: equal, or different for one known reason.

Each test needs its library, which ganbench does not. Figures are those of the table in docs/metrics.md. The
weights are random, since nothing is downloaded, and exaggerate: a trained network sees less of a resize.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.evaluation import extractors
from benchmark.evaluation.fidelity import frechet_distance, inception_score

N = 40
CPU = torch.device("cpu")
TABLE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sets(images):
    """Two sets of 32 x 32 images [N,3,32,32]; the second is the lighter one."""
    a, b = images(N, seed=11), images(N, seed=12)
    return a, (b.float() * 0.8 + 51).round().to(torch.uint8)


@pytest.fixture(scope="module")
def ours(random_inception, sets):
    """Features and logits of both sets, and their FID."""
    rows = [extractors.extract(random_inception, s, CPU, 20) for s in sets]
    return rows, frechet_distance(rows[0][0], rows[1][0])


def in_table(library):
    """The difference of FID in percent that docs/metrics.md prints."""
    (row,) = (line for line in TABLE.splitlines() if line.startswith(f"| {library}"))
    number = re.search(r"([+−][0-9.]+) %", row)
    return float(number[1].replace("−", "-"))


def percent(theirs, ours):
    return 100 * (theirs / ours - 1)


@pytest.fixture(scope="module")
def plain(random_weights):
    """pytorch-fid's network [n,3,299,299] in -1..1 -> features, without its resize and its scaling."""
    module = pytest.importorskip("pytorch_fid.inception")
    state = torch.load(random_weights, weights_only=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: state)
        with torch.random.fork_rng(devices=[]):
            nets = [module.InceptionV3([3], resize_input=own, normalize_input=own) for own in (False, True)]

    def features(net, x):
        with torch.no_grad():
            return torch.cat([net(part)[0].flatten(1) for part in torch.split(x, 20)])

    return [partial(features, net.eval()) for net in nets]


def as_the_papers_resize(images):
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x as resize,
    )

    return (resize(images.float(), size=(299, 299), align_corners=False) - 128) / 128


def test_pytorch_fid_differs_by_resize_and_scaling_alone(sets, ours, plain):
    (rows, fid), (network, whole) = ours, plain
    assert torch.equal(network(as_the_papers_resize(sets[0])), rows[0][0])
    theirs = frechet_distance(*(whole(s.float() / 255) for s in sets))
    assert percent(theirs, fid) == pytest.approx(in_table("pytorch-fid"), abs=0.5)


def test_clean_fid_differs_by_its_resize(sets, ours, plain):
    resize = pytest.importorskip("cleanfid.resize").make_resizer("PIL", False, "bicubic", (299, 299))
    network = plain[0]

    def resized(images):
        large = np.stack([resize(image) for image in images.permute(0, 2, 3, 1).numpy()])
        return (torch.from_numpy(large).permute(0, 3, 1, 2).contiguous() - 128) / 128

    theirs = frechet_distance(*(network(resized(s)) for s in sets))
    assert percent(theirs, ours[1]) == pytest.approx(in_table("clean-fid"), abs=0.5)


def test_frechet_distances_of_the_libraries_are_equal_on_equal_features(ours):
    theirs = pytest.importorskip("cleanfid.fid").frechet_distance
    features = [row[0].double().numpy()[:, :64] for row in ours[0]]
    means = [(f.mean(0), np.cov(f, rowvar=False)) for f in features]
    expected = frechet_distance(*(torch.from_numpy(f).float() for f in features))
    assert theirs(*means[0], *means[1]) == pytest.approx(expected, rel=1e-4)


def test_torchmetrics_differs_by_antialiasing_alone(sets, ours, random_weights):
    fid = pytest.importorskip("torchmetrics.image.fid")
    found = {}
    for antialias in (False, True):
        with torch.random.fork_rng(devices=[]):
            metric = fid.FrechetInceptionDistance(
                feature=2048, feature_extractor_weights_path=str(random_weights), antialias=antialias
            )
        for images, real in zip(sets, (False, True), strict=True):
            for part in torch.split(images, 20):
                metric.update(part, real=real)
        found[antialias] = float(metric.compute())
    assert found[False] == pytest.approx(ours[1], rel=1e-3)
    assert percent(found[True], ours[1]) == pytest.approx(in_table("torchmetrics"), abs=0.5)


def test_inception_scores_of_torchmetrics_are_equal(ours):
    module = pytest.importorskip("torchmetrics.image.inception")
    logits = ours[0][0][1]

    class Given(torch.nn.Module):
        def forward(self, rows):
            return logits[rows.flatten().long()]

    metric = module.InceptionScore(feature=Given(), splits=1)
    metric.update(torch.arange(N).reshape(-1, 1))
    assert float(metric.compute()[0]) == pytest.approx(inception_score(logits, splits=1), rel=1e-5)
