"""A run goes wrong by itself: the others go on, and the record or the log says what it was."""

import json
import os
import signal
import subprocess
import sys

import pytest

from benchmark.records import loss_file, store

SUITE = """\
title = "Faulty"
experiments = ["faulty/*", "gan/digits"]
seeds = [0]
gen_iters = 8
evaluate_every = 4
protocols = ["digits-2k"]
"""


@pytest.mark.slow
def test_divergence_and_lack_of_memory_stop_no_other_run(ganbench, tmp_path, row):
    (tmp_path / "faulty.toml").write_text(SUITE)
    ended = ganbench("run", "faulty.toml", "--device", "cpu", "--json", plugin=True)
    assert ended.code == 3
    states = {run["experiment"]: (run["state"], run["reason"]) for run in json.loads(ended.stdout)["runs"]}
    assert states == {
        "faulty/nan-loss": ("diverged", ""),
        "faulty/infinite-images": ("diverged", ""),
        "faulty/out-of-memory": ("failed", "out of memory"),
        "gan/digits": ("done", ""),
    }
    directories = [run.directory for run in store.records_below(tmp_path / "results")[0]]
    records = {content["experiment"]: content for content in map(store.read_record, directories)}
    assert records["faulty/nan-loss"]["diverged_at"] == 3
    assert records["faulty/infinite-images"]["diverged_at"] == 4
    for directory, content in zip(directories, records.values(), strict=True):
        lengths = {len(column) for column in loss_file.read(directory, content).values()}
        assert lengths == {content["diverged_at"] or content["gen_iters"]}
    assert "faulty/out-of-memory" not in records
    for experiment, fault, survives in (
        ("nan-loss", "NaN in a loss", "a record with the iteration; never retried; other runs go on"),
        ("infinite-images", "infinite images", "a record with the evaluation point; other runs go on"),
        ("out-of-memory", "a run asks for too much memory", "its last checkpoint; other runs go on"),
    ):
        row(fault, 3, ended.line(rf"^faulty/{experiment} seed 0: ").split(", see")[0], survives)

    again = ganbench("run", "faulty.toml", "--device", "cpu", "--reuse", "only", plugin=True)
    assert again.code == 3
    assert "0 to do" in again.stderr


@pytest.mark.slow
def test_a_run_killed_by_the_system_is_told_and_goes_on(
    ganbench, suite, expected, bits_of, tmp_path, row, wait, begin
):
    command = [sys.executable, "-m", "benchmark", "run", suite, "--device", "cpu", "--seeds", "0"]
    process = begin(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    (events, *_) = wait(
        lambda: [p for p in tmp_path.rglob("events.jsonl") if store.last_event(p.parent)], process
    )
    os.kill(store.last_event(events.parent)["pid"], signal.SIGKILL)
    _, stderr = process.communicate()
    assert process.returncode == 3
    line = next(line for line in stderr.splitlines() if "killed by SIGKILL" in line)
    assert ganbench("run", suite, "--device", "cpu").code == 0
    assert bits_of(tmp_path / "results") == expected
    row(
        "a run's process is killed by the system",
        3,
        line.split(", ")[0],
        "the same command goes on; same bits",
    )
