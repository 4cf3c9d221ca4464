"""`ganbench run` on a machine without a GPU says so, and does not begin hours of work unasked."""

import pytest

from benchmark.records import devices


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "why_no_gpu", lambda: "there is none in this test")


def test_hours_on_a_cpu_have_to_be_asked_for(ganbench):
    code, _, err = ganbench("run", "cifar10")
    assert code == 2
    assert "On the CPU, since there is none in this test." in err
    assert "this takes at least" in err
    assert "--device cpu" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--device", "cuda"), "no GPU to train on: there is none in this test"),
        (("--device", "mps"), "no float64"),
        (("--device", "cuda:x"), "no device to train on"),
    ],
)
def test_what_cannot_be_is_one_line(ganbench, arguments, says):
    code, out, err = ganbench("run", "quick", *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_a_plan_needs_no_gpu(ganbench):
    code, out, _ = ganbench("plan", "quick", "--seeds", "0", "--device", "cuda")
    assert code == 0
    assert "5 runs on cuda: 0 finished, 5 to do" in out
