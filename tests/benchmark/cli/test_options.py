"""The commands a report prints are the ones that made it."""

import shlex
from pathlib import Path

import click
import pytest

from benchmark.cli import cli
from benchmark.cli.options import commands


def test_commands_repeat_what_was_typed():
    top = click.Context(cli, **cli.context_settings)
    text = commands("my suite.toml", ("wgan*", "gan/digits"), "0-1", 20, None, "portable", Path("/a b"))
    run, report = [shlex.split(line) for line in text.splitlines() if not line.startswith("#")]
    assert run[:2] == ["ganbench", "run"]
    assert report[:2] == ["ganbench", "report"]
    assert run[2:] == report[2:]
    for verb, arguments in (("run", run[2:]), ("report", report[2:])):
        context = cli.get_command(None, verb).make_context(verb, arguments, parent=top)
        assert context.params["patterns"] == ("wgan*", "gan/digits")
        assert (context.params["seeds"], context.params["budget"]) == ("0-1", 20)
        assert context.params["numerics"] == "portable"
        assert context.params["out"] == Path("/a b")
        assert "my suite.toml" in (context.params.get("suite"), *context.params.get("what", ()))


def test_commands_leave_out_what_is_the_default():
    assert commands("quick", (), None, None, None, None, Path("results")).splitlines()[1::2] == [
        "ganbench run quick",
        "ganbench report quick",
    ]


@pytest.mark.parametrize("option", [("--seeds", "0"), ("--budget", "3"), ("--device", "nonsense")])
def test_folders_do_not_go_with_a_narrowed_suite(option, ganbench, tmp_path):
    code, out, err = ganbench("report", tmp_path, *option)
    assert (code, out) == (2, "")
    assert "go with a suite" in err


def test_every_verb_about_a_suite_takes_the_same_options():
    def options(verb):
        return {p.name for p in cli.get_command(None, verb).params if isinstance(p, click.Option)}

    shared = {"patterns", "seeds", "budget", "device", "out", "json_"}
    for verb in ("run", "plan", "status", "report"):
        assert shared <= options(verb)
