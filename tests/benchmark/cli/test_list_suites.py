"""Suites as `list` and `show` have them: what they lack here, budgets of their own, a name that is two."""

import json

import pytest


@pytest.fixture(autouse=True)
def _empty_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("GANBENCH_WEIGHTS", "GANBENCH_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_list_says_how_to_get_what_is_missing(ganbench, tmp_path, monkeypatch):
    listed = {
        entry["suite"]: entry["missing"] for entry in json.loads(ganbench("list", "suites", "--json")[1])
    }
    assert listed["quick"] == []
    assert listed["ci-gpu"] == ["ganbench data fetch cifar10", "ganbench verify-weights"]
    assert listed["parzen"] == ["ganbench data fetch mnist"]
    (tmp_path / "weights.pth").touch()
    monkeypatch.setenv("GANBENCH_WEIGHTS", str(tmp_path / "weights.pth"))
    listed = {
        entry["suite"]: entry["missing"] for entry in json.loads(ganbench("list", "suites", "--json")[1])
    }
    assert listed["ci-gpu"] == ["ganbench data fetch cifar10"]
    assert "nothing" in ganbench("list", "suites")[1]


@pytest.mark.parametrize(
    "suite", ["ci-gpu", "cifar10", "figure3", "sngan-table2", "parzen", "critic-schedule"]
)
def test_plan_says_what_is_missing_and_where_it_comes_from(suite, ganbench, tmp_path):
    code, out, _ = ganbench("plan", suite, "--device", "cpu", "--json")
    assert code == 0
    content = json.loads(out)
    assert {run["state"] for run in content["runs"]} == {"not planned"}
    for lacking in content["to_fetch"]:
        assert all(file.startswith("https://") for file in lacking["files"])
        assert lacking["place"].startswith(str(tmp_path))
    names = [lacking["name"] for lacking in content["to_fetch"]]
    assert names == (["mnist"] if suite == "parzen" else ["cifar10", "Inception weights"])


def test_show_has_budgets_with_reasons_and_both_things_of_one_name(ganbench):
    shown = json.loads(ganbench("show", "cifar10", "--json")[1])
    own = shown["budgets"]["gan/cifar10-conv"]
    assert own["gen_iters"] == 200_000
    assert shown["data_set"]["title"] == "CIFAR-10"
    text = ganbench("show", "cifar10")[1]
    assert "budget of gan/cifar10-conv" in text
    assert own["reason"][:20] in text
    assert "n_held_out" in text
    assert "data_set" not in json.loads(ganbench("show", "quick", "--json")[1])
