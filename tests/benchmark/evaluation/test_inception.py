"""The Inception network is torch-fidelity's, and nothing in a weights file is ever executed.

Bit for bit with weights laid out as the library has them; our layout on a CPU changes the last bits.
"""

import dataclasses
import pickle

import pytest
import torch

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import extractors, fidelity, inception, protocols, weights
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.protocols import replace

torch_fidelity = fidelity.torch_fidelity


@pytest.fixture
def small(given_weights):
    """All metrics in protocols small enough for a CPU: 8 generated against 8 held-out digits."""
    common = replace(
        protocols.get("fid-5k").resolved(), n_generated=8, n_reference=8, reference_split="held-out"
    )
    assert common.weights_digest == given_weights
    return (
        replace(common, name="is", metrics=("is",), n_reference=0, reference_split="none", isc_splits=2),
        replace(common, name="fid", metrics=("fid",)),
        replace(common, name="kid", metrics=("kid",), kid_subsets=4, kid_subset_size=6),
        replace(common, name="prc", metrics=("precision", "recall"), prc_neighbours=2),
    )


@pytest.mark.slow
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_one_pass_equals_torch_fidelity_called_on_the_images(
    small, random_weights, memory_format, monkeypatch
):
    """Every score from the library's own network and loop; to the last bit in the library's layout."""
    ours = extractors.get(inception.NAME)
    assert ours.memory_format is torch.channels_last
    changed = dataclasses.replace(ours, memory_format=memory_format)
    monkeypatch.setitem(extractors._REGISTRY, inception.NAME, changed)
    generated = data.load("digits", "train")[::500]
    evaluator = Evaluator(small, "digits")
    scores = evaluator.scores_of(torch.split(generated, 5))
    with torch.random.fork_rng(devices=[]):
        direct = torch_fidelity.calculate_metrics(
            input1=fidelity._Rows(generated.expand(-1, 3, -1, -1)),
            input2=fidelity._Rows(data.load("digits", "held-out")[:8].expand(-1, 3, -1, -1)),
            feature_extractor="inception-v3-compat",
            feature_extractor_weights_path=str(random_weights),
            isc=True,
            isc_splits=2,
            fid=True,
            kid=True,
            kid_subsets=4,
            kid_subset_size=6,
            prc=True,
            prc_neighborhood=2,
            cuda=False,
            save_cpu_ram=True,
            cache=False,
            verbose=False,
        )
    expected = {
        "is": {
            "is": direct["inception_score_mean"],
            "is_std_over_splits": direct["inception_score_std"],
        },
        "fid": {"fid": direct["frechet_inception_distance"]},
        "kid": {
            "kid": direct["kernel_inception_distance_mean"],
            "kid_std_over_subsets": direct["kernel_inception_distance_std"],
        },
        "prc": {"precision": direct["precision"], "recall": direct["recall"]},
    }
    if memory_format is torch.contiguous_format:
        assert scores == expected
    for protocol, values in expected.items():  # KID is a small difference of sums in float32
        assert scores[protocol] == pytest.approx(values, rel=1e-5, abs=1e-5)
    assert scores["is"]["is"] > 1.05
    assert scores["fid"]["fid"] > 0.1


def test_logits_are_without_the_bias(random_inception, images):
    x = images(2)
    features, logits = random_inception(x)
    fc = random_inception.net.fc
    assert features.shape == (2, 2048)
    assert torch.allclose(logits, features @ fc.weight.T, atol=1e-4)
    assert not torch.allclose(logits, features @ fc.weight.T + fc.bias, atol=1e-4)


def test_grey_images_are_coloured_ones_with_equal_channels(random_inception):
    x = data.load("digits", "train")[:2]
    grey, coloured = random_inception(x), random_inception(x.expand(-1, 3, -1, -1))
    assert all(torch.equal(a, b) for a, b in zip(grey, coloured, strict=True))


@pytest.mark.parametrize(
    "bad", [torch.zeros(1, 2, 8, 8).byte(), torch.zeros(1, 3, 8, 8), torch.zeros(8, 8, 3).byte()]
)
def test_other_images_are_refused(random_inception, bad):
    with pytest.raises(ValueError, match="takes uint8 images"):
        random_inception(bad)


def test_loading_leaves_no_trace(given_weights):
    from torch_fidelity import feature_extractor_inceptionv3 as library

    fetch = library.load_state_dict_from_url
    torch.manual_seed(5)
    before = torch.get_rng_state()
    net = inception.load(given_weights)
    assert torch.equal(torch.get_rng_state(), before)
    assert library.load_state_dict_from_url is fetch
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert len(net.net.state_dict()) == 566


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickles_are_never_executed(tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "cache"))
    trace, file = tmp_path / "executed", tmp_path / "hostile.pth"
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(file))
    for write in (torch.save, lambda payload, f: f.write_bytes(pickle.dumps(payload, protocol=2))):
        write({"fc.weight": Payload(trace)}, file)
        with pytest.raises(UserError, match="not the weights of the Inception network") as caught:
            inception.load(weights.inception_digest())
        assert str(file) in str(caught.value)
        assert not trace.exists()
    pickle.loads(file.read_bytes())  # the payload works
    assert trace.exists()


def test_files_that_are_no_state_of_this_network_are_refused(tmp_path, monkeypatch, random_weights):
    whole = random_weights.read_bytes()
    state = torch.load(random_weights, weights_only=True)
    file = tmp_path / "weights.pth"
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(file))

    def refused(match):
        with pytest.raises(UserError, match=match):
            inception.load(weights.inception_digest())

    for content in (b"", b"<html>Not found</html>", whole[: len(whole) // 2]):
        file.write_bytes(content)
        refused("cannot be read")
    torch.save(torch.zeros(3), file)
    refused("holds no state dictionary")
    torch.save({**state, "fc.bias": torch.full((1008,), float("nan"))}, file)
    refused("holds NaN or Inf")
    torch.save({name: tensor for name, tensor in state.items() if name != "fc.bias"}, file)
    refused("does not fit.*fc.bias")
    torch.save({**state, "fc.weight": torch.zeros(1000, 2048)}, file)
    refused("does not fit.*size mismatch")


def test_other_weights_than_planned_give_no_score(small, tmp_path, monkeypatch, random_weights):
    changed = bytearray(random_weights.read_bytes())
    changed[len(changed) // 2] ^= 1  # torch would load it
    file = tmp_path / "changed.pth"
    file.write_bytes(changed)
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(file))
    with pytest.raises(UserError, match="the protocol says") as caught:
        Evaluator(small, "digits")
    assert small[0].weights_digest[:12] in str(caught.value)


def test_the_address_is_the_librarys():
    from torch_fidelity import feature_extractor_inceptionv3 as library

    assert library.URL_INCEPTION_V3 == weights.INCEPTION_URL
    assert weights.INCEPTION_URL.endswith(f"-{weights.INCEPTION_SHA256[:8]}.pth")
