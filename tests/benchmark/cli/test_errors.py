"""What a person gets wrong: one line that says what, where and what to do, an exit code, and nothing else."""

import json
import re
from pathlib import Path

import click
import pytest
import torch

from benchmark.cli import cli
from benchmark.cli.options import OneOf
from benchmark.errors import NothingToJudge

VERBS = ("run", "plan", "status")


def entries():
    return sorted(path.name for path in Path.cwd().iterdir())


def assert_refused(outcome, code, pattern, *, lines=1, left=()):
    exit_code, out, err = outcome
    assert (exit_code, out) == (code, "")
    assert re.fullmatch(f"ganbench: {pattern}", err.splitlines()[0]), err
    assert len(err.splitlines()) == lines
    assert entries() == list(left)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["quik"], r"unknown suite 'quik'\. A file must end in \.toml\. Did you mean 'quick'\?"),
        (
            ["--experiment", "gan/digts"],
            r"--experiment: no experiment .* Did you mean 'gan/digits'\?",
        ),
        (["--experiment", "gan/*", "--experiment", "x*"], r"--experiment: no experiment matches 'x\*'.*"),
        (["--seeds", "3-"], r"--seeds: cannot read the seeds '3-'\. Write seeds like 0-4 or 0,2,7-9"),
        (["--seeds", "4-0"], r"--seeds: the range '4-0' runs backwards\. Write .*"),
        (["--seeds", "0-999999999"], r"--seeds: the range '0-999999999' has more than 100000 seeds\. .*"),
        (["none.toml"], r"none\.toml: cannot read the suite \(No such file or directory\)"),
    ],
)
def test_a_selection_that_fits_nothing(verb, arguments, pattern, ganbench):
    assert_refused(ganbench(verb, *arguments), 2, pattern)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("verb", ["run", "env"])
def test_a_device_that_is_not_there(verb, ganbench):
    outcome = ganbench(verb, "--device", "cuda")
    assert_refused(outcome, 2, r"--device: (torch finds no CUDA device|no GPU to .*)\. Use --device cpu")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("title = ", r"broken\.toml: not a TOML file \(Invalid value .*\)"),
        ('tilte = "x"', r"broken\.toml: unknown key 'tilte'\. Did you mean 'title'\?"),
    ],
)
def test_a_malformed_suite_file(verb, content, pattern, ganbench):
    Path("broken.toml").write_text(content)
    assert_refused(ganbench(verb, "broken.toml"), 2, pattern, left=["broken.toml"])


