"""`ganbench run`: train what is missing, then report."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from benchmark.cli import run_report
from benchmark.cli.options import OneOf, as_json, asked_device, commands, selected, selection
from benchmark.cli.verbosity import check, verbosity
from benchmark.engines import NAMES
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmark.engines.base import Engine
    from benchmark.suites import Suite
    from benchmark.suites.plan import PlannedRun

_FEWEST_DIGITS = 6
_LEAST_S = 0.02
"""Of a G-iteration on one core: half of what the smallest network on MNIST takes."""


@click.command()
@selection
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs at a time, at most; default: one per core, or 1/--gpus-per-run on each GPU.",
)
@click.option(
    "--gpus-per-run",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="SHARE",
    help="Of a GPU for each run; .25 puts four on each. Changes no number.",
)
@click.option(
    "--reuse",
    type=OneOf(["missing", "never", "only"]),
    default="missing",
    show_default=True,
    help="missing: run what has no record; never: run everything again, old runs are set aside; "
    "only: run nothing, report what is there.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="RUN",
    help="Only the runs whose id begins so (`ganbench plan --json` has them); repeatable. For batch systems.",
)
@click.option(
    "--engine",
    "engine_name",
    type=OneOf(NAMES),
    default="local",
    show_default=True,
    help="local: processes on this machine; ray: on every machine of a Ray cluster (docs/scale.md).",
)
@click.option(
    "--address",
    metavar="ADDRESS",
    help="Of the Ray cluster, as HOST:PORT; default: $RAY_ADDRESS, or one that runs here, or a new one here "
    "('local').",
)
@click.option("--fail-fast", is_flag=True, help="Stop everything at the first failed run.")
@click.option(
    "--checkpoint-s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="S",
    help="Seconds between two checkpoints of a run; 'inf' for none but the last.",
)
@click.option(
    "--checkpoint-iters",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="A checkpoint every N G-iterations as well. Neither changes a number.",
)
@click.option(
    "--no-report", is_flag=True, help="Only train and score: of one part of a suite, reported when merged."
)
@verbosity
@as_json
def run(
    suite: str,
    patterns: tuple[str, ...],
    seeds: str | None,
    budget: int | None,
    dataset: str | None,
    numerics: str | None,
    device: str,
    out: Path,
    jobs: int | None,
    gpus_per_run: float,
    reuse: str,
    only: tuple[str, ...],
    engine_name: str,
    address: str | None,
    fail_fast: bool,
    checkpoint_s: float,
    checkpoint_iters: int,
    no_report: bool,
    verbose: bool,
    quiet: bool,
    json_: bool,
) -> int:
    r"""Run SUITE (a name or a .toml file): train, score, report.

    Finished runs are kept, interrupted ones continue where they were: the same command again finishes what
    is missing. Ctrl-C writes a checkpoint of every run and stops. Data sets and weights that are not there
    yet are fetched first, unless --offline.

    \b
    ganbench run                                        the suite 'quick'
    ganbench run quick --experiment 'wgan*' --seeds 0   one seed of two baselines
    ganbench run cifar10 --gpus-per-run .5 --engine ray two runs on each GPU of a cluster
    """
    from benchmark import engines
    from benchmark.cli.results import note_equivalent
    from benchmark.cli.text import note
    from benchmark.engines import base
    from benchmark.records import devices, provenance, store
    from benchmark.suites.plan import plan

    check(verbose, quiet)
    chosen = selected(suite, patterns, seeds, budget, dataset, numerics)
    wish = base.Wish(
        asked_device(chosen, device),
        jobs,
        gpus_per_run,
        address,
        launch=provenance.launch(sys.argv),
        cadence={"wall_s": checkpoint_s, "gen_iters": checkpoint_iters},
    )

    def planned(kind: str) -> list[PlannedRun]:
        return _only(plan(chosen, out, kind, elsewhere=engine_name != "local"), only)

    with nullcontext() if reuse == "only" else engines.opened(engine_name, wish) as engine:
        choice = engine.choice if engine else devices.choose(wish.device)
        places = engine.places if engine else 0
        why_cpu = choice.why_cpu if device == "auto" else ""
        if engine:
            _prepare(chosen, out, why_cpu, places, quiet=quiet)
        runs = planned(choice.kind)
        if not engine and not any(r.state.finished for r in runs):
            raise NothingToJudge(
                f"no finished run of the suite '{chosen.name}'",
                where=str(out),
                do="Run it without --reuse only",
            )
        store.open_folder(out)
        if reuse == "never":
            runs = _set_aside(runs, lambda: planned(choice.kind))
        to_do = [] if not engine else [r for r in runs if not r.state.finished]
        if why_cpu:
            _require_a_word([(r.experiment, r.gen_iters) for r in to_do], places)
        if not quiet:
            note(_announcement(chosen, runs, to_do, places, choice.kind, out))
            note_equivalent(runs)
        try:
            if engine and to_do:
                _execute(to_do, engine, fail_fast=fail_fast, verbose=verbose, quiet=quiet)
        except base.Interrupted as stopped:
            note(f"Stopped. Nothing is lost; to continue: {_command(chosen.name, sys.argv)}")
            return 75 if stopped.terminated else 130
    again = None if no_report else commands(suite, patterns, seeds, budget, dataset, numerics, out)
    return run_report.conclude(chosen, planned(choice.kind), out, again, json_, begun=bool(to_do))


def _prepare(suite: Suite, out: Path, why_cpu: str, places: int, *, quiet: bool) -> None:
    """Fetch what the runs need; of a CPU that nobody asked for, first say why it is one.

    Raises:
        UserError: it would take hours there, or something cannot be fetched.

    """
    from benchmark.cli.text import note
    from benchmark.suites.prepare import prepare

    if why_cpu:
        if not quiet:
            note(f"On the CPU, since {why_cpu}.")
        if not (out / "runs").exists():  # before anything is fetched; where runs are, some may be done
            _require_a_word([(e, suite.budget(e)) for _ in suite.seeds for e in suite.experiments], places)
    prepare(suite, (lambda _: None) if quiet else note)


def _set_aside(runs: list[PlannedRun], planned: Callable[[], list[PlannedRun]]) -> list[PlannedRun]:
    """Set all directories of the runs aside, also those of equivalent sources; the runs, planned again.

    Raises:
        UserError: one of them is running.

    """
    from benchmark.records import store

    if busy := next((r for r in runs if r.state.name == "running"), None):
        raise UserError(f"{busy.label} is running", where=str(busy.directory), do="Wait for it or stop it")
    while there := {r.directory for r in runs if r.directory.exists()}:
        for directory in there:
            store.set_aside(directory)
        runs = planned()
    return runs


def _execute(to_do: list[PlannedRun], engine: Engine, *, fail_fast: bool, verbose: bool, quiet: bool) -> None:
    from benchmark.cli.progress import display
    from benchmark.engines import queue

    with display(to_do, engine.places, quiet=quiet, verbose=verbose) as shown:
        queue.execute(to_do, engine, display=shown, fail_fast=fail_fast)


def _only(runs: list[PlannedRun], wanted: tuple[str, ...]) -> list[PlannedRun]:
    """The runs whose id begins with one of `wanted`; all without any.

    Raises:
        UserError: no run of the suite begins so, or several do.

    """
    for start in wanted:
        fitting = [run.label for run in runs if len(start) >= _FEWEST_DIGITS and run.run_id.startswith(start)]
        if len(fitting) != 1:
            what = (
                f"begins the ids of {', '.join(fitting)}"
                if fitting
                else "begins the id of no run of the suite"
            )
            do = f"Give at least {_FEWEST_DIGITS} digits of an id from `ganbench plan --json`"
            raise UserError(f"'{start}' {what}", where="--only", do=do)
    return [run for run in runs if not wanted or run.run_id.startswith(wanted)]


def _require_a_word(work: list[tuple[str, int]], jobs: int) -> None:
    """Refuse to begin hours of work, by experiment and G-iterations, on a CPU that nobody asked for."""
    from benchmark import data
    from benchmark.suites import experiments

    of_images = [n for name, n in work if not data.is_drawn(experiments.describe(name)["dataset"])]
    hours = sum(of_images) * _LEAST_S / max(jobs, 1) / 3600
    if hours > 1:
        do = "Add --device cpu if that is meant; fewer runs: --experiment, --seeds, --budget"
        raise UserError(f"this takes at least {hours:.0f} h on this CPU", where="--device auto", do=do)


def _announcement(
    suite: Suite, runs: list[PlannedRun], to_do: list[PlannedRun], jobs: int, device: str, out: Path
) -> str:
    finished = sum(r.state.finished for r in runs)
    resumed = sum(r.state.name == "interrupted" and r.state.gen_iters > 0 for r in to_do)
    stale = [r for r in runs if r.state.name == "stale"]
    return (
        f"{suite.name}: {len(runs)} runs in {out} on {device}; {finished} finished, kept as they are; "
        f"{len(to_do)} to do"
        + (f" ({resumed} continued from a checkpoint)" if resumed else "")
        + (f", {min(jobs, len(to_do))} at a time" if to_do else "")
        + (f". {len(stale)} older runs do not count: {stale[0].state.reason}" if stale else "")
        + "."
    )


def _command(suite: str, argv: list[str]) -> str:
    return shlex.join(["ganbench", *argv[1:]]) if len(argv) > 1 else f"ganbench run {suite}"
