"""Printing never changes what a command does: streams that are closed, full, gone, or know few characters."""

import errno
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import benchmark
import benchmark.cli
from benchmark.cli import main, unexpected
from benchmark.records import places

FULL = Path("/dev/full")
ROOT = Path(benchmark.__file__).parents[1]
MAINS = {
    "benchmark/__main__.py",
    "ganbench/__main__.py",
    "benchmark/engines/worker.py",  # writes to a log
    "benchmark/engines/probing/worker.py",
    "benchmark/engines/benching/worker.py",
    "benchmark/engines/forkserver.py",
    "baselines/__main__.py",  # tools of developers
    "benchmark/data/embed_digits.py",
    "benchmark/evaluation/train_digits_lenet.py",
    "benchmark/evaluation/anchors.py",
    "benchmark/evaluation/parzen_samples.py",
    "benchmark/report/committed/__main__.py",
}


def shell(command, cwd, **environment):
    """A command line in which $G is ganbench."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=cwd,
        env={**os.environ, "G": f"{sys.executable} -m benchmark", **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_every_encoding_can_say_it(encoding, tmp_path):
    said = shell("$G list claims && $G show wgan_gp/digits", tmp_path, PYTHONIOENCODING=encoding)
    assert (said.returncode, said.stderr) == (0, b"")
    text = said.stdout.decode(encoding)
    assert "\\u2212" not in text  # a minus sign that reads as digits
    assert ("±" in text) == (encoding != "ascii")
    text = shell("$G show gan/digits", tmp_path, PYTHONIOENCODING=encoding).stdout.decode(encoding)
    assert ("Sec. " in text) == (encoding == "ascii")
    said = shell("$G show wgan_gp/digits --json", tmp_path, PYTHONIOENCODING=encoding)
    assert json.loads(said.stdout.decode(encoding)) == json.loads(
        shell("$G show wgan_gp/digits --json", tmp_path).stdout
    )


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(streams, tmp_path):
    said = shell(f"$G plan --device cpu {streams}; echo $? >code; $G rnu {streams}; echo $? >>code", tmp_path)
    assert (tmp_path / "code").read_text().split() == ["0", "2"], said.stderr


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", ["plan --device cpu", "list --json", "--help", "--version", "cite"])
def test_a_full_disk_under_stdout_is_one_line(arguments, tmp_path):
    said = shell(f"$G {arguments} >/dev/full", tmp_path)
    line = b"ganbench: standard output could not be written (No space left on device)\n"
    assert (said.returncode, said.stderr) == (2, line)


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_the_code_of_what_was_found_stays(tmp_path):
    assert shell("$G check --device >/dev/full 2>/dev/full", tmp_path).returncode == 2
    assert shell("$G check >/dev/full 2>/dev/full", tmp_path).returncode == 4


def test_a_reader_that_goes_away_changes_no_code(tmp_path):
    said = shell("$G budgets --json | head -n 1", tmp_path)
    assert (said.returncode, said.stdout, said.stderr) == (0, b"[\n", b"")
    said = shell("$G check --json | true", tmp_path)
    assert said.returncode == 4


# --- Errors that nobody thought of --------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError("a\x1b[31m\nb"), RecursionError(), SystemExit(0)])
def test_an_unexpected_error_is_a_line_and_a_file(error, ganbench, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise error

    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(benchmark.cli.cli, "main", fail)
    code, out, err = ganbench("list", "some thing")
    assert (code, out) == (unexpected.EXIT_CODE, "")
    assert err.startswith(f"ganbench: unexpected error ({type(error).__name__}")
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert "Traceback" not in err
    (saved,) = (tmp_path / "cache" / "errors").iterdir()
    assert str(saved) in err
    content = saved.read_text()
    assert "Traceback (most recent call last)" in content
    assert "'some thing'" in content
    monkeypatch.setenv(unexpected.DEBUG_VARIABLE, "1")
    assert "Traceback (most recent call last)" in ganbench("list")[2]


@pytest.mark.parametrize("verb", benchmark.cli._VERBS)
def test_no_verb_can_print_a_traceback(verb, ganbench, monkeypatch, tmp_path):
    """Whatever a verb's own code raises, on its way through click."""

    def fail(*_, **__):
        raise RuntimeError("nobody thought of this")

    def said(option):
        return option.opts[0], option.type.choices[0] if isinstance(option.type, click.Choice) else "x"

    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "cache"))
    command = benchmark.cli.cli.get_command(None, verb)
    below = list(getattr(command, "commands", {}).values()) or [command]
    for one in below:
        monkeypatch.setattr(one, "invoke", fail)
        needed = ["x" for p in one.params if isinstance(p, click.Argument) and p.required]
        options = [text for p in one.params if p.required and isinstance(p, click.Option) for text in said(p)]
        names = [verb] if one is command else [verb, one.name]
        code, out, err = ganbench(*names, *needed, *options)
        assert (code, out) == (unexpected.EXIT_CODE, "")
        assert "nobody thought of this); what is known of it is in" in err
        assert err.count("\n") == 1


