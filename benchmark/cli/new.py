"""`ganbench new`: a small package with a GAN of one's own, to be changed."""

from __future__ import annotations

import contextlib
import keyword
import re
import shlex
import sys
from pathlib import Path

import click

from benchmark.errors import UserError

_PLACEHOLDER = "mygan"
_OF_OTHERS = ("conftest", "setup")
"""Modules that pip or pytest execute where they lie."""
_FILES = ("pyproject.toml", "mygan.py", "test_mygan.py", "mygan.toml")


@click.command()
@click.argument("name")
@click.option(
    "--folder", type=click.Path(path_type=Path), metavar="DIR", help="Where to write it; ./NAME by default."
)
def new(name: str, folder: Path | None) -> None:
    r"""Write a package with a GAN called NAME that runs at once, beside the baselines.

    One file has the generator, the critic and a G-iteration; the others a test, a suite that compares it with
    dcgan/digits and sngan/digits, and what pip needs. Nothing is overwritten.

    \b
    ganbench new mygan
    """
    _check_name(name)
    folder = folder or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError("is there already", where=str(folder), do="Choose another with --folder")
    from importlib.resources import files

    template = files("benchmark.cli").joinpath("template")
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in _FILES:
            text = template.joinpath(file).read_text(encoding="utf-8").replace(_PLACEHOLDER, name)
            written.append(folder / file.replace(_PLACEHOLDER, name))
            written[-1].write_text(text, encoding="utf-8")
    except BaseException as error:  # whole or absent, also on a full disk
        with contextlib.suppress(OSError):
            for path in written:
                path.unlink(missing_ok=True)
            for parent in missing:
                parent.rmdir()
        if not isinstance(error, OSError):
            raise
        raise UserError(f"cannot be written ({error.strerror})", where=str(folder)) from error
    from benchmark.cli.text import print_text

    print_text(f"{folder / name}.py is yours to change. Next:")
    for command in (
        f"pip install -e {shlex.quote(str(folder))}",
        f"ganbench check-baseline {name}/digits",
        f"ganbench run {shlex.quote(str(folder / f'{name}.toml'))}",
    ):
        print_text(f"  {command}")


def _check_name(name: str) -> None:
    """Raise `UserError` for what can be no module, or is one already."""
    from importlib.util import find_spec

    import baselines
    from benchmark import suites

    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or keyword.iskeyword(name):
        raise UserError(
            f"'{name}' is no name for it", do="Use lower-case letters, digits and _, and begin with a letter"
        )
    spec = find_spec(name)
    taken = name in (*_OF_OTHERS, *sys.stdlib_module_names) or (spec is not None and spec.origin is not None)
    of_ours = {*suites.NOT_SUITES, *suites.names(), *(known.split("/")[0] for known in baselines.names())}
    if taken or name in of_ours:
        raise UserError(f"the name '{name}' is taken", do="Choose another")
