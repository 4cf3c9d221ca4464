"""Every `ganbench …` in the documents is one that the command line takes; the site asks no other server."""

import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest

from benchmark.cli import cli, main

sys.path.append(str(Path(__file__).parent))
from documents import PAGES, ROOT, parts, typed

CHEAP = ("list", "show", "env", "data list", "plan", "status quick", "new", "bench --help")
"""What needs no run, no data and no network."""


def words(command):
    """As the shell splits it, without comments; up to the next command."""
    found = shlex.split(command, comments=True)
    ends = [i for i, word in enumerate(found) if word in ("&&", "|", "||", ";", ">", "2>")]
    return found[1 : ends[0]] if ends else found[1:]


def examples(command):
    """The lines of a command's help that are commands, and of those below it: docs/commands.md has them."""
    for line in (command.help or "").splitlines():
        yield from re.findall(r"^ *(ganbench .+?)(?:   |$)", line)
    for name in command.list_commands(None) if isinstance(command, click.Group) else ():
        yield from examples(command.get_command(None, name))


def in_documents():
    """(page, words) of every `ganbench …`."""
    lines = [
        (page.name, line)
        for page in (*PAGES, ROOT / "results" / "RESULTS.md")
        for part in parts(page.read_text(encoding="utf-8"))
        for line in typed(*part)
    ]
    found = {}
    for page, line in [*lines, *(("commands.md", line) for line in examples(cli))]:
        for command in map(str.strip, line.split("&&")):
            if command.startswith("ganbench "):
                found.setdefault(tuple(words(command)), page)
    return [pytest.param(page, call, id=f"{page}: {' '.join(call)}"[:90]) for call, page in found.items()]


COMMANDS = in_documents()


def parse(call):
    """Raises what is wrong with the words after `ganbench`: command, options, how many values, choices."""
    # Without these settings click would keep a help option without -h, for whoever comes later.
    context = click.Context(cli, info_name="ganbench", **cli.context_settings)
    command, rest = cli, list(call)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        command = command.get_command(context, name)
        assert command is not None, f"there is no command '{name}'"
    values, _, _ = command.make_parser(click.Context(command, parent=context)).parse_args(rest)
    for parameter in command.params:
        given = values.get(parameter.name)
        if isinstance(parameter.type, click.Choice) and isinstance(given, str) and not given.isupper():
            parameter.type.convert(given, parameter, None)


@pytest.mark.parametrize(("page", "call"), COMMANDS)
def test_a_command_in_a_document_is_one(page, call):
    parse(call)


@pytest.mark.parametrize("wrong", ["rnu", "run --sedes 0", "data fetsh x", "export x --to excel"])
def test_what_is_no_command_is_told(wrong):
    with pytest.raises((AssertionError, click.UsageError)):
        parse(wrong.split())


def is_cheap(call):
    text = " ".join(call)
    is_whole = text != "new" and not any(map(str.isupper, call))
    return is_whole and text.startswith(CHEAP) and "--like-reference" not in call


RUN = [command for command in COMMANDS if is_cheap(command.values[1])]


@pytest.mark.parametrize(("page", "call"), RUN)
def test_a_cheap_command_in_a_document_runs(page, call, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(SystemExit) as ended:
        main(list(call))
    assert not ended.value.code, capsys.readouterr().err


def test_there_are_commands_to_check():
    assert len(COMMANDS) > 60
    assert len(RUN) > 8


# --- The site -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="the extra 'docs' is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loads(HTMLParser):
    """What a browser fetches by itself for a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video"):
            self.found.append(named.get("src"))
        if tag == "link" and named.get("rel") != "canonical":
            self.found.append(named.get("href"))


def test_no_page_asks_another_server_for_anything(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        outside = [address for address in loads.found if address and re.match(r"(https?:)?//", address)]
        assert not outside, page
        assert 'class="mermaid"' not in page.read_text(encoding="utf-8")  # the theme fetches what draws it


def test_pages_have_what_the_code_says(site):
    def text(name):
        content = (site / name / "index.html").read_text(encoding="utf-8")
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", content))

    commands, python, papers = text("commands"), text("python"), text("papers")
    assert all(f"Usage: ganbench {name}" in commands for name in cli.list_commands(None))
    assert all(name in python for name in ("evaluate", "load_results", "UserError"))
    assert " at 0x" not in python
    assert papers.count("def iterate(") == 5
    assert "record_sha256" in text("files")
    assert "&lt;!-- " not in papers + commands + python
