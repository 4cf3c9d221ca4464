"""Circumstances that must not matter: names and links, folder, locale, clock, another command, the seed."""

import json
import subprocess
import sys

import pytest

from benchmark import suites
from benchmark.records import environment, identity, store
from benchmark.suites import plan


@pytest.mark.slow
def test_place_locale_and_clock_do_not_matter(ganbench, suite, expected, bits_of, tmp_path, row):
    real, elsewhere = tmp_path / "ä real place", tmp_path / "else where"
    real.mkdir()
    elsewhere.mkdir()
    link = tmp_path / "link to it"
    link.symlink_to(real, target_is_directory=True)
    ended = ganbench(
        "run",
        suite,
        "--device",
        "cpu",
        "--out",
        link,
        fault="clock-backwards",
        cwd=elsewhere,
        LC_ALL="C",
        LANG="tr_TR.UTF-8",
        TZ="Asia/Kathmandu",
    )
    assert ended.code == 0, ended.stderr
    assert link.is_symlink()
    assert bits_of(real) == expected
    stamps = [event["utc"] for r in store.records_below(real)[0] for event in store.events(r.directory)]
    assert stamps != sorted(stamps)
    row("clock runs backwards", 0, ended.line("2 runs in"), "everything: durations do not use that clock")
    row(
        "output is a symbolic link, its path has spaces and non-ASCII letters",
        0,
        ended.line("Report:"),
        "same bits",
    )


@pytest.mark.slow
def test_seeds_beyond_32_bits_are_other_seeds(expected, whole):
    contents = {run.record["seed"]: run.record for run in store.records_below(whole)[0]}
    assert set(contents) == {0, 2**32}
    assert contents[0]["digests"]["generator_weights"] != contents[2**32]["digests"]["generator_weights"]
    assert contents[0]["first_losses"] != contents[2**32]["first_losses"]


@pytest.mark.slow
def test_two_commands_at_once_share_the_work(suite, expected, bits_of, tmp_path, row, wait, begin):
    command = [sys.executable, "-m", "benchmark", "run", suite, "--device", "cpu", "--jobs", "1"]
    both = []
    for _ in range(2):
        both.append(begin(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        wait(lambda: list(tmp_path.rglob("events.jsonl")), both[-1])
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert not any("Traceback" in text for text in said)
    out = tmp_path / "results"
    assert bits_of(out) == expected
    for directory in [run.directory for run in store.records_below(out)[0]]:
        names = [event["event"] for event in store.events(directory)]
        assert (names.count("started"), names.count("finished")) == (1, 1)
    waited = [line for text in said for line in text.splitlines() if "another process works on it" in line]
    assert waited
    row("two `ganbench run` on one folder", 0, waited[0], "each run is made once; the second waits for it")


@pytest.mark.slow
@pytest.mark.parametrize("budget", [0, 1])
def test_the_smallest_budgets_are_runs(budget, ganbench, suite, tmp_path):
    ended = ganbench("run", suite, "--seeds", "0", "--budget", budget, "--device", "cpu", "--json")
    assert ended.code == 0
    assert {score["gen_iters"] for score in json.loads(ended.stdout)["scores"]} == {budget}


@pytest.mark.parametrize("key", ["experiments", "seeds"])
def test_an_empty_suite_is_an_error_that_names_the_key(key, ganbench, suite, row):
    lines = [f"{key} = []" if line.startswith(key) else line for line in suite.read_text().splitlines()]
    suite.write_text("\n".join(lines))
    ended = ganbench("run", suite)
    assert ended.code == 2
    row(f"a suite without {key}", 2, ended.line("ganbench:"), "nothing was begun")


def test_another_number_of_threads_is_another_environment(monkeypatch, tmp_path):
    """Threads change bits, so they are part of `env_id`; run and cell stay what they are."""
    chosen = suites.load("quick").revised(patterns=("gan/*",), seeds="0")
    (one,) = plan.plan(chosen, tmp_path, "cpu")
    environment.describe.cache_clear()
    monkeypatch.setattr(environment, "THREADS", environment.THREADS + 1)
    (two,) = plan.plan(chosen, tmp_path, "cpu")
    environment.describe.cache_clear()
    assert one.run_id == two.run_id
    assert identity.cell_id(one.spec) == identity.cell_id(two.spec)
    assert one.env_id != two.env_id
    assert one.directory != two.directory
