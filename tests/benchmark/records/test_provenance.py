"""Which commit made a number: the one thing that leads from a record to its code."""

import subprocess
from pathlib import Path

import pytest

from benchmark.records import provenance


@pytest.fixture
def checkout(tmp_path):
    """A checkout with both packages and a document, and git in it."""

    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        command = ["git", "-C", tmp_path, *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    for name in ("benchmark", "baselines", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "x")
    return tmp_path, git


@pytest.mark.parametrize("typed", [("--dataset", "folder:/mnt/me/pics"), ("--dataset=folder:/mnt/me/pics",)])
def test_where_a_folder_of_images_is_does_not_stand_in_records(typed):
    said = provenance.launch(["/usr/bin/ganbench", "run", "quick", *typed])["argv"]
    assert said[:3] == ["ganbench", "run", "quick"]
    assert " ".join(said[3:]).replace("=", " ") == "--dataset folder:…"


def test_the_commit_and_whether_the_code_is_its(checkout):
    root, git = checkout
    assert provenance.git(root) == {"sha": git("rev-parse", "HEAD"), "dirty": False, "diff_sha256": None}
    (root / "docs" / "a.py").write_text("2")
    assert provenance.git(root)["dirty"] is False
    (root / "baselines" / "a.py").write_text("2")
    first = provenance.git(root)
    assert first["dirty"]
    (root / "baselines" / "a.py").write_text("3")
    assert provenance.git(root)["diff_sha256"] != first["diff_sha256"]


def test_a_plugin_has_the_commit_of_its_own_repository(checkout):
    root, git = checkout
    own = [root / "docs" / "a.py", root / "baselines" / "a.py"]
    assert provenance.git_of(own) == {"sha": git("rev-parse", "HEAD"), "dirty": False, "diff_sha256": None}
    (root / "benchmark" / "a.py").write_text("2")  # no file of the plugin's
    assert provenance.git_of(own)["dirty"] is False
    own[0].write_text("2")
    assert provenance.git_of(own)["dirty"] is True


def test_a_plugin_in_no_repository_has_no_commit(checkout, tmp_path_factory):
    """Nor has one that is installed in a virtualenv within somebody's checkout."""
    root, _ = checkout
    installed = root / "venv" / "a.py"
    installed.parent.mkdir()
    installed.write_text("1")
    alone = tmp_path_factory.mktemp("none") / "a.py"
    alone.write_text("1")
    assert provenance.git_of([installed]) is provenance.git_of([alone]) is provenance.git_of([]) is None


def test_a_checkout_of_something_else_is_not_ours(checkout, tmp_path_factory):
    root, _ = checkout
    assert provenance.git(root / "benchmark") is None
    assert provenance.git(tmp_path_factory.mktemp("none")) is None


def test_a_run_is_told_the_commit_of_the_code_that_runs():
    root = Path(__file__).parents[3]
    assert root == provenance.ROOT
    if not (root / ".git").exists():
        pytest.skip("the tests do not run in a checkout")
    head = subprocess.run(
        ["git", "-C", root, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    assert provenance.launch(["ganbench"])["git"]["sha"] == head.stdout.strip()
