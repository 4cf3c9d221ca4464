"""The evaluator: sensible scores, no trace left in a training run, and refusals before any work."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import extractors, fidelity, protocols
from benchmark.evaluation.evaluator import Evaluator, frame

DIGITS_2K = protocols.get("digits-2k")


@pytest.fixture(scope="module")
def evaluator():
    return Evaluator([DIGITS_2K], "digits")


@pytest.fixture(scope="module")
def real():
    return data.load("digits", "train")[:2000]


@pytest.fixture(scope="module")
def floor(evaluator):
    return evaluator.real_data_floor()["digits-2k"]


def test_floor_is_the_score_of_the_first_training_images(evaluator, real, floor):
    assert evaluator.scores(real) == {"digits-2k": floor}


def test_floor_is_near_the_ideal(floor):
    # Ten equally frequent classes recognised with certainty give IS = 10; one distribution gives FID near 0.
    assert 9.7 < floor["is"] <= 10.0
    assert 0.0 < floor["fid"] < 3.0


def test_scores_are_those_of_the_stated_protocol(evaluator, real):
    """Recomputed from the protocol: 32 pixels, F6 features, one IS group, the 1 000 held-out digits."""
    net = extractors.load("digits-lenet")
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2000, 1, 28, 28), dtype=torch.uint8, generator=generator)
    images[:1500] = real[:1500]
    features, logits = extractors.extract(
        net, torch.nn.functional.pad(images, (2, 2, 2, 2)), torch.device("cpu")
    )
    held_out = torch.nn.functional.pad(data.load("digits", "held-out"), (2, 2, 2, 2))
    reference, _ = extractors.extract(net, held_out, torch.device("cpu"))
    assert evaluator.scores(images)["digits-2k"] == {
        "is": fidelity.inception_score(logits, splits=1),
        "fid": fidelity.frechet_distance(features, reference),
    }


def test_what_is_compared_with_is_of_the_protocols_split(real):
    """Features of the first images of either split, in its order."""
    protocol = replace(DIGITS_2K, metrics=("fid",), n_generated=1000, n_reference=500)
    splits = ("train", "held-out")
    both = [replace(protocol, name=split, reference_split=split) for split in splits]
    found = Evaluator(both, "digits").scores(real[:1000])
    net = extractors.load("digits-lenet")

    def features(images):
        return extractors.extract(net, frame(images, 32), torch.device("cpu"))[0]

    for split in splits:
        reference = features(data.load("digits", split)[:500])
        assert found[split]["fid"] == fidelity.frechet_distance(features(real[:1000]), reference)


def test_worse_images_score_worse(evaluator, real, floor):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(-64, 65, real.shape, generator=generator)
    noisy = evaluator.scores((real.int() + noise).clamp(0, 255).to(torch.uint8))["digits-2k"]
    one_class = real[data.load_labels("digits", "train")[:2000] == 3]
    collapsed = evaluator.scores(one_class.repeat(20, 1, 1, 1)[:2000])["digits-2k"]
    assert floor["fid"] < noisy["fid"] < collapsed["fid"]
    assert collapsed["is"] < 1.5 < noisy["is"] < floor["is"]


def test_memory_format_of_the_images_does_not_matter(evaluator, real):
    expected = evaluator.scores(real)
    assert evaluator.scores(real.contiguous(memory_format=torch.channels_last)) == expected
    strided = torch.empty(2000, 28, 28, 1, dtype=torch.uint8).permute(0, 3, 1, 2).copy_(real)
    assert evaluator.scores(strided) == expected


def test_evaluating_leaves_no_trace_in_a_training_run(real):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    evaluator = Evaluator([DIGITS_2K], "digits")
    evaluator.scores(real)
    evaluator.real_data_floor()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.is_grad_enabled()
    (net,) = evaluator._nets.values()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_one_feature_pass_serves_all_protocols(real, monkeypatch):
    smaller = replace(
        DIGITS_2K, name="digits-1k", n_generated=1000, n_reference=500, isc_splits=2, metrics=("is",)
    )
    both = Evaluator([smaller, DIGITS_2K], "digits")
    alone = Evaluator([smaller], "digits").scores(real[:1000])
    passes = []
    extract = extractors.extract
    monkeypatch.setattr(
        extractors, "extract", lambda net, x, *rest: passes.append(len(x)) or extract(net, x, *rest)
    )
    scores = both.scores(real)
    assert passes == [500] * 4
    assert both.n_generated == 2000
    assert scores["digits-1k"] == alone["digits-1k"]
    assert set(scores["digits-1k"]) == {"is", "is_std_over_splits"}
    assert set(scores["digits-2k"]) == {"is", "fid"}


def test_framing_is_central_and_black():
    images = torch.full((2, 1, 28, 27), 9, dtype=torch.uint8)
    framed = frame(images, 32)
    assert framed.shape == (2, 1, 32, 32)
    assert (framed[:, :, 2:30, 2:29] == 9).all()
    assert framed.sum() == images.sum()


def test_larger_or_other_images_are_refused(evaluator, real):
    with pytest.raises(ValueError, match="do not fit into 32 x 32"):
        evaluator.scores(torch.zeros(2000, 1, 33, 32, dtype=torch.uint8))
    with pytest.raises(ValueError, match="must be uint8"):
        evaluator.scores(real.float())
    with pytest.raises(ValueError, match="takes uint8 images"):
        evaluator.scores(real.expand(-1, 3, -1, -1))
    with pytest.raises(ValueError, match="score 2000 images, not 1999"):
        evaluator.scores(real[1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_reference": 1001}, r"needs 1001 real images, but 'digits' \(held-out\) has 1000"),
        ({"reference_split": "train", "n_reference": 4001}, r"'digits' \(train\) has 4000"),
        ({"isc_splits": 0}, "2000 images do not make 0 splits"),
        ({"isc_splits": 2001}, "2000 images do not make 2001 splits"),
        ({"is_sets": 3}, "2000 images do not make 3 sets of 1 splits"),
        ({"n_generated": 1}, "FID needs two images"),
        ({"metrics": ("kid",), "kid_subset_size": 1001}, "1000 images do not make a subset of 1001"),
        ({"metrics": ("kid",)}, "1000 images do not make a subset of None"),
        ({"metrics": ("recall",), "prc_neighbours": 1000}, "1000 images do not have 1000 neighbours"),
        ({"weights_digest": ""}, "the weights of its extractor are not known"),
        ({"image_size": 27}, "but those of 'digits' are 1 x 28 x 28"),
    ],
)
def test_protocols_that_do_not_fit_the_data_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        Evaluator([replace(DIGITS_2K, **change)], "digits")


def test_no_protocol_is_refused():
    with pytest.raises(UserError, match="no protocol"):
        Evaluator([], "digits")


@pytest.mark.parametrize("sizes", [(1, 1999), (499, 2, 1499), (2000,), (500, 500, 500, 500)])
def test_streamed_images_score_the_same_bits(evaluator, real, sizes):
    assert evaluator.scores_of(torch.split(real, sizes)) == evaluator.scores(real)


def test_a_stream_of_another_length_is_refused(evaluator, real):
    for images in (real[:1500], torch.cat([real, real[:1]])):
        with pytest.raises(ValueError, match=f"score 2000 images, not {len(images)}"):
            evaluator.scores_of(torch.split(images, 700))


def test_no_floor_without_enough_real_images(real):
    evaluator = Evaluator([replace(DIGITS_2K, reference_split="train")], "digits")
    assert evaluator.real_data_floor() == {"digits-2k": {}}
    assert set(evaluator.scores(real)["digits-2k"]) == {"is", "fid"}


def test_sets_have_an_inception_score_each(real):
    sets = replace(DIGITS_2K, metrics=("is",), n_generated=2000, is_sets=4)
    scores = Evaluator([sets], "digits").scores(real)["digits-2k"]
    one = Evaluator([replace(DIGITS_2K, metrics=("is",), n_generated=500)], "digits")
    each = [one.scores(part)["digits-2k"]["is"] for part in torch.split(real, 500)]
    assert scores["is"] == pytest.approx(sum(each) / 4, rel=1e-14)
    assert scores["is_std_over_sets"] == pytest.approx(float(np.std(each)))


def test_non_finite_features_end_the_pass(evaluator, real, monkeypatch):
    calls = []

    def broken(net, images, *_):
        calls.append(len(images))
        return torch.full((len(images), 84), float("nan")), torch.zeros(len(images), 10)

    monkeypatch.setattr(extractors, "extract", broken)
    with pytest.raises(fidelity.NonFiniteScore, match="features of images 0 to 499 hold NaN"):
        evaluator.scores(real)
    assert calls == [500]


class Pooled(torch.nn.Module):
    """A network that costs nothing: means of 7 x 7 pixels."""

    def forward(self, images):
        pooled = torch.nn.functional.avg_pool2d(images.float(), 7).flatten(1)
        return pooled, pooled[:, :10] / 16


@pytest.fixture
def pooled(monkeypatch, tmp_path):
    """Protocols by `Pooled`, as if it were costly; and the batches that went through it."""
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "cache"))
    passes = []
    extract = extractors.extract
    monkeypatch.setattr(
        extractors, "extract", lambda net, x, *rest: passes.append(len(x)) or extract(net, x, *rest)
    )
    tiny = extractors.Extractor(lambda _: Pooled(), (1, 3), 100, costly=True)
    monkeypatch.setitem(extractors._REGISTRY, "pooled", tiny)
    common = replace(DIGITS_2K, extractor="pooled", image_size=0, n_generated=600, isc_splits=1)
    return (
        replace(common, name="is", metrics=("is",), n_reference=0, reference_split="none", isc_splits=6),
        replace(common, name="fid", metrics=("fid",), n_reference=700),
        replace(common, name="small-fid", metrics=("fid",), n_generated=300, n_reference=500),
        replace(common, name="kid", metrics=("kid",), n_reference=400, kid_subsets=5, kid_subset_size=50),
        replace(common, name="prc", metrics=("precision", "recall"), n_reference=400, prc_neighbours=3),
    ), passes


def test_one_pass_over_real_and_one_over_generated_images_serve_all(pooled, real):
    protocols, passes = pooled
    evaluator = Evaluator(protocols, "digits")
    assert passes == [100] * 7
    scores = evaluator.scores(real[:600])
    assert passes == [100] * 13
    rows = Pooled()(real[:600])
    reference = Pooled()(data.load("digits", "held-out")[:700])[0]
    mean, deviation = fidelity.inception_scores(rows[1], splits=6)
    assert scores["is"] == {"is": mean, "is_std_over_splits": deviation}
    assert scores["fid"]["fid"] == pytest.approx(fidelity.frechet_distance(rows[0], reference), rel=1e-6)
    small = fidelity.frechet_distance(rows[0][:300], reference[:500])
    assert scores["small-fid"]["fid"] == pytest.approx(small, rel=1e-6)
    kid, spread = fidelity.kernel_distance(rows[0], reference[:400], subsets=5, subset_size=50)
    assert scores["kid"] == {"kid": kid, "kid_std_over_subsets": spread}
    precision, recall = fidelity.precision_recall(rows[0], reference[:400], neighbours=3)
    assert scores["prc"] == {"precision": precision, "recall": recall}


def test_cached_references_give_the_same_bits_without_a_pass(pooled, real):
    protocols, passes = pooled
    first = Evaluator(protocols, "digits")
    scores, floor = first.scores(real[:600]), first.real_data_floor()
    passes.clear()
    second = Evaluator(protocols, "digits")
    assert second.real_data_floor() == floor
    assert passes == []
    assert second.scores(real[:600]) == scores


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damaged_cache_is_computed_again(pooled, real, tmp_path, damage):
    protocols, passes = pooled
    scores = Evaluator(protocols, "digits").scores(real[:600])
    files = list((tmp_path / "cache").rglob("*.safetensors"))
    intact = {file: file.read_bytes() for file in files}
    for file, content in intact.items():
        flipped = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
        file.write_bytes({"cut": content[: len(content) // 2], "flip": flipped, "empty": b""}[damage])
    passes.clear()
    assert Evaluator(protocols, "digits").scores(real[:600]) == scores
    assert sum(passes) == 700 + 600
    passes.clear()
    Evaluator(protocols, "digits")
    assert passes == []  # they were replaced


@pytest.mark.parametrize(
    "change",
    [{"weights_digest": "1" * 64}, {"n_reference": 699}, {"reference_split": "train"}, {"image_size": 32}],
)
def test_another_reference_is_never_taken_from_the_cache(pooled, change):
    protocols, passes = pooled
    Evaluator(protocols[1:2], "digits")
    passes.clear()
    Evaluator([replace(protocols[1], **change)], "digits")
    assert sum(passes) == change.get("n_reference", 700)


def test_images_of_another_size_are_refused_where_they_enter_as_they_are(pooled):
    evaluator = Evaluator(pooled[0][:1], "digits")
    with pytest.raises(ValueError, match=r"must be uint8 \[N,C,28,28\] like the real ones"):
        evaluator.scores(torch.zeros(600, 1, 32, 32, dtype=torch.uint8))


def test_real_images_are_framed_like_those_that_the_networks_see(pooled, real):
    protocol = pooled[0][1]
    framed = Evaluator([protocol], "digits", image_size=32)
    reference = Pooled()(frame(data.load("digits", "held-out")[:700], 32))[0]
    own = frame(real[:600], 32)
    expected = fidelity.frechet_distance(Pooled()(own)[0], reference)
    assert framed.scores(own)["fid"]["fid"] == pytest.approx(expected, rel=1e-6)


def test_images_without_a_digest_are_refused(pooled, monkeypatch):
    known = data.info("digits")
    monkeypatch.setattr(data, "info", lambda _: replace(known, digest=""))
    with pytest.raises(UserError, match="content has no digest"):
        Evaluator(pooled[0], "digits")
