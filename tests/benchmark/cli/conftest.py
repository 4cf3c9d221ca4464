"""The command called in this process: exit code, stdout, stderr."""

import importlib.util
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.records import store
from benchmark.suites import plan


@pytest.fixture
def ganbench(capsys, tmp_path, monkeypatch):
    """`ganbench ARGUMENTS` in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def synthetic(ganbench):
    """Makers of sealed records (`synthetic.py`), beside a suite file `small.toml` that they belong to."""
    spec = importlib.util.spec_from_file_location("synthetic", Path(__file__).with_name("synthetic.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    Path("small.toml").write_text(module.SUITE)
    return module


@pytest.fixture
def finished(synthetic, monkeypatch):
    """The runs of `small.toml`, which any plan takes for its own."""
    found = [(directory, store.read_record(directory)) for directory in synthetic.put_all()]
    runs = [plan.PlannedRun(r["spec"], r["run_id"], r["env_id"], d, store.state(d)) for d, r in found]
    monkeypatch.setattr(plan, "plan", lambda *_, **__: runs)
