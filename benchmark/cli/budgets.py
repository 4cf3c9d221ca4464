"""`ganbench budgets`: how long the papers trained, in G-iterations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from benchmark.cli import complete
from benchmark.cli.options import as_json
from benchmark.cli.streams import echo, print_json

if TYPE_CHECKING:
    from baselines.budgets import PaperRun


@click.command()
@click.argument("patterns", nargs=-1, metavar="[GLOB...]", shell_complete=complete.experiments)
@as_json
def budgets(patterns: tuple[str, ...], json_: bool) -> None:
    r"""Show the G-iterations of every experiment of the papers, with the arithmetic and the source.

    Where the paper prints no training length, it says so. Critic updates and real minibatches come from the
    experiment's own schedule; real images count every minibatch as full, also an epoch's short last one. A
    second table has the papers' experiments that are not implemented here.

    \b
    ganbench budgets
    ganbench budgets 'wgan*'
    """
    import baselines
    from baselines.budgets import not_implemented
    from benchmark.suites import experiments

    others = {run.name: run for run in not_implemented()}
    papers = [name for name in baselines.names() if baselines.variant(name) is None]
    names = (*papers, *others)
    chosen = experiments.matching(patterns, names, "budgets") if patterns else names
    rows = [_other_row(others[name]) if name in others else _row(name) for name in chosen]
    if json_:
        print_json(rows)
        return
    here = [row for row in rows if row["implemented"]]
    elsewhere = [row for row in rows if not row["implemented"]]
    if here:
        _print_implemented(here)
    if here and elsewhere:
        echo()
    if elsewhere:
        _print_not_implemented(elsewhere)


def _print_implemented(rows: list[dict[str, Any]]) -> None:
    from benchmark.cli.text import print_table

    counted = ("gen_iters", "critic_updates", "real_minibatches", "real_images")
    print_table(
        (
            "experiment",
            "G-iterations",
            "critic updates",
            "real minibatches",
            "real images",
            "stands for",
            "arithmetic",
            "source",
            "confidence",
        ),
        [
            (row["experiment"], *(_count(row, key) for key in counted), _where(row), *_words(row))
            for row in rows
        ],
        right=(1, 2, 3, 4),
        whole=(0,),
    )


def _print_not_implemented(rows: list[dict[str, Any]]) -> None:
    from benchmark.cli.text import print_table

    print_table(
        ("experiment", "G-iterations", "what", "where", "arithmetic", "source", "confidence"),
        [
            (row["experiment"], _count(row, "gen_iters"), row["title"], _where(row), *_words(row))
            for row in rows
        ],
        title="not implemented here",
        right=(1,),
        whole=(0,),
    )


def _count(row: dict[str, Any], key: str) -> str:
    from benchmark.records.quantities import count

    if row[key] is not None:
        return count(row[key])
    return "suite's" if row["confidence"] in ("suite", "own") else "not printed"


def _where(row: dict[str, Any]) -> str:
    from benchmark.report.sources import short

    return f"{short(row['paper'])}: {', '.join(row['where'])}" if row["where"] else ""


def _words(row: dict[str, Any]) -> tuple[str, ...]:
    return row["arithmetic"], row["source"], row["confidence"]


def _row(name: str) -> dict[str, Any]:
    """Of a registered experiment."""
    import baselines
    from baselines.budgets import implemented

    described = baselines.described(name)
    budget = described["budget"]
    paper, where = implemented().get(name, (described["paper"]["key"], ()))
    row: dict[str, Any] = {
        "experiment": name,
        "implemented": True,
        "title": described["title"],
        "paper": paper,
        "where": where,
        "gen_iters": budget["gen_iters"],
        "critic_updates": None,
        "real_minibatches": None,
        "real_images": None,
        "batch": described["settings"]["batch"]["value"],
        **{key: budget[key] for key in ("arithmetic", "source", "confidence")},
    }
    if counted := baselines.details(name)["counted"]:
        row |= counted
        row["real_images"] = row["real_minibatches"] * row["batch"]
    return row


def _other_row(run: PaperRun) -> dict[str, Any]:
    """Of one that is not implemented: what follows from its schedule is not known here."""
    fields = dict(vars(run))
    unknown = dict.fromkeys(("critic_updates", "real_minibatches", "real_images", "batch"))
    return {"experiment": fields.pop("name"), "implemented": False, **fields, **unknown}
