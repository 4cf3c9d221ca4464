"""What a suite needs is fetched before it is planned, and nothing else."""

import dataclasses

import pytest

from benchmark import suites
from benchmark.errors import UserError
from benchmark.suites import prepare as module
from benchmark.suites.prepare import prepare


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Records what would be fetched; no data set but `digits` and no weights are there."""
    calls = []
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GANBENCH_OFFLINE", raising=False)
    monkeypatch.delenv("GANBENCH_WEIGHTS", raising=False)
    monkeypatch.setattr(module, "fetch", lambda name, note: calls.append(name))
    monkeypatch.setattr(module.weights, "download_inception", lambda: calls.append("weights"))
    return calls


def test_the_headline_suite_gets_its_data_once_and_its_weights(asked):
    notes = []
    prepare(suites.load("cifar10"), notes.append)
    assert asked == ["cifar10", "weights"]
    assert len(notes) == 2


def test_quick_needs_nothing(asked):
    prepare(suites.load("quick"), pytest.fail)
    assert asked == []


def test_weights_only_for_protocols_that_have_them(asked):
    quick = suites.load("quick")
    prepare(dataclasses.replace(quick, protocols=("digits-2k", "parzen-mnist")), pytest.fail)
    assert asked == []


def test_what_may_not_be_downloaded_is_left_to_the_plan(asked):
    suite = dataclasses.replace(suites.load("quick"), experiments=("wgan/lsun64", "gan/tfd", "dcgan/faces64"))
    prepare(suite, pytest.fail)
    assert asked == []


def test_own_weights_are_not_replaced(asked, monkeypatch):
    monkeypatch.setenv("GANBENCH_WEIGHTS", "/nowhere/own.pth")
    prepare(dataclasses.replace(suites.load("quick"), protocols=("is-1k",)), pytest.fail)
    assert asked == []


def test_offline_says_what_is_missing_and_opens_no_connection(monkeypatch, tmp_path):
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("a connection"))
    with pytest.raises(UserError, match=r"cifar-10-binary.tar.gz.*offline nothing is downloaded"):
        prepare(suites.load("cifar10"), lambda _: None)
