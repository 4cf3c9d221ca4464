"""How fast a machine trains, generates and scores, as `ganbench bench` measured it."""

from collections.abc import Container, Mapping
from typing import Any

from benchmark.records.quantities import DASH, count
from benchmark.report.table import Row, Table, numbers, words

_NOTE = (
    "Median over rounds, with the quartiles in parentheses; on a CPU per second of the process, on its one "
    "thread. Roof: the part of the time that the work's convolutions and matrix products would take at the "
    "rate of large ones, measured in turns with it. Start-up: of a process of its own."
)


def tables(model: str, block: Mapping[str, Any], shown: Container[str] | None = None) -> tuple[Table, ...]:
    """One of experiments and one of protocols, where there are any.

    Args:
        model: the device's name.
        block: what `records.throughput` has of it.
        shown: names of experiments and protocols; all without.

    """
    rows = [
        Row.of(
            name,
            *_rate(entry["gen_iters"]),
            *_rate(entry["generated_images"]),
            f"{entry['start_cpu_s']:.1f}",
        )
        for name, entry in block["experiments"].items()
        if shown is None or name in shown
    ]
    columns = (
        *words("Experiment"),
        *numbers("per second", "roof", group="G-iterations"),
        *numbers("per second", "roof", group="Generated images"),
        *numbers("Start-up, CPU s"),
    )
    found = [Table(f"Speed on {model}.", columns, tuple(rows), (_NOTE,))] if rows else []
    scored = [
        Row((name, *_rate(entry["scored_images"])))
        for name, entry in block["protocols"].items()
        if "scored_images" in entry and (shown is None or name in shown)
    ]
    if scored:
        of_protocols = *words("Protocol"), *numbers("per second", "roof", group="Scored images")
        found.append(Table(f"Networks of protocols on {model}.", of_protocols, tuple(scored)))
    return tuple(found)


def _rate(measured: Mapping[str, Any]) -> tuple[str, str]:
    low, middle, high = map(_number, measured["per_s"])
    share = measured["share_of_roof"][1]
    return f"{middle} ({low}–{high})", f"{100 * share:.0f} %" if share else DASH


def _number(value: float) -> str:
    return count(value) if value >= 100 else f"{value:.3g}"
