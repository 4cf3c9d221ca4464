"""`ganbench run -v` and `-q`: what the runs' processes say, and nothing but the result."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmark.cli import progress
from benchmark.cli.verbosity import Quiet, Verbose
from benchmark.records.store import RunState


@dataclass(frozen=True)
class Run:
    """What a display needs of a planned run."""

    directory: Path
    label: str = "gan/digits seed 0"
    experiment: str = "gan/digits"
    gen_iters: int = 100


@pytest.fixture
def run(tmp_path):
    (tmp_path / "events.jsonl").write_text('{"event": "started", "utc": "old"}\n')
    return Run(tmp_path)


def add(run, name, text):
    with (run.directory / name).open("a") as file:
        file.write(text)


def test_the_processes_words_are_told_once_and_whole(run, capsys):
    shown = Verbose(progress.Lines([run], 1))
    shown.started(run)
    add(run, "events.jsonl", '{"event": "checkpoint", "utc": "now", "gen_iters": 25, "bytes": 7}\n{"event": ')
    add(run, "worker.log", "UserWarning: \x1b[31mslow\n")
    shown.progressed(run, {})
    shown.progressed(run, {})
    add(run, "events.jsonl", '"evaluated", "scores": {"p": {"is": 1.5}}, "losses": null}\nno event\n')
    shown.ended(run, RunState("done", 100))
    first, second, third, fourth, last = capsys.readouterr().err.splitlines()
    assert first == "gan/digits seed 0: checkpoint: gen_iters 25, bytes 7"
    assert second.startswith("gan/digits seed 0: UserWarning: ")
    assert "\x1b" not in second
    assert third == 'gan/digits seed 0: evaluated: scores {"p": {"is": 1.5}}'
    assert fourth == "gan/digits seed 0: no event"
    assert last.startswith("[1/1] gan/digits seed 0: done")


def test_a_log_that_has_gone_is_no_error(run, capsys):
    shown = Verbose(progress.Lines([run], 1))
    add(run, "worker.log", "of an earlier process\n")
    shown.started(run)
    (run.directory / "worker.log").unlink()
    shown.postponed(run)
    shown.started(run)
    shown.ended(run, RunState("done", 100))
    assert "earlier" not in capsys.readouterr().err


def test_quiet_is_silent_but_for_damage(run, capsys):
    with progress.display([run], 1, quiet=True) as shown:
        assert isinstance(shown, Quiet)
        shown.started(run)
        shown.progressed(run, {"phase": "train", "gen_iters": 1, "iters_per_s": 1.0})
        shown.remarked(run, "checkpoint 000000025.safetensors is damaged")
        shown.ended(run, RunState("done", 100))
    assert capsys.readouterr().err == "gan/digits seed 0: checkpoint 000000025.safetensors is damaged\n"


def test_verbose_is_a_display_with_more(run):
    with progress.display([run], 1, verbose=True) as shown:
        assert isinstance(shown, Verbose)


@pytest.mark.usefixtures("finished")
def test_a_quiet_run_prints_its_result_alone(ganbench):
    arguments = ("run", "small.toml", "--reuse", "only", "--no-report", "--json", "--device", "cpu")
    loud, quiet = ganbench(*arguments), ganbench(*arguments, "-q")
    assert quiet[0] == loud[0] == 0
    assert json.loads(quiet[1]) == json.loads(loud[1])
    assert "6 finished, kept as they are" in loud[2]
    assert "kept as they are" not in quiet[2]


def test_both_at_once_is_a_contradiction(ganbench):
    code, _, err = ganbench("run", "-v", "-q")
    assert (code, err) == (2, "ganbench: -v and -q contradict each other. Choose one\n")


@pytest.mark.usefixtures("finished")
def test_scores_are_told_although_the_report_cannot_be_written(ganbench):
    Path("results/reports").touch()
    call = ("run", "small.toml", "--reuse", "only", "--device", "cpu")
    code, stdout, stderr = ganbench(*call, "--json")
    said = json.loads(stdout)
    assert (code, said["report"]) == (3, None)
    assert {score["experiment"] for score in said["scores"]} == {"gan/digits", "wgan/digits"}
    assert "the report cannot be written" in said["report_error"]
    assert said["report_error"] in stderr
    code, stdout, _ = ganbench(*call)
    assert code == 3
    assert "gan/digits" in stdout
