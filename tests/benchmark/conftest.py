"""`ganbench` as a person starts it: a process of its own, on a suite small enough for a test."""

import os
import signal
import subprocess
import sys
import time

import pytest

from benchmark.records import store

SUITE = """\
title = "Two experiments"
experiments = ["gan/digits", "dcgan/digits"]
seeds = [4]
gen_iters = 50
evaluate_every = 30
protocols = ["digits-2k"]
"""


class Command:
    """A running `ganbench`; its output is read when it ends."""

    def __init__(self, *arguments, cwd):
        environment = {k: v for k, v in os.environ.items() if k not in ("CI", "GITHUB_RUN_ID")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmark", *map(str, arguments)],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background of a shell ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def until(self, condition):
        """What `condition` returns as soon as it is true; fails when the command ends before."""
        try:
            while self.process.poll() is None:
                if value := condition():
                    return value
                time.sleep(0.02)
        except BaseException:  # the test was ended
            self.process.kill()
            raise
        pytest.fail(f"ended before its time: {self.end()}")

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self):
        """Exit code, stdout, stderr."""
        try:
            out, err = self.process.communicate()
        except BaseException:  # the test was ended
            self.process.kill()
            raise
        return self.process.returncode, out, err


@pytest.fixture(scope="session")
def ganbench():
    return Command


@pytest.fixture(scope="session")
def small_suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite with space") / "zwei ü.toml"
    path.write_text(SUITE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def uninterrupted(small_suite, tmp_path_factory):
    """The suite run through, one run at a time: results folder and what the command said."""
    out = tmp_path_factory.mktemp("uninterrupted") / "results ä"
    command = Command("run", small_suite, "--out", out, "--jobs", 1, "--device", "cpu", cwd=out.parent)
    code, stdout, stderr = command.end()
    assert code == 0, stderr
    return out, stdout, stderr


def read_records(out):
    """Records by experiment."""
    return {run.record["experiment"]: run.record for run in store.records_below(out / "runs")[0]}


@pytest.fixture(scope="session")
def records():
    return read_records
