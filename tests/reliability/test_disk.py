"""The disk is full, read-only or gone while runs work on it."""

import os
import shutil
import subprocess
import sys

import pytest

from benchmark.records import store


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "where", "reason"),
    [
        ("disk full at a checkpoint", "checkpoints/", r"failed: No space left on device: 0000"),
        ("disk full for everything", "events.jsonl", r"its directory cannot be written \(No space left"),
    ],
)
def test_a_full_disk_fails_the_run_and_costs_nothing_finished(
    fault, where, reason, ganbench, suite, expected, bits_of, tmp_path, row
):
    out = tmp_path / "results"
    done = ganbench("run", suite, "--seeds", "0", "--device", "cpu")
    assert done.code == 0
    ended = ganbench("run", suite, "--device", "cpu", fault=f"no-space-for:{where}")
    assert ended.code == 3
    message = ended.line(reason)
    assert len(bits_of(out)) == 1
    assert ganbench("run", suite, "--device", "cpu").code == 0
    assert bits_of(out) == expected
    row(fault, 3, message.split("; all")[0], "finished runs; the same command goes on when there is space")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 20 MiB, less than one checkpoint of this suite."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_really_full(small_disk, ganbench, suite):
    out = small_disk / "results"
    ended = ganbench("run", suite, "--seeds", "0", "--device", "cpu", "--out", out)
    assert ended.code == 3
    assert ended.line(r"failed: No space left on device")
    (directory,) = (path.parent for path in out.rglob("spec.json"))
    assert store.state(directory).name == "failed"
    assert not list(directory.rglob("*.tmp"))


def test_a_folder_that_cannot_be_written_is_refused_at_once(ganbench, suite, row):
    ended = ganbench("run", suite, "--device", "cpu", "--out", "/proc/ganbench")
    assert ended.code == 2
    row("results folder cannot be written", 2, ended.line("--out"), "nothing was begun")


@pytest.mark.slow
def test_a_folder_that_vanishes_fails_its_runs(suite, tmp_path, row, wait, begin):
    command = [sys.executable, "-m", "benchmark", "run", suite, "--device", "cpu", "--seeds", "0"]
    process = begin(
        [*command, "--budget", "4000"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    runs = tmp_path / "results" / "runs"
    wait(lambda: list(runs.glob("gan/digits/*/samples/*.png")), process)
    runs.rename(tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "elsewhere")
    _, stderr = process.communicate()
    assert process.returncode == 3
    assert "Traceback" not in stderr
    line = next(line for line in stderr.splitlines() if "vanished" in line)
    row("results folder vanishes", 3, line.split(", ")[0], "other folders; the same command starts again")
