"""What an environment is: two of one id promise the same bits."""

import pytest
import torch

from benchmark import data
from benchmark.evaluation import reference
from benchmark.records import environment, identity
from benchmark.training.policies import POLICIES

FAITHFUL = POLICIES["faithful"]
describe = environment.describe.__wrapped__


@pytest.fixture
def gpu(monkeypatch):
    """A GPU, as far as an environment knows of one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla T4")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 90000)


def on(monkeypatch, model, kind, **switches):
    """The environment's id on a machine with this CPU."""
    monkeypatch.setattr(environment, "cpu_model", lambda: model)
    for name in environment.SWITCHES:
        monkeypatch.delenv(name, raising=False)
    for name, value in switches.items():
        monkeypatch.setenv(name, value)
    return identity.env_id(describe(kind), FAITHFUL)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_another_cpu_is_another_environment_on_a_gpu_too(kind, gpu, monkeypatch):
    """Scores are computed there, of features that the GPU made."""
    here = on(monkeypatch, "One", kind)
    assert here == on(monkeypatch, "One", kind)
    assert here != on(monkeypatch, "Other", kind)
    assert here != on(monkeypatch, "One", kind, MKL_CBWR="AVX2")


def test_the_gpu_is_the_device_and_the_cpu_is_named_beside_it(gpu, monkeypatch):
    monkeypatch.setattr(environment, "cpu_model", lambda: "One")
    found = describe("cuda")
    assert (found["device"], found["cpu"]) == ("Tesla T4", "One")
    assert (describe("cpu")["device"], describe("cpu").get("cpu")) == ("One", None)


def test_kept_statistics_of_real_images_are_of_one_environment(monkeypatch):
    """The folder that keeps them may lie on a disk that several machines share."""
    keys = []
    for model, switches in (("One", {}), ("Other", {}), ("One", {"MKL_CBWR": "AVX2"})):
        on(monkeypatch, model, "cpu", **switches)
        monkeypatch.setattr(environment, "describe", describe)
        keys.append(reference.circumstances(data.info("digits"), None, torch.device("cpu")))
    assert keys[0] != keys[1]
    assert keys[0] != keys[2]
