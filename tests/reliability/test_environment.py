"""Where ganbench is put: streams, users, names, suites, and the death of the command itself."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.records import locks, store

FULL = Path("/dev/full")


@pytest.fixture
def results(whole, tmp_path):
    """The two finished runs of the suite in the test's folder."""
    return shutil.copytree(whole, tmp_path / "results")


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_output_costs_no_record(ganbench, suite, tmp_path, row):
    with FULL.open("w") as full:
        ended = ganbench("run", suite, "--seeds", "0", "--budget", 2, "--device", "cpu", stdout=full)
    assert ended.code == 2
    (directory,) = (path.parent for path in tmp_path.rglob("record.json"))
    assert store.state(directory).name == "done"
    row(
        "stdout cannot be written",
        2,
        ended.line("standard output"),
        "everything: the run and its report are done",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "by", "environment"),
    [
        ("the reader of the output goes away", ("bash", "-c", 'set -o pipefail; "$@" | head -n 1', "-"), {}),
        ("the terminal knows ASCII only", (), {"PYTHONIOENCODING": "ascii"}),
    ],
)
def test_output_that_somebody_cannot_take(fault, by, environment, ganbench, suite, results, row):
    ended = ganbench("report", suite, "--device", "cpu", by=by, **environment)
    assert (ended.code, ended.stderr) == (0, "")
    row(fault, 0, ended.stdout.splitlines()[0], "everything")


@pytest.mark.slow
def test_a_user_without_home_can_work(ganbench, suite, tmp_path, row):
    by = ("unshare", "--user", "--map-user=12345")
    if (
        not shutil.which("unshare")
        or subprocess.run([*by, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to be somebody else")
    nothing = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "GANBENCH_CACHE_DIR", "GANBENCH_DATA_DIR"))
    arguments = ("run", suite, "--seeds", "0", "--budget", 2, "--device", "cpu")
    ended = ganbench(*arguments, by=by, TMPDIR=str(tmp_path), **nothing)
    assert ended.code == 0, ended.stderr
    assert (tmp_path / "ganbench-12345").is_dir()
    assert not (tmp_path / "~").exists()
    row("a user without a home folder", 0, ended.line("Report:"), "caches lie among temporary files")


def test_a_folder_whose_name_is_no_text_is_refused_at_once(ganbench, suite, row):
    ended = ganbench("run", suite, "--device", "cpu", "--out", os.fsdecode(b"r\xe9sultats"))
    assert ended.code == 2
    row("the results folder's name is not UTF-8", 2, ended.line("ganbench:"), "nothing was begun")


def test_a_fresh_volume_is_an_empty_folder(ganbench, suite, results, row):
    (results / "lost+found").mkdir()
    ended = ganbench("run", suite, "--device", "cpu", "--no-report")
    assert ended.code == 0
    row("the results folder is a volume with `lost+found`", 0, ended.line("2 finished"), "everything")


@pytest.mark.slow
def test_a_report_that_cannot_be_written_costs_no_record(ganbench, suite, results, row):
    (results / "reports").touch()
    assert ganbench("report", suite, "--device", "cpu").code == 2
    ended = ganbench("run", suite, "--device", "cpu")
    assert ended.code == 3
    assert len(store.records_below(results)[0]) == 2
    row("the report cannot be written", 3, ended.line("Report:"), "the records; `ganbench report` makes it")


def nested(path):
    path.write_text("title = " + 50_000 * "[")


def too_many(path):
    path.write_text(path.with_name("two.toml").read_text().replace("= 8", "= 100_000_000_000_000_000_000"))


def huge(path):
    with path.open("wb") as file:
        file.truncate(2**31)


@pytest.mark.parametrize(
    ("fault", "name", "make"),
    [
        ("a suite file called `...toml`", "...toml", lambda path: path.touch()),
        ("a suite nested 50 000 deep", "deep.toml", nested),
        ("a suite with 10²⁰ G-iterations", "many.toml", too_many),
        ("a suite that is a pipe", "pipe.toml", os.mkfifo),
        ("a suite of 2 GiB", "huge.toml", huge),
    ],
)
def test_a_suite_as_nobody_writes_it_is_refused(fault, name, make, ganbench, suite, tmp_path, row):
    make(tmp_path / name)
    ended = ganbench("run", name, "--device", "cpu")
    assert ended.code == 2
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()
    row(fault, 2, ended.line("ganbench:"), "nothing was begun")


@pytest.mark.slow
def test_runs_end_when_the_command_is_killed(suite, tmp_path, row, wait, begin):
    command = [sys.executable, "-m", "benchmark", "run", suite, "--device", "cpu", "--seeds", "0"]
    process = begin([*command, "--budget", "100000"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    (directory,) = wait(lambda: [p.parent for p in tmp_path.rglob("spec.json")], process)
    wait(lambda: store.state(directory).gen_iters > 2, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    wait(lambda: not locks.is_held(directory))
    state = store.state(directory)
    assert state.name == "interrupted"
    assert state.gen_iters > 2
    row(
        "`ganbench run` itself is killed",
        -signal.SIGKILL,
        state.text(),
        "its runs stop with a checkpoint; the same command goes on",
    )


def test_an_error_that_nobody_thought_of_is_one_line(ganbench, suite, tmp_path, row):
    cache = tmp_path / "cache"
    ended = ganbench("run", suite, "--device", "cpu", fault="unexpected", GANBENCH_CACHE_DIR=str(cache))
    assert ended.code == 70
    (saved,) = (cache / "errors").iterdir()
    assert "Traceback" in saved.read_text()
    row(
        "an error in ganbench itself",
        70,
        ended.line("unexpected error"),
        "all runs; the file has the traceback",
    )
