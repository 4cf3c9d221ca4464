"""What a notebook shows of an experiment and of scores."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from benchmark.records.cells import paper_text
from benchmark.records.quantities import metric_with_unit
from benchmark.report.described import paper_budget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def experiment(about: Mapping[str, Any]) -> str:
    """Paper, networks, settings with sources, deviations; `about` is described with its details."""
    shape = "×".join(map(str, about["image_shape"]))
    networks = "".join(
        f"<details><summary>{part}: {escape(about['players'][part]['class'])}, "
        f"{about['parameters'][part]:,} parameters</summary>"
        + _table(
            ("layer", "kind", "", "output", "parameters"),
            [
                (r["layer"], r["kind"], r["details"], "×".join(map(str, r["output"])), f"{r['parameters']:,}")
                for r in rows
            ],
        )
        + "</details>"
        for part, rows in about["networks"].items()
    )
    settings = [(k, _plain(v["value"]), v["source"], v["confidence"]) for k, v in about["settings"].items()]
    deviations = [(d["what"], d["why"], d["effect"]) for d in about["deviations"]]
    return (
        f"<h4>{escape(about['name'])}: {escape(about['title'])}</h4>"
        f"<p>{escape(paper_text(dict(about)))}<br>{escape(about['summary'])}<br>"
        f"Data: {escape(about['dataset'])}, networks see {shape} in {about['image_range']}<br>"
        f"{escape(paper_budget(about['budget']))}</p>"
        + networks
        + _table(("setting", "value", "source", "confidence"), settings)
        + (_table(("deviation", "why", "effect"), deviations) if deviations else "")
    )


def result(
    scores: Mapping[str, Mapping[str, float]],
    protocols: Mapping[str, Mapping[str, Any]],
    data: str,
    images: Mapping[str, Any],
) -> str:
    """A row per protocol and metric, then what a reader must know of each protocol."""
    rows = [
        (
            name,
            metric_with_unit(metric),
            f"{value:.6g}",
            "yes" if protocols[name]["comparable_with_papers"] else "never",
        )
        for name, metrics in scores.items()
        for metric, value in metrics.items()
    ]
    known = ", ".join(f"{key} {value}" for key, value in images.items())
    notes = "".join(f"<br>{escape(name)}: {escape(protocols[name]['note'])}" for name in scores)
    return (
        _table(("protocol", "score", "value", "beside papers"), rows)
        + f"<p>Compared with {escape(data)}; {escape(known)}{notes}</p>"
    )


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(header)}</th>" for header in headers)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
