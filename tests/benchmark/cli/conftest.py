"""The command called in this process: exit code, stdout, stderr."""

import importlib.util
from pathlib import Path

import pytest

from benchmark.cli import main


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
