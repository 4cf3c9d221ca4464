"""Faults on real processes. `GANBENCH_FAULT_TABLE=1 pytest tests/reliability` rewrites the table in docs/."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.records import identity, loss_file, record, store

HERE = Path(__file__).parent
SUITE = """\
title = "Two seeds"
experiments = ["gan/digits"]
seeds = [0, 4294967296]
gen_iters = 8
evaluate_every = 4
protocols = ["digits-2k"]
"""
HEADERS = ("fault", "exit code", "what ganbench says", "what survives")
ROWS: list[tuple[str, int, str, str]] = []


@pytest.fixture
def row():
    """Note a line of the fault table: the message is what was really printed, without the folders."""

    def note(fault, code, message, survives):
        ROWS.append((fault, code, f"`{message}`", survives))

    return note


def pytest_sessionfinish(session):
    """Write the table, if asked to and if every test of it passed."""
    if os.environ.get("GANBENCH_FAULT_TABLE") and ROWS and not session.testsfailed:
        spec = importlib.util.spec_from_file_location("document", HERE / "document.py")
        document = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(document)
        document.replace("faults", document.table(HEADERS, ROWS))


class Ended:
    """A `ganbench` that has ended."""

    def __init__(self, done, folder):
        self.code, self.stdout, self.stderr = done.returncode, done.stdout or "", done.stderr
        self._folder = str(folder)

    def line(self, pattern):
        """The first line on stderr that matches, without folders of the test."""
        for line in self.stderr.splitlines():
            if re.search(pattern, line):
                return re.sub(r"\S*/runs/\S+", "RUN", line.replace(self._folder + "/", "")).strip()
        pytest.fail(f"no line matches {pattern!r} in:\n{self.stderr}")


@pytest.fixture
def ganbench(tmp_path):
    """Run `ganbench` to its end in the test's folder, with a fault if one is named.

    `by` are words before the command line; a variable that is None is taken out of the environment.
    """

    def call(*arguments, fault="", cwd=tmp_path, plugin=False, by=(), stdout=subprocess.PIPE, **environment):
        path = [str(HERE / "injected")] * bool(fault) + [str(HERE / "plugin")] * plugin
        env = {k: v for k, v in os.environ.items() if k not in ("CI", "GITHUB_RUN_ID", "PYTHONPATH")}
        env |= {"PYTHONPATH": os.pathsep.join(path), "GANBENCH_FAULT": fault, **environment}
        env = {name: value for name, value in env.items() if value is not None}
        command = [*by, sys.executable, "-m", "benchmark", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=cwd, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
        assert "Traceback" not in done.stderr
        return Ended(done, tmp_path)

    return call


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """An uninterrupted suite: results folder with two runs, checkpoints at 6 and 8."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "two.toml").write_text(SUITE)
    command = [
        sys.executable,
        "-m",
        "benchmark",
        "run",
        "two.toml",
        "--device",
        "cpu",
        "--checkpoint-iters",
        "3",
        "--no-report",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "results"


@pytest.fixture
def suite(tmp_path):
    """The file of that suite in the test's folder."""
    path = tmp_path / "two.toml"
    path.write_text(SUITE)
    return path


def bits(out):
    """What must be equal of all runs below a folder, by experiment and seed: record and file of losses."""
    found = {}
    for directory in [run.directory for run in store.records_below(out / "runs")[0]]:
        content = store.read_record(directory)
        loss_file.read(directory, content)  # the digest in the record is the file's
        text = identity.canonical(record.comparable_part(content))
        found[content["experiment"], content["seed"]] = text, (directory / loss_file.NAME).read_bytes()
    return found


@pytest.fixture(scope="session")
def bits_of():
    return bits


@pytest.fixture(scope="session")
def expected(whole):
    """The bits of the uninterrupted suite."""
    return bits(whole)