def test_a_folder_of_other_things_is_left_alone(ganbench):
    Path("thesis").mkdir()
    Path("thesis/chapter 1.tex").write_text("x")
    outcome = ganbench("run", "--out", "thesis", "--device", "cpu")
    assert_refused(outcome, 2, r"--out thesis: holds 'chapter 1\.tex'.*empty or new folder", left=["thesis"])
    assert [path.name for path in Path("thesis").iterdir()] == ["chapter 1.tex"]


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_file_in_place_of_the_folder(out, ganbench):
    Path("file").touch()
    for command in ("run", "plan", "status", "check", "report"):
        outcome = ganbench(command, "quick", "--out", out)
        assert_refused(outcome, 2, f"--out {out}: 'file' exists and is not a folder.*", left=["file"])
    assert Path("file").read_bytes() == b""


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["rnu"], r"unknown command 'rnu'\. Did you mean 'run'\?"),
        (["show", "gan/digts"], r"unknown name 'gan/digts'\. Did you mean 'gan/digits'\?"),
        (["show", "sngn"], r"unknown name 'sngn'\. Did you mean 'sngan'\?"),
        (["report", "quick", "parzen"], r"more than one suite\. Give one suite, or folders with records"),
        (["report", "quikc"], r"'quikc' is neither a folder nor a suite\. .* Did you mean 'quick'\?"),
        (["report", ".", "quick"], r"'quick' is not a folder\. .*"),
        (
            ["run", "gan"],
            r"unknown suite 'gan'\. A file must end in \.toml\. Name a suite .* --experiment 'gan/\*'",
        ),
        (["run", "gan/digits"], r"unknown suite 'gan/digits'\. .* --experiment 'gan/digits'"),
        (["probe", "gan"], r"ganbench probe: 'gan' is neither .* Write 'gan/\*' for all .*"),
        (["plan", "--experiment", "wgan"], r"--experiment: no experiment .* Write 'wgan/\*' for all .*"),
        (["budgets", "wgan"], r"budgets: no experiment .* Write 'wgan/\*' for all .*"),
    ],
)
def test_a_name_that_is_none(arguments, pattern, ganbench):
    assert_refused(ganbench(*arguments), 2, pattern)


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["run", "--budget", "-1"], "Invalid value for '--budget': .*"),
        (["run", "--budget", "many"], "Invalid value for '--budget': .*"),
        (["run", "--jobs", "0"], "Invalid value for '--jobs': .*"),
        (["run", "--reuse", "mising"], "Invalid value for '--reuse': .* Did you mean 'missing'\\?"),
        (["run", "--numerics", "portabel"], "Invalid value for '--numerics': .* Did you mean 'portable'\\?"),
        (["export", ".", "--to", "mlfow"], "Invalid value for '--to': there is no 'mlfow'. .* 'mlflow'\\?"),
        (["run", "--sedes", "1"], r"No such option.*--seeds.*"),
        (["run", "--gpus-per-run", "0"], r"Invalid value for '--gpus-per-run': 0.0 is not in the range x>0."),
        (["list", "xyz"], "Invalid value for '.*': there is no 'xyz'. Choose one of: .*"),
        (["show"], "Missing argument 'NAME'."),
        (["sample", ".", "--seed", str(2**64)], "Invalid value for '--seed': .*"),
        (["evaluate", ".", "--seed", str(2**64)], "Invalid value for '--seed': .*"),
        (["plan", "--seeds", "0", "--seeds=1"], "--seeds is given twice. Leave one out"),
        (["check", "--reference", "a", "--reference", "b"], "--reference is given twice. Leave one out"),
    ],
)
def test_an_option_that_does_not_fit_points_to_the_help(arguments, pattern, ganbench):
    outcome = ganbench(*arguments)
    assert_refused(outcome, 2, pattern, lines=2)
    assert outcome[2].splitlines()[1] == f"Try 'ganbench {arguments[0]} --help'."


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["stauts"], 2, {"what": "unknown command 'stauts'", "where": "", "do": "Did you mean 'status'?"}),
        (
            ["plan", "--seeds", "4-0"],
            2,
            {
                "what": "the range '4-0' runs backwards",
                "where": "--seeds",
                "do": "Write seeds like 0-4 or 0,2,7-9",
            },
        ),
        (["show"], 2, {"what": "Missing argument 'NAME'.", "where": "", "do": ""}),
        (["report", "."], 4, {"what": "no records", "where": ".", "do": "Run a suite first: ganbench run"}),
    ],
)
def test_a_script_that_asks_for_json_gets_the_error_too(arguments, code, error, ganbench):
    plain = ganbench(*arguments)
    assert plain[:2] == (code, "")
    exit_code, out, err = ganbench(*arguments, "--json")
    assert json.loads(out) == {"error": {"exit_code": code, **error}}
    assert (exit_code, err) == (code, plain[2])


def test_one_document_is_enough(ganbench, monkeypatch):
    from benchmark.cli import streams
    from benchmark.judging import selection

    def answered(*_, **__):
        streams.print_json({})
        raise NothingToJudge("nothing")

    monkeypatch.setattr(selection, "select", answered)
    assert ganbench("check", "quick", "--json") == (4, "{}\n", "ganbench: nothing\n")


def test_an_error_of_ours_is_told_as_json_too(ganbench, monkeypatch, tmp_path):
    from benchmark.suites import seeds

    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(seeds, "_part", lambda *_: 1 / 0)
    code, out, _ = ganbench("plan", "--json", "--seeds", "0")
    error = json.loads(out)["error"]
    assert (code, error["exit_code"]) == (70, 70)
    assert "division by zero" in error["what"]


def test_what_may_be_repeated_may(ganbench):
    code, out, err = ganbench("plan", "--experiment", "gan/*", "--experiment", "wgan/*", "--json", "--json")
    assert (code, err) == (0, "")
    assert {run["experiment"] for run in json.loads(out)["runs"]} == {"gan/digits", "wgan/digits"}


