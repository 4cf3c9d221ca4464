"""`ganbench show`: one entry of a registry, with everything that is known about it."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from benchmark.cli import complete
from benchmark.cli.options import as_json
from benchmark.cli.streams import print_json
from benchmark.errors import UserError, did_you_mean


@click.command()
@click.argument("name", shell_complete=complete.names)
@as_json
def show(name: str, json_: bool) -> None:
    """Show an experiment, a paper (wgan), a suite, data set or protocol.

    For a paper: its algorithm as code, its experiments, and what it and others print about them.

    For an experiment: paper, networks with shapes and parameter counts, hyper-parameters each with its
    source, deviations from the paper, how it is tested, what papers print about it, BibTeX.
    """
    import baselines
    from benchmark import data, suites
    from benchmark.evaluation import protocols

    if name in baselines.names():
        _show_experiment(name, json_)
    elif of_paper := [e for e in baselines.names() if e.split("/")[0] == name]:
        _show_paper(name, of_paper, json_)
    elif name in suites.names() or name.endswith(".toml"):
        _show_suite(name, json_)
    elif name in data.names():
        _show_fields(vars(data.info(name)), json_)
    elif name in protocols.names():
        _show_fields(protocols.get(name).as_dict(), json_)
    else:
        baselines.check_left_out(name)
        papers = dict.fromkeys(e.split("/")[0] for e in baselines.names())
        known = [*papers, *baselines.names(), *suites.names(), *data.names(), *protocols.names()]
        raise UserError(f"unknown name '{name}'", do=did_you_mean(name, known))


def _show_suite(name: str, json_: bool) -> None:
    """The suite, and below it the data set of the same name, if there is one."""
    from benchmark import data, suites

    fields = dataclasses.asdict(suites.load(name))
    also = {"data_set": dataclasses.asdict(data.info(name))} if name in data.names() else {}
    if json_:
        print_json({**fields, **also})
        return
    fields["budgets"] = [
        f"budget of {name}: {own['gen_iters']} ({own['reason']})" for name, own in fields["budgets"].items()
    ]
    fields["gate"] = [f"{key} {value}" for key, value in fields["gate"].items() if value is not None]
    _show_fields(fields, json_)
    for info in also.values():
        _show_fields(info, json_)


def _show_fields(fields: dict[str, Any], json_: bool) -> None:
    if json_:
        print_json(fields)
        return
    from benchmark.cli.text import print_table

    print_table(("what", "value"), [(key, _text(value)) for key, value in fields.items()])


def _show_paper(baseline: str, names: list[str], json_: bool) -> None:
    """What all experiments of a baseline share; the algorithm is that of its best known one."""
    import baselines
    from baselines import claims
    from benchmark.suites import experiments

    described = [baselines.described(name) for name in names]
    known = next((e for e in described if e["headline"]), described[0])
    algorithm = baselines.details(known["name"])["iteration"]
    about = {claim.id: claim.as_dict() for name in names for claim in claims.of(name)}
    fields = {
        "baseline": baseline,
        "paper": known["paper"],
        "experiments": [{key: e[key] for key in ("name", "title", "dataset", "budget")} for e in described],
        "algorithm_of": known["name"],
        "algorithm": algorithm,
        "claims": list(about.values()),
        "bibtex": experiments.bibtex(e["paper"] for e in described),
    }
    if json_:
        print_json(fields)
        return
    from benchmark.cli.text import print_table, print_text
    from benchmark.records.cells import paper_text
    from benchmark.report.described import paper_budget

    print_text(baseline, style="bold")
    print_text(paper_text(known) + "\n")
    rows = [(e["name"], e["title"], e["dataset"], paper_budget(e["budget"])) for e in described]
    print_table(("experiment", "title", "data", "budget"), rows, title="experiments", whole=(0,))
    print_text(f"\none G-iteration of {known['name']}", style="bold")
    print_text(algorithm + "\n")
    _print_claims(fields["claims"])
    print_text("\n" + fields["bibtex"])


def _show_experiment(name: str, json_: bool) -> None:
    import baselines
    from baselines import claims, proofs
    from benchmark.suites import experiments

    e, details = baselines.described(name), baselines.details(name)
    networks, players, iteration = (details[key] for key in ("networks", "players", "iteration"))
    bibtex = experiments.bibtex([e["paper"]])
    about = [claim.as_dict() for claim in claims.of(name)]
    proof = proofs.of(name)
    if json_:
        print_json(
            {
                **e,
                "networks": networks,
                "players": players,
                "iteration": iteration,
                "proof": vars(proof) if proof else None,
                "claims": about,
                "bibtex": bibtex,
            }
        )
        return
    from benchmark.cli.text import print_table, print_text
    from benchmark.records.cells import paper_text
    from benchmark.report.described import paper_budget

    print_text(f"{name}: {e['title']}", style="bold")
    print_text(paper_text(e))
    print_text(e["summary"])
    print_text(
        f"Data: {e['dataset']}{_only(e['train_images'])}, "
        f"networks see {'x'.join(map(str, e['image_shape']))} in {e['image_range']}"
    )
    print_text(paper_budget(e["budget"]) + "\n")
    for part, rows in networks.items():
        _print_network(part, rows, players[part], e["parameters"][part])
    print_table(
        ("optimiser of", "class", "values", "rule"),
        [
            (part, o["class"], o["values"], o["description"])
            for part, o in ((part, players[f"{part}_optimiser"]) for part in networks)
        ],
    )
    print_text("")
    print_text("one generator iteration", style="bold")
    print_text(iteration + "\n")
    _print_settings(e)
    print_text("how it is tested", style="bold")
    print_text(proof.text() if proof else "A third party's experiment: ganbench knows of no golden vectors.")
    print_text("")
    _print_claims(about)
    print_text("\n" + bibtex)


def _print_network(part: str, rows: list[dict[str, Any]], player: dict[str, str], parameters: int) -> None:
    from benchmark.cli.text import print_table, print_text

    print_text(f"{part}: {player['class']}, {_count(parameters)} parameters", style="bold")
    if player["description"]:
        print_text(player["description"])
    print_table(
        ("layer", "kind", "", "output", "parameters", "initial sd"),
        [
            (
                r["layer"],
                r["kind"],
                r["details"],
                _shape(r["output"]),
                _count(r["parameters"]),
                "" if r["initial_sd"] is None else f"{r['initial_sd']:.3g}",
            )
            for r in rows
        ],
        right=(4, 5),
    )
    print_text("")


def _print_settings(e: dict[str, Any]) -> None:
    """Of an experiment: hyper-parameters, and where it deviates from the paper."""
    from benchmark.cli.text import print_table, print_text

    print_table(
        ("setting", "value", "source", "confidence"),
        [(k, _text(v["value"]), v["source"], v["confidence"]) for k, v in e["settings"].items()],
        title="hyper-parameters",
    )
    print_text("")
    print_table(
        ("what", "why", "effect"),
        [(d["what"], d["why"], d["effect"]) for d in e["deviations"]],
        title="deviations from the paper" if e["deviations"] else "no deviations are declared",
    )
    print_text("")


def _print_claims(about: list[dict[str, Any]]) -> None:
    from benchmark.cli.text import claim_text, print_table, spread_text

    print_table(
        ("metric", "claim", "± is over", "where", "stated by", "grade", "note"),
        [
            (
                c["metric"],
                claim_text(c),
                spread_text(c),
                f"{c['paper']}, {c['table']}: {c['row']}".rstrip(":, "),
                c["stated_by"],
                f"{c['provenance']}, {c['grade']}",
                c["note"],
            )
            for c in about
        ],
        title="what papers print about it" if about else "no claims about it are recorded",
    )


def _only(train_images: int) -> str:
    return f" (the first {_count(train_images)} training images)" if train_images else ""


def _count(n: int) -> str:
    return f"{n:,}".replace(",", " ")


def _shape(shape: list[int]) -> str:
    return "x".join(map(str, shape))


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
