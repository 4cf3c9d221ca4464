"""Bugs of ours change a portable run; another softplus of the library does not."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bugs = load("bugs")
BY_NAME = {bug.name: bug for bug in bugs.BUGS}


@pytest.fixture(scope="module")
def clean():
    return {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bugs")


@pytest.mark.parametrize("name", ["gan.latents", "dcgan.critic-fake-sign", "dcgan.beta1", "data.split"])
def test_a_bug_of_ours_changes_a_portable_run(name, folder, clean):
    assert bugs.outcome(folder, BY_NAME[name], clean) == "**differs**"


def test_the_order_of_another_seed_changes_that_seed(folder, clean):
    assert bugs.outcome(folder, BY_NAME["draws.shared-order"], clean) == "**differs** (seed 1)"


def test_a_library_with_another_softplus_changes_faithful_runs_only(folder, clean):
    bug = BY_NAME["dcgan.library"]
    assert bugs.outcome(folder, bug, clean) == "equal"
    tree = bugs.planted(folder, bug)
    assert bugs.digests(tree, bug.experiment, faithful=True) != bugs.digests(
        folder / "clean", bug.experiment, faithful=True
    )


def test_every_bug_is_accounted_for():
    named = {*bugs.ELSEWHERE, *bugs.FIRST, *bugs.WHERE, *bugs.NOT_RUN}
    assert named <= BY_NAME.keys()