def test_every_way_in_is_the_one_that_catches():
    """The installed command and `python -m benchmark`; workers write to their logs."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert set(scripts.values()) == {"benchmark.cli:main"}
    mains = {
        str(path.relative_to(ROOT))
        for package in ("benchmark", "baselines", "ganbench")
        for path in (ROOT / package).rglob("*.py")
        if '__name__ == "__main__"' in path.read_text()
    }
    assert mains == MAINS


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "there is not enough memory for this"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a" * 5), "aaaaa: File name too long"),
        (OSError(errno.ENOSPC, "No space left on device", b"a\xff"), "a\\udcff: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),  # as of a write
    ],
)
def test_what_the_system_refuses_is_no_error_of_ours(error, line, ganbench, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(benchmark.cli.cli, "main", fail)
    assert ganbench("list") == (2, "", f"ganbench: {line}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "fetch", "folder:{}"),
        ("evaluate", "{}", "--protocol", "digits-2k"),
        ("verify", "{}"),
        ("losses", "{}"),
        ("sample", "{}"),
        ("compare", "{}", "{}"),
        ("report", "{}"),
        ("report", "--from", "{}"),
        ("plan", "{}.toml"),
        ("check", "--reference", "{}"),
        ("status", "--out", "{}"),
    ],
)
def test_names_that_are_too_long_are_one_line(arguments, ganbench, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = ganbench(*(text.format("a" * 300) for text in arguments))
    assert code in (0, 2, 4), err
    assert "unexpected" not in err


class Silent(Exception):
    def __str__(self):
        raise ValueError


def test_an_error_without_words_is_named(ganbench, monkeypatch, tmp_path):
    def fail(*_, **__):
        raise Silent

    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(benchmark.cli.cli, "main", fail)
    code, _, err = ganbench("list")
    assert code == unexpected.EXIT_CODE
    assert err.startswith("ganbench: unexpected error (Silent")


def test_the_file_goes_where_it_can(ganbench, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "file" / "below"))
    monkeypatch.setattr(unexpected.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setattr(benchmark.cli.cli, "main", lambda *_, **__: 1 / 0)
    assert str(tmp_path / "temporary") in ganbench("list")[2]
    monkeypatch.setattr(unexpected.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert "no file about it could be written" in ganbench("list")[2]


def test_ctrl_c_is_130(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmark.cli.cli, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["list"])
    assert ended.value.code == 130


def test_tracebacks_are_made_in_few_places_and_text_is_printed_in_two():
    """What a command prints goes through `streams` or `text`, and an error through `main`."""
    root = Path(benchmark.__file__).parent
    sources = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.py")}

    def having(*words):
        return {name for name, text in sources.items() if any(word in text for word in words)}

    assert having("import traceback", "excepthook") == {
        "engines/worker.py",  # into its worker.log
        "engines/probing/worker.py",  # into a file, whose last line is told
        "cli/unexpected.py",
        "training/contract/__init__.py",  # the line of a plugin's file where it fails
        "training/contract/stand_in.py",  # that where the device is read back
    }
    assert having("click.echo", "click.secho", "sys.stdout.write") == set()
    assert having(".print(") == {"cli/text.py", "cli/progress.py"}


# --- A user without a home ----------------------------------------------------------------------------


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """No HOME, no line in the list of users: `docker run --user 12345`."""

    def unknown(_):
        raise KeyError("getpwuid(): uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", places.CACHE_VARIABLE, "GANBENCH_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(tmp_path))


def test_a_user_without_home_keeps_things_among_temporary_files(homeless, ganbench, tmp_path):
    assert places.user_cache() == tmp_path / f"ganbench-{os.getuid()}"
    assert places.user_cache().stat().st_mode & 0o77 == 0
    assert places.home() == ""
    assert ganbench("plan", "--device", "cpu")[0] == 0
    code, _, err = ganbench("data", "fetch", "folder:~/pictures")
    assert (code, err) == (2, "ganbench: ~/pictures: there is no home folder. Write the whole path\n")
    assert list(Path.cwd().iterdir()) == []  # no folder called ~


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_folder_that_somebody_else_put_there_is_not_used(what, homeless, ganbench, tmp_path):
    there = tmp_path / f"ganbench-{os.getuid()}"
    if what == "link":
        there.symlink_to(tmp_path)
    else:
        there.touch()
    code, _, err = ganbench("data", "list")
    assert code == 2
    assert "is somebody else's" in err
