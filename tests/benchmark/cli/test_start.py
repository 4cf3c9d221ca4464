"""What a command imports before it answers: torch only where it is needed, no verb but the one called."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import _VERBS, cli

CALLS = """
import contextlib, io, json, sys
from benchmark.cli import main
codes = []
for call in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main(call)
        except SystemExit as end:
            codes.append(end.code)
print(json.dumps([codes, sorted(sys.modules)]))
"""


def called(*calls, cwd):
    """Exit codes of these calls in one process, and all modules that it imported."""
    command = [sys.executable, "-c", CALLS, json.dumps([list(map(str, call)) for call in calls])]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True)
    codes, modules = json.loads(done.stdout)
    return codes, set(modules)


def test_help_imports_no_more_than_the_verbs(tmp_path):
    codes, modules = called(["--help"], cwd=tmp_path)
    assert codes == [0]
    assert not modules & {"torch", "numpy", "pandas", "rich", "importlib.metadata", "baselines.catalogue"}


def test_a_verb_is_imported_when_it_is_called(tmp_path):
    _, modules = called(["plan", "--help"], cwd=tmp_path)
    assert {m for m in modules if m.removeprefix("benchmark.cli.") in _VERBS} == {"benchmark.cli.plan"}


def test_help_has_every_verb_with_its_text():
    text = cli.get_help(cli.make_context("ganbench", [], resilient_parsing=True))
    for verb in _VERBS:
        command = cli.get_command(None, verb)
        assert command.name == verb
        assert f"  {verb} " in text
        assert command.get_short_help_str(40).removesuffix("...").strip() in " ".join(text.split())


def test_help_has_every_exit_code_of_the_documents():
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text(encoding="utf-8")
    told = page.partition("Exit codes: ")[2].partition("\n\n")[0]
    codes = re.findall(r"(?:^|; )(\d+) ", " ".join(told.split()))
    assert codes == ["0", "1", "2", "3", "4", "70", "75", "130"]
    assert re.findall(r"(?:: |, )(\d+) ", cli.epilog) == codes


def test_what_only_reads_needs_no_torch(tmp_path):
    (tmp_path / "empty.json").write_text("[]")
    calls = [
        ["list"],
        ["show", "wgan_gp/cifar10-resnet"],
        ["show", "quick", "--json"],
        ["show", "digits-2k"],
        ["budgets"],
        ["plan", "quick", "--device", "cpu"],
        ["status", "quick", "--device", "cpu"],
        ["check", "quick"],
        ["compare", tmp_path, tmp_path],
        ["cite", "quick"],
        ["env", "--json"],
    ]
    codes, modules = called(*calls, cwd=tmp_path)
    assert codes == [0, 0, 0, 0, 0, 0, 0, 4, 4, 0, 0]
    assert not modules & {"torch", "torchvision"}


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "generator.pt").touch()
    (tmp_path / "weights.safetensors").touch()
    return tmp_path


def test_usage_errors_are_told_before_torch_is_imported(pictures):
    calls = [
        ["evaluate", "pictures", "--data", "digits", "--protocol", "digits-2"],
        ["evaluate", "nowhere", "--data", "digits", "--protocol", "digits-2k"],
        ["evaluate", "pictures", "--data", "digit", "--protocol", "digits-2k"],
        ["evaluate", "pictures", "--data", "digits", "--protocol", "parzen-mnist"],
        ["evaluate", "pictures", "--data", "cifar10", "--protocol", "digits-2k"],
        ["evaluate", "pictures", "--data", "digits", "--protocol", "svm-cifar10"],
        ["evaluate", "pictures", "--protocol", "digits-2k"],
        ["evaluate", "generator.pt", "--data", "digits", "--protocol", "digits-2k"],
        ["evaluate", "weights.safetensors", "--protocol", "digits-2k"],
        ["evaluate", "weights.safetensors", "--experiment", "gan/digit", "--protocol", "digits-2k"],
        ["run", "quikc"],
        ["run", "quick", "--experiment", "nothing"],
        ["sample", "nowhere"],
        ["verify", "nowhere"],
        ["losses", "nowhere"],
        ["show", "gan/digit"],
    ]
    codes, modules = called(*calls, cwd=pictures)
    assert [(call, code) for call, code in zip(calls, codes, strict=True) if code not in (2, 4)] == []
    assert "torch" not in modules
