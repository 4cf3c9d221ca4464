"""`ganbench budgets`: how long the papers trained, in G-iterations."""

from __future__ import annotations

from typing import Any

import click

from benchmark.cli.options import as_json, print_json


@click.command()
@click.argument("patterns", nargs=-1, metavar="[GLOB...]")
@as_json
def budgets(patterns: tuple[str, ...], json_: bool) -> None:
    r"""Show each experiment's G-iterations with the arithmetic and the source, and what follows from them.

    Where the paper prints no training length, it says so. Critic updates and real minibatches come from the
    experiment's own schedule; real images count every minibatch as full, also an epoch's short last one.

    \b
    ganbench budgets
    ganbench budgets 'wgan*'
    """
    import baselines
    from benchmark.suites import experiments

    names = baselines.names()
    chosen = experiments.matching(patterns, names, "budgets") if patterns else names
    rows = [_row(name) for name in chosen]
    if json_:
        print_json(rows)
        return
    from benchmark.cli.text import print_table
    from benchmark.records.quantities import count

    def shown(row: dict[str, Any], key: str) -> str:
        if row[key] is not None:
            return count(row[key])
        return "suite's" if row["confidence"] == "suite" else "not printed"

    counted = ("gen_iters", "critic_updates", "real_minibatches", "real_images")
    print_table(
        (
            "experiment",
            "G-iterations",
            "critic updates",
            "real minibatches",
            "real images",
            "arithmetic",
            "source",
            "confidence",
        ),
        [
            (
                row["experiment"],
                *(shown(row, key) for key in counted),
                *(row[key] for key in ("arithmetic", "source", "confidence")),
            )
            for row in rows
        ],
        right=(1, 2, 3, 4),
    )


def _row(name: str) -> dict[str, Any]:
    import baselines

    budget = baselines.described(name)["budget"]
    gen_iters = budget["gen_iters"]
    row: dict[str, Any] = {
        "experiment": name,
        "gen_iters": gen_iters,
        "critic_updates": None,
        "real_minibatches": None,
        "real_images": None,
        "batch": baselines.described(name)["settings"]["batch"]["value"],
        **{key: budget[key] for key in ("arithmetic", "source", "confidence")},
    }
    if gen_iters is not None:
        experiment = baselines.get(name)
        row["critic_updates"] = experiment.critic_updates(experiment.settings, gen_iters)
        row["real_minibatches"] = experiment.real_batches(experiment.settings, gen_iters)
        row["real_images"] = row["real_minibatches"] * row["batch"]
    return row
