"""The command `ganbench`. Each verb is a module here; heavy imports wait until a verb needs them."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import warnings
from contextlib import suppress
from typing import Any

import click

from baselines import BrokenPlugin, PluginLeftOut
from benchmark.cli import complete
from benchmark.cli.options import strict
from benchmark.cli.streams import Output, echo, print_json, say
from benchmark.engines.interrupts import terminable
from benchmark.errors import UserError, did_you_mean

_VERBS = (
    "run",
    "plan",
    "status",
    "report",
    "check",
    "accept",
    "compare",
    "probe",
    "bench",
    "list",
    "show",
    "budgets",
    "cite",
    "new",
    "check-baseline",
    "verify",
    "evaluate",
    "sample",
    "losses",
    "export",
    "publish",
    "data",
    "verify-weights",
    "env",
)
"""In the order of the help. Each is a module of this package that has a command of that name."""
_THE_SYSTEMS = frozenset(
    getattr(errno, name)
    for name in (
        *("ENAMETOOLONG", "ELOOP", "EACCES", "EPERM", "EROFS", "ENOSPC"),
        *("EDQUOT", "EIO", "ENXIO", "ESTALE", "EMFILE", "ENFILE"),
    )
)
"""What the system says of paths and disks that people name; other errors of files are ours."""


class _Once(click.Command):
    """A command that refuses an option given twice, of which only the last would count."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            *_, given = self.make_parser(ctx).parse_args([*args])
            for one in given:
                single = isinstance(one, click.Option) and not one.multiple and not one.is_flag
                if single and given.count(one) > 1:
                    raise click.UsageError(f"{one.opts[-1]} is given twice. Leave one out", ctx)
        return super().parse_args(ctx, args)


def _prepared(command: click.Command) -> click.Command:
    """A command, and those below a group, as they are to be used.

    Backslash-b of raw docstrings becomes what click takes for "keep these lines". Options are `strict`, and
    given `_Once`.
    """
    if type(command) is click.Command:
        command.__class__ = _Once
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for parameter in command.params:
        parameter.type = strict(parameter.type)
    for below in getattr(command, "commands", {}).values():
        _prepared(below)
    return command


class _Group(click.Group):
    """A group that imports a verb when it is called, and names the closest one for an unknown verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [*_VERBS]  # not `list`: that is a module of this package once it was imported

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"benchmark.cli.{cmd_name.replace('-', '_')}")
        commands = [c for c in vars(module).values() if isinstance(c, click.Command)]
        return _prepared(next(c for c in commands if c.name == cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            raise UserError(f"unknown command '{args[0]}'", do=did_you_mean(args[0], _VERBS)) from None


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from benchmark import __version__

        echo(f"ganbench, version {__version__}")
        ctx.exit()


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all is well, 1 a check failed, 2 usage or configuration, "
    "3 a run failed or diverged, 4 nothing to work on, 70 an error in ganbench itself, "
    "75 stopped by SIGTERM, to be started again, 130 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def cli() -> None:
    r"""GAN reproducibility benchmark: five paper-faithful baselines, fixed seeds, fixed budgets.

    \b
    ganbench run                    train the suite 'quick' (five baselines, three seeds) and report
    ganbench plan quick             what that would do, without doing it
    ganbench show wgan_gp/digits    one experiment: networks, settings with sources, deviations
    ganbench check quick            whether the runs are still what was accepted, or what papers print
    ganbench verify results         whether the records there can be believed
    """


_prepared(cli)


def main(argv: list[str] | None = None) -> None:
    """Entry point: ends the process with an exit code; what went wrong is one line on stderr."""
    if complete.is_asked():
        warnings.simplefilter("ignore", PluginLeftOut)  # it would go into the line that is typed
        with suppress(Exception):  # neither may a traceback; the shell then completes nothing
            cli.main(prog_name="ganbench")  # answers, and ends the process
        sys.exit(1)
    output = Output()
    warnings.simplefilter("always", PluginLeftOut)  # however warnings are set: this is said, and no error
    code = _exit_code(argv)
    if reason := output.lost():
        say(f"standard output could not be written ({reason})")
        code = code or UserError.exit_code
    sys.exit(code)


def _exit_code(argv: list[str] | None) -> int:
    """Run the command; the one place where errors become text."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        with terminable() as interrupts:
            result: Any = cli.main(argv, prog_name="ganbench", standalone_mode=False)
    except UserError as error:
        return _told(error, argv)
    except BrokenPlugin as error:
        return _told(UserError(f"the plugin {error}", do="Fix or uninstall it"), argv)
    except click.exceptions.NoArgsIsHelpError as error:
        echo(error.format_message(), err=True)
        return error.exit_code
    except click.ClickException as error:
        _told(UserError(error.format_message()), argv)
        if isinstance(error, click.UsageError) and error.ctx is not None:
            echo(f"Try '{error.ctx.command_path} --help'.", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 75 if interrupts.terminated else 130
    except MemoryError:
        return _told(UserError("there is not enough memory for this"), argv)
    except (Exception, SystemExit) as error:  # no command of ours ends by SystemExit, but foreign code may
        if isinstance(error, OSError) and error.errno in _THE_SYSTEMS:
            where = "" if error.filename is None else os.fsdecode(error.filename)  # writing names no file
            return _told(UserError(str(error.strerror), where=where), argv)
        from benchmark.cli import unexpected

        return _told(UserError(unexpected.told(error, argv)), argv, unexpected.EXIT_CODE)
    return result if isinstance(result, int) else 0


def _told(error: UserError, argv: list[str], exit_code: int | None = None) -> int:
    """Say it on stderr; where JSON is asked for and stdout has none yet, there too. Gives the exit code."""
    code = error.exit_code if exit_code is None else exit_code
    say(str(error))
    if "--json" in argv and not Output.answered:
        about = {"exit_code": code, "what": error.what, "where": error.where, "do": error.do}
        print_json({"error": about})
    return code
