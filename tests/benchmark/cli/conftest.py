"""The command called in this process: exit code, stdout, stderr."""

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
