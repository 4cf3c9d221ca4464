"""What the pages have from the code: MkDocs calls `on_page_markdown`, and no page can go stale.

<!-- iteration: wgan/lsun64 -->    one G-iteration with its losses, as `ganbench show` prints it
<!-- commands -->                  every command with its help, from click
<!-- python -->                    every public name with its signature and docstring
<!-- file: results/README.md -->   a file of the repository, without its title
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import click

import baselines
import ganbench
from benchmark.cli import cli

ROOT = Path(__file__).parents[1]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with every marker replaced."""
    return re.sub(r"^<!-- (iteration|commands|python|file)(?:: (\S+))? -->$", _replaced, markdown, flags=re.M)


def _replaced(marker: re.Match[str]) -> str:
    kind, name = marker.groups()
    if kind == "iteration":
        return _fenced(baselines.details(name)["iteration"], "python")
    if kind == "commands":
        return "\n\n".join(map(_command, cli.list_commands(click.Context(cli))))
    if kind == "python":
        return "\n\n".join(map(_public, ganbench.__all__))
    return (ROOT / name).read_text(encoding="utf-8").partition("\n")[2]


def _command(name: str) -> str:
    context = click.Context(cli, info_name="ganbench", max_content_width=100, terminal_width=100)
    command = cli.get_command(context, name)
    assert command is not None
    own = click.Context(command, info_name=name, parent=context, max_content_width=100, terminal_width=100)
    return f"## ganbench {name}\n\n{_fenced(command.get_help(own), 'text')}"


def _public(name: str) -> str:
    value = getattr(ganbench, name)
    try:
        signature = str(inspect.signature(value)) if callable(value) else f" = {value!r}"
    except ValueError:  # of something without one
        signature = ""
    text = inspect.getdoc(value) if callable(value) or inspect.isclass(value) else None
    return f"## {name}\n\n{_fenced(name + signature + (chr(10) * 2 + text if text else ''), 'python')}"


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````"
