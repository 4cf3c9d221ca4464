"""What `--device` means, why it is not another one, and where runs are put on GPUs that are not here."""

import json
import sys
from types import SimpleNamespace

import pytest

from benchmark import suites
from benchmark.engines import base
from benchmark.errors import UserError
from benchmark.records import devices, environment
from benchmark.records.devices import Choice
from benchmark.suites import plan


@pytest.fixture
def gpus(monkeypatch):
    """As if torch saw so many GPUs."""

    def make(n, mask=None):
        if mask is None:
            monkeypatch.delenv(devices.MASK, raising=False)
        else:
            monkeypatch.setenv(devices.MASK, mask)
        cuda = SimpleNamespace(device_count=lambda: n, is_available=lambda: n > 0)
        version = SimpleNamespace(cuda="13.0", hip=None)
        monkeypatch.setitem(
            sys.modules, "torch", SimpleNamespace(cuda=cuda, version=version, __version__="2.13")
        )
        monkeypatch.setattr(devices.Path, "exists", lambda path: str(path) == "/proc/driver/nvidia")

    return make


@pytest.mark.parametrize(
    ("asked", "choice"),
    [
        ("cpu", Choice("cpu")),
        ("cuda", Choice("cuda")),
        ("cuda:1", Choice("cuda", (1,))),
        ("cuda:0,2", Choice("cuda", (0, 2))),
    ],
)
def test_devices_by_name(asked, choice):
    assert devices.choose(asked) == choice


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("mps", "no float64"),
        ("xpu:0", "not been tried"),
        ("rocm", "called cuda"),
        ("gpu", "no device"),
        ("cuda:", "no device"),
        ("cuda:-1", "no device"),
        ("cuda:1,1", "twice"),
        ("cuda:0;rm", "no device"),
    ],
)
def test_other_devices_are_one_line(asked, says):
    with pytest.raises(UserError, match=says) as error:
        devices.choose(asked)
    assert "\n" not in str(error.value)


def test_auto_takes_a_gpu_where_there_is_one_and_else_says_why(gpus, monkeypatch):
    gpus(2)
    assert devices.choose("auto") == Choice("cuda")
    gpus(0)
    assert "cannot use one" in devices.choose("auto").why_cpu
    sys.modules["torch"].version.cuda = None
    assert "a build for CPUs" in devices.choose("auto").why_cpu
    gpus(2, mask="")
    assert "CUDA_VISIBLE_DEVICES masks" in devices.choose("auto").why_cpu
    gpus(2)
    monkeypatch.setattr(devices.Path, "exists", lambda path: False)
    monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
    assert "no driver" in devices.choose("auto").why_cpu


def test_a_gpu_by_name_that_is_not_there_is_the_users_error(gpus):
    gpus(1)
    assert environment.resolve_device("cuda") == "cuda"
    gpus(0)
    with pytest.raises(UserError, match=r"--device: no GPU to use: .*Use --device cpu"):
        environment.resolve_device("cuda")
    assert environment.resolve_device("auto") == "cpu"


def test_slots_are_dealt_out_over_the_gpus(gpus):
    gpus(3)
    assert [s.gpu for s in base.slots(Choice("cuda"), None)] == ["0", "1", "2"]
    assert [s.gpu for s in base.slots(Choice("cuda", (0, 2)), None, 0.5)] == ["0", "2", "0", "2"]
    four = base.slots(Choice("cuda", (1,)), None, 0.25)
    assert [(s.gpu, s.share) for s in four] == 4 * [("1", 0.25)]
    assert [s.gpu for s in base.slots(Choice("cuda"), 2, 0.5)] == ["0", "1"]
    gpus(2, mask="7,GPU-abc")
    assert [s.gpu for s in base.slots(Choice("cuda", (1,)), None)] == ["GPU-abc"]
    assert base.slots(Choice("cpu"), 3) == [base.Slot()] * 3


@pytest.mark.parametrize(
    ("choice", "share", "says"),
    [
        (Choice("cuda", (2,)), 1.0, "no GPU 2"),
        (Choice("cuda"), 0.0, "at most 1"),
        (Choice("cuda"), 2.0, "at most 1"),
    ],
)
def test_slots_that_there_are_not(gpus, choice, share, says):
    gpus(2)
    with pytest.raises(UserError, match=says):
        base.slots(choice, None, share)


def test_a_plan_for_a_gpu_elsewhere_finds_the_runs_of_whatever_gpu_made_them(tmp_path):
    suite = suites.load("quick").revised(patterns=("gan/digits",), seeds="0,1")
    first, _ = plan.plan(suite, tmp_path, "cuda", anywhere=True)
    assert (first.env_id, first.state.name) == ("", "not run")
    there = tmp_path / "runs" / "gan" / "digits" / f"{first.run_id[:12]}-0a1b2c3d"
    there.mkdir(parents=True)
    (there / "spec.json").write_text(json.dumps(first.spec))
    (there / "events.jsonl").write_text('{"event": "failed", "reason": "out of luck"}\n')
    found, other = plan.plan(suite, tmp_path, "cuda", anywhere=True)
    assert (found.directory, found.state.text()) == (there, "failed: out of luck")
    assert other.state.name == "not run"
    with pytest.raises(UserError, match="finds no CUDA"):
        plan.plan(suite, tmp_path, "cuda")
