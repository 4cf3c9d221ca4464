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
    context = click.Context(cli, info_name="ganbench", terminal_width=100, **cli.context_settings)
    command = cli.get_command(context, name)
    assert command is not None
    own = click.Context(command, info_name=name, parent=context)
    return f"## ganbench {name}\n\n{_fenced(command.get_help(own), 'text')}"


def _public(name: str) -> str:
    value = getattr(ganbench, name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):  # an alias, a constant
        return f"## {name}\n\n{_fenced(f'{name} = {value!r}', 'python')}"
    parts = [f"## {name}", _signed(name, value), _fenced(inspect.getdoc(value) or "", "text")]
    for own, method in vars(value).items() if inspect.isclass(value) else ():
        if inspect.isfunction(method) and not own.startswith("_"):
            text = _fenced(inspect.getdoc(method) or "", "text")
            parts += [f"### {name}.{own}", _signed(f"{name}.{own}", method), text]
    return "\n\n".join(parts)


def _signed(name: str, value: Any) -> str:
    """Without what no caller writes: quotes around annotations, addresses of functions."""
    signature = re.sub(r"<function (\w+) at 0x[0-9a-f]+>", r"\1", str(inspect.signature(value)))
    return _fenced(name + re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature), "python")


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````"
