"""`ganbench run` on a machine without a GPU says so, and does not begin hours of work unasked."""

import json
import sys

import pytest

from benchmark.engines import base, queue
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


@pytest.mark.parametrize(("terminated", "code"), [(True, 75), (False, 130)])
def test_batch_systems_and_people_get_exit_codes_of_their_own(ganbench, monkeypatch, terminated, code):
    def stopped(*_, **__):
        raise base.Interrupted(terminated=terminated)

    monkeypatch.setattr(queue, "execute", stopped)
    found, _, err = ganbench("run", "quick", "--seeds", "0", "--device", "cpu")
    assert found == code
    assert "Nothing is lost" in err


@pytest.mark.slow
def test_one_run_by_its_id(ganbench):
    runs = json.loads(ganbench("plan", "quick", "--seeds", "0", "--json")[1])["runs"]
    wanted = runs[1]["run_id"]
    command = ("run", "quick", "--seeds", "0", "--device", "cpu", "--budget", "0")
    by_budget = json.loads(ganbench("plan", *command[1:4], "--budget", "0", "--json")[1])["runs"]
    code, out, err = ganbench(*command, "--only", by_budget[1]["run_id"][:12], "--no-report", "--json")
    assert code == 0, err
    assert [(r["experiment"], r["seed"]) for r in json.loads(out)["runs"]] == [(runs[1]["experiment"], 0)]
    for start, says in ((wanted, "of no run of the suite"), (by_budget[1]["run_id"][:3], "of no run")):
        code, _, err = ganbench(*command, "--only", start)
        assert code == 2
        assert says in err


def test_without_ray_one_line_says_how_to_install_it(ganbench, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, out, err = ganbench("run", "quick", "--engine", "ray")
    assert (code, out) == (2, "")
    assert "--engine ray: Ray is not installed" in err
    assert "pip install -e '.[ray]'" in err
    assert err.count("\n") == 1


def test_an_address_is_for_a_cluster(ganbench):
    code, out, err = ganbench("run", "quick", "--address", "head:6379")
    assert (code, out) == (2, "")
    assert "--address: is for a cluster. Leave it out, or add --engine ray" in err


def test_what_is_reported_needs_no_engine(ganbench, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = ganbench("run", "quick", "--engine", "ray", "--reuse", "only", "--device", "cpu")
    assert code == 4
    assert "no finished run of the suite 'quick'" in err
