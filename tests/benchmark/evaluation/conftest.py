"""Weights of the right shapes for the Inception network: random, with batch norm fitted to a few images."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark import data
from benchmark.evaluation import inception
from benchmark.evaluation.fidelity import torch_fidelity


class Untrained(torch_fidelity.FeatureExtractorInceptionV3):
    """The library's network as it is initialised."""

    def load_state_dict(self, *_, **__):
        pass


def coloured_images(n, size=32, seed=0):
    """Smooth random images, uint8 [n, 3, size, size]."""
    coarse = np.random.default_rng(seed).random((n, 3, 5, 5), dtype=np.float32)
    images = torch.nn.functional.interpolate(torch.from_numpy(coarse), size=size, mode="bilinear")
    return (images * 255).round().to(torch.uint8)


@pytest.fixture(scope="session")
def images():
    return coloured_images


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory):
    """A file of random weights, as torch.save writes it."""
    from torch_fidelity import feature_extractor_inceptionv3 as library

    fetch, library.load_state_dict_from_url = library.load_state_dict_from_url, lambda *_, **__: {}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = Untrained("inception-v3-compat", ["2048", "logits_unbiased"])
    finally:
        library.load_state_dict_from_url = fetch
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        net.fc.weight.mul_(3)
        digits = data.load("digits", "train")[::400].expand(-1, 3, -1, -1)
        net.train()(digits)
        net.train()(coloured_images(8, seed=1))
    file = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(net.state_dict(), file)
    return file


@pytest.fixture
def given_weights(random_weights, monkeypatch, tmp_path):
    """The random weights, given by the environment variable; an empty cache; the file's digest."""
    from benchmark.evaluation import weights

    monkeypatch.setenv("GANBENCH_WEIGHTS", str(random_weights))
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "cache"))
    return weights.inception_digest()


@pytest.fixture(scope="session")
def random_inception(random_weights):
    """The network with the random weights."""
    state = torch.load(random_weights, weights_only=True)
    return inception.Inception(state).eval().requires_grad_(False)


SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def _converted_mnist(tmp_path_factory):
    from benchmark.data.fetch import fetch

    if not (SHARED / "MNIST").is_dir():
        pytest.skip(f"MNIST's IDX files are not at {SHARED / 'MNIST'}")
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANBENCH_DATA_DIR", str(folder))
        fetch("mnist", local=SHARED / "MNIST")
    return folder


@pytest.fixture
def mnist(_converted_mnist, monkeypatch):
    """The data directory with the real MNIST, which `data` then knows; skipped where its files are not."""
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(_converted_mnist))
    return _converted_mnist