def test_a_tilde_that_the_shell_left_is_the_home_folder(ganbench, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    code, out, _ = ganbench("plan", "quick", "--seeds", "0", "--json", "--out=~/results")
    assert code == 0
    assert json.loads(out)["runs"][0]["directory"].startswith(str(tmp_path / "home" / "results"))


def test_no_path_is_empty_and_no_number_is_none():
    """As of a variable of the shell that is not set; click takes an empty path for this folder."""
    paths = numbers = 0
    for verb in cli.list_commands(None):
        command = cli.get_command(None, verb)
        commands = [command, *getattr(command, "commands", {}).values()]
        for parameter in (p for c in commands for p in c.params):
            if isinstance(parameter.type, click.Path):
                paths += 1
                with pytest.raises(click.BadParameter, match="it is empty"):
                    parameter.type.convert("", parameter, None)
            elif isinstance(parameter.type, click.FloatRange):
                numbers += 1
                with pytest.raises(click.BadParameter, match="'nan' is no number"):
                    parameter.type.convert("nan", parameter, None)
    assert paths > 20
    assert numbers >= 3


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["plan", "--dataset", ""], r"--dataset: is empty\. Name a data set, or leave it out"),
        (["check", "--summary", ""], r"--summary: is empty\. Name a file, or leave it out"),
        (["publish", ".", "--to", "x", "--author", " "], r"--author: is empty\. Name who made the runs"),
    ],
)
def test_an_empty_name_is_not_taken_for_none(arguments, pattern, ganbench):
    assert_refused(ganbench(*arguments), 2, pattern)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--key", "G"], "--key"),
        (["--seed", "1"], "--seed"),
        (["--experiment", "gan/digits"], "--experiment"),
        (["--range", "0", "1"], "--range"),
        (["--latent", "5"], "--latent"),
        (["--prior", "uniform"], "--prior"),
    ],
)
def test_what_means_nothing_for_images_is_not_passed_over(arguments, option, ganbench):
    Path("pictures").mkdir()
    outcome = ganbench("evaluate", "pictures", "--data", "digits", "--protocol", "digits-2k", *arguments)
    pattern = rf"{option}: means nothing for folder \(pictures\)\. Leave it out"
    assert_refused(outcome, 2, pattern, left=["pictures"])


def test_two_things_to_compare_with_are_one_too_many(ganbench):
    Path("it.npz").touch()
    Path("pictures").mkdir()
    outcome = ganbench(
        "evaluate", "pictures", "--data", "digits", "--protocol", "digits-2k", "--reference", "it.npz"
    )
    pattern = "--data and --reference: both say what to compare with. Give one"
    assert_refused(outcome, 2, pattern, left=["it.npz", "pictures"])


def test_whatever_takes_one_of_a_few_words_names_the_closest():
    commands = [cli.get_command(None, verb) for verb in cli.list_commands(None)]
    choices = [p.type for c in commands for p in c.params if isinstance(p.type, click.Choice)]
    assert len(choices) > 8
    assert {type(choice) for choice in choices} == {OneOf}


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (
            ["report", "--device", "cpu"],
            r"results: no finished run of the suite 'quick'\. Run it first: ganbench run quick",
        ),
        (["report", "."], r"\.: no records\. Run a suite first: ganbench run"),
        (
            ["run", "--reuse", "only", "--device", "cpu"],
            r"results: no finished run of the suite 'quick'\. .*",
        ),
    ],
)
def test_nothing_to_report_is_exit_code_4(arguments, pattern, ganbench):
    assert_refused(ganbench(*arguments), 4, pattern)


def test_a_running_run_is_not_set_aside(ganbench):
    from benchmark import suites
    from benchmark.records import locks
    from benchmark.suites import plan

    suite = suites.load("quick").revised(patterns=("gan/*",), seeds="0", budget=1)
    (run,) = plan.plan(suite, Path("results"), "cpu")
    run.directory.mkdir(parents=True)
    (run.directory / "spec.json").write_text(json.dumps(run.spec))
    arguments = ("run", "--experiment", "gan/*", "--seeds", 0, "--budget", 1, "--device", "cpu")
    with locks.hold(run.directory):
        outcome = ganbench(*arguments, "--reuse", "never")
    assert_refused(
        outcome, 2, r"results/runs/.*: gan/digits seed 0 is running\. Wait for it or .*", left=["results"]
    )
    assert run.directory.exists()
