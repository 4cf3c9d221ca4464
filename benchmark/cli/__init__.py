"""The command `ganbench`. Each verb is a module here; heavy imports wait until a verb needs them."""

from __future__ import annotations

import sys
from typing import Any

import click

from baselines import BrokenPlugin
from benchmark import __version__
from benchmark.cli.accept import accept
from benchmark.cli.budgets import budgets
from benchmark.cli.check import check
from benchmark.cli.cite import cite
from benchmark.cli.compare import compare
from benchmark.cli.data import data
from benchmark.cli.env import env
from benchmark.cli.evaluate import evaluate
from benchmark.cli.list import list_
from benchmark.cli.losses import losses
from benchmark.cli.plan import plan
from benchmark.cli.report import report
from benchmark.cli.run import run
from benchmark.cli.sample import sample
from benchmark.cli.show import show
from benchmark.cli.status import status
from benchmark.cli.verify import verify
from benchmark.cli.verify_weights import verify_weights
from benchmark.errors import UserError, did_you_mean


def _with_line_breaks(command: click.Command) -> click.Command:
    """Turn backslash-b of raw docstrings into what click takes for "keep these lines"; also below groups."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for below in getattr(command, "commands", {}).values():
        _with_line_breaks(below)
    return command


class _Group(click.Group):
    """A group that names the closest verb when a verb is unknown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            raise UserError(f"unknown command '{args[0]}'", do=did_you_mean(args[0], self.commands)) from None


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all is well, 1 a check failed, 2 usage or configuration, "
    "3 a run failed or diverged, 4 nothing to work on, 130 interrupted.",
)
@click.version_option(__version__, prog_name="ganbench")
def cli() -> None:
    r"""GAN reproducibility benchmark: five paper-faithful baselines, fixed seeds, fixed budgets.

    \b
    ganbench run                    train the suite 'quick' (five baselines, three seeds) and report
    ganbench plan quick             what that would do, without doing it
    ganbench show wgan_gp/digits    one experiment: networks, settings with sources, deviations
    ganbench check quick            whether the runs are still what was accepted, or what papers print
    ganbench verify results         whether the records there can be believed
    """


for command in (
    run,
    plan,
    status,
    report,
    check,
    accept,
    compare,
    list_,
    show,
    budgets,
    cite,
    verify,
    evaluate,
    sample,
    losses,
    data,
    verify_weights,
    env,
):
    cli.add_command(command)
_with_line_breaks(cli)


def main(argv: list[str] | None = None) -> None:
    """Entry point; user errors become one line on stderr and an exit code, never a traceback."""
    try:
        result: Any = cli.main(argv, prog_name="ganbench", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except UserError as error:
        click.echo(f"ganbench: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPlugin as error:
        click.echo(f"ganbench: the plugin {error}. Fix or uninstall it", err=True)
        sys.exit(2)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"ganbench: {error.format_message()}", err=True)
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"Try '{error.ctx.command_path} --help'.", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone; that is no error of ours.
        sys.stderr.close()
        sys.exit(0)
