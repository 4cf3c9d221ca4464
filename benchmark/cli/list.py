"""`ganbench list`: the registries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from benchmark.cli.options import OneOf, as_json
from benchmark.cli.streams import print_json

if TYPE_CHECKING:
    from benchmark.suites import Suite

KINDS = ("baselines", "experiments", "claims", "suites", "datasets", "protocols")


@click.command("list")
@click.argument("kind", type=OneOf(KINDS), required=False)
@as_json
def list_(kind: str | None, json_: bool) -> None:
    """List baselines, experiments, claims, suites, data sets or protocols; all of them without KIND."""
    kinds = (kind,) if kind else KINDS
    listed = {name: _LISTERS[name]() for name in kinds}
    if json_:
        print_json(listed[kind] if kind else listed)
        return
    from benchmark.cli.text import print_table, print_text

    for i, (name, entries) in enumerate(listed.items()):
        if i:
            print_text("")
        if name == "claims":
            entries = [_abridged(claim) for claim in entries]
        headers = list(entries[0])
        right = [k for k, header in enumerate(headers) if isinstance(entries[0][header], int)]
        rows = [[_cell(value) for value in entry.values()] for entry in entries]
        whole = (0,) if name == "claims" else ()
        print_table(headers, rows, title=name if len(listed) > 1 else "", right=right, whole=whole)


def _cell(value: Any) -> str:
    if value is None:
        return "not printed"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)


def _experiments() -> list[dict[str, Any]]:
    import baselines

    return [
        {
            "experiment": name,
            "title": (e := baselines.described(name))["title"],
            "dataset": e["dataset"],
            "data": _readiness(e["dataset"]),
            "G parameters": e["parameters"]["generator"],
            "critic parameters": e["parameters"]["critic"],
            "paper's G-iterations": "not in the paper"
            if e["budget"]["confidence"] in ("suite", "own")
            else e["budget"]["gen_iters"],
        }
        for name in baselines.names()
    ]


def _readiness(dataset: str) -> str:
    from benchmark import data

    if dataset not in data.names():
        return "cannot be had yet"
    return "ready" if data.is_ready(dataset) else "to be fetched"


def _baselines() -> list[dict[str, Any]]:
    import baselines

    found: dict[str, dict[str, Any]] = {}
    for name in baselines.names():
        experiment = baselines.described(name)
        row = found.setdefault(
            experiment["baseline"],
            {
                "baseline": experiment["baseline"],
                "paper": experiment["paper"]["citation"],
                "arXiv": experiment["paper"]["arxiv"],
                "experiments": [],
            },
        )
        row["experiments"].append(name.split("/", 1)[1])
    return list(found.values())


def _claims() -> list[dict[str, Any]]:
    from baselines import claims

    return [claim.as_dict() for claim in claims.load()]


def _abridged(claim: dict[str, Any]) -> dict[str, Any]:
    from benchmark.cli.text import claim_text, spread_text

    return {
        "claim": claim["id"],
        "experiment": claim["experiment"] or " > ".join(filter(None, (claim["above"], claim["below"]))),
        "metric": claim["metric"],
        "says": claim_text(claim),
        "± is over": spread_text(claim),
        "where": f"{claim['paper']}, {claim['table']}".removesuffix(", "),
        "evidence": f"{claim['provenance']}, {claim['grade']}",
    }


def _suites() -> list[dict[str, Any]]:
    from benchmark import suites

    return [
        {
            "suite": suite.name,
            "title": suite.title,
            "experiments": list(suite.experiments),
            "seeds": list(suite.seeds),
            "G-iterations": suite.gen_iters,
            "protocols": list(suite.protocols),
            "missing": _missing(suite),
        }
        for suite in map(suites.load, suites.names())
    ]


def _missing(suite: Suite) -> list[str]:
    """Commands that get what a suite needs and this machine does not have."""
    import baselines
    from benchmark import data
    from benchmark.evaluation import protocols, weights

    of = (name.partition("+")[0] for name in suite.experiments)  # a variant's data are its experiment's
    sets = dict.fromkeys(suite.dataset or baselines.described(name)["dataset"] for name in of)
    commands = [f"ganbench data fetch {name}" for name in sets if not data.is_ready(name)]
    unresolved = any(protocols.get(name).weights_digest == "" for name in suite.protocols)
    if unresolved and not weights.inception_path().is_file():
        commands.append("ganbench verify-weights")
    return commands


def _datasets() -> list[dict[str, Any]]:
    from benchmark import data

    return [
        {
            "dataset": name,
            "title": (known := data.info(name)).title,
            "shape": "x".join(map(str, known.shape)),
            "train": known.n_train,
            "held-out": known.n_held_out,
            "digest": known.digest[:12],
            "licence": known.licence,
        }
        for name in data.names()
    ]


def _protocols() -> list[dict[str, Any]]:
    from benchmark.evaluation import protocols

    return [
        {
            "protocol": name,
            "title": (p := protocols.get(name)).title,
            "metrics": list(p.metrics),
            "extractor": p.extractor,
            "generated": p.n_generated,
            "reference": f"{p.n_reference} {p.reference_split}" if p.n_reference else p.reference_split,
            "beside papers": "yes" if p.comparable_with_papers else "never",
        }
        for name in protocols.names()
    ]


_LISTERS = {
    "baselines": _baselines,
    "experiments": _experiments,
    "claims": _claims,
    "suites": _suites,
    "datasets": _datasets,
    "protocols": _protocols,
}
