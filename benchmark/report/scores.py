"""The final table: one per comparable set of cells."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.evaluation.protocol import NEAREST, WINDOW
from benchmark.judging.comparability import fields
from benchmark.records.cells import Cell, numerics, score, sorted_json
from benchmark.records.loaded import MissingRun
from benchmark.records.quantities import (
    DASH,
    count,
    count_range,
    duration,
    finite,
    metric_name,
    metric_title,
    named_seeds,
    plural,
)
from benchmark.records.summary import decimals_for, mean, summarise
from benchmark.report.table import Row, Table, numbers, words

_OF_PIXELS = {WINDOW: "Parzen window", NEAREST: "nearest-neighbour classifier"}


@dataclass(frozen=True)
class Comparison:
    """Cells whose scores may stand in one column: equal dataset, budget, numerics and protocol."""

    protocol: dict[str, Any]
    dataset: dict[str, Any]
    gen_iters: int
    cells: tuple[Cell, ...]
    numerics: str = "faithful"

    @property
    def name(self) -> str:
        """The protocol's name."""
        return str(self.protocol["name"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics the protocol computes; FID first, so that a narrow page shows it first."""
        return tuple(sorted(self.protocol["metrics"], key=lambda metric: metric != "fid"))

    def real_data(self, metric: str) -> list[float]:
        """Distinct scores of real images under this protocol."""
        values = (
            finite(r["real_data"].get(self.name, {}).get(metric)) for c in self.cells for r in c.records
        )
        return sorted({v for v in values if v is not None})

    def real_data_text(self, metric: str, decimals: int) -> str:
        """`1.93`; `1.93 to 1.95` where they differ even when rounded; a dash where there are none."""
        texts = list(dict.fromkeys(f"{v:.{decimals}f}" for v in self.real_data(metric)))
        return DASH if not texts else texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"

    def final(self, cell: Cell, metric: str) -> list[float]:
        """Scores at the budget of the finished seeds, by seed."""
        return [v for r in cell.finished if (v := score(r["final"], self.name, metric)) is not None]

    def untrained(self, cell: Cell, metric: str) -> list[float]:
        """Scores at 0 of the finished seeds, so that they and `final` speak of the same runs."""
        points = (p for r in cell.finished for p in r["curve"] if p["gen_iters"] == 0)
        return [v for p in points if (v := score(p, self.name, metric)) is not None]

    @property
    def where(self) -> str:
        """`digits`, or `digits in bf16-mixed numerics`."""
        name = str(self.dataset["name"])
        return name if self.numerics == "faithful" else f"{name} in {self.numerics} numerics"

    def describe(self) -> str:
        """Protocol and sizes, with what decides whether two numbers may be compared."""
        p = self.protocol
        digest = f" (weights {p['weights_digest'][:8]})" if p.get("weights_digest") else ""
        splits = f", IS over {plural(p['isc_splits'], 'split')}" if "is" in self.metrics else ""
        size = f", {p['image_size']} px" if p.get("image_size") else ""
        quantised = f", {p['quantisation']}" if p.get("quantisation") else ""
        source = _OF_PIXELS.get(p["extractor"], f"{p['extractor']}{digest}")
        return f"{self.name}: {source}, {self.sample_sizes()} images{splits}{size}{quantised}"

    def in_words(self) -> str:
        """How the scores come about, for the summary."""
        metrics = " and ".join(metric_name(m) for m in self.metrics)
        source = f"{self.protocol['extractor']} features"
        if self.protocol["extractor"] == WINDOW:
            metrics, source = "log-likelihood", "a Parzen window on the pixels"
        elif self.protocol["extractor"] == NEAREST:
            metrics, source = "classification error", "a nearest-neighbour classifier on the pixels"
        return f"{metrics} from {source}, {self.sample_sizes()} images (protocol {self.name})"

    def sample_sizes(self) -> str:
        """`2 000 generated vs 1 000 held-out`."""
        p = self.protocol
        reference = f" vs {count(p['n_reference'])} {p['reference_split']}" if p["n_reference"] else ""
        return f"{count(p['n_generated'])} generated{reference}"


def comparisons(cells: Sequence[Cell]) -> tuple[Comparison, ...]:
    """Every (dataset, budget, numerics, protocol) with its cells, by name and budget."""
    found: dict[tuple[str, str, int, str, str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        spec = cell.first["spec"]
        for protocol in spec["protocols"]:
            key = (
                str(spec["dataset"]["name"]),
                str(protocol["name"]),
                int(cell.first["gen_iters"]),
                str(spec["dataset"]["digest"]),
                numerics(cell.first),
                sorted_json(fields(protocol)),
            )
            found[key].append(cell)
    out = []
    for key in sorted(found):
        spec = found[key][0].first["spec"]
        protocol = next(p for p in spec["protocols"] if sorted_json(fields(p)) == key[-1])
        out.append(Comparison(protocol, spec["dataset"], key[2], tuple(found[key]), key[4]))
    return tuple(out)


def score_table(comparison: Comparison, absent: Sequence[MissingRun] = ()) -> Table:
    """One row per cell, then experiments without any record, then real data as the scale."""
    c = comparison
    decimals = {
        m: decimals_for([x for cell in c.cells for x in c.final(cell, m)] + c.real_data(m)) for m in c.metrics
    }
    columns = words("Experiment", "Seeds (n)")
    for title in map(metric_title, c.metrics):
        columns += numbers("at 0", group=title)
        columns += numbers(f"at {count(c.gen_iters)}", group=title, spread=True)
    columns += numbers("G", "critic", group="Parameters")
    columns += numbers("critic updates", "images seen", "wall time", group="Per run")
    rows = [_cell_row(c, cell, decimals) for cell in c.cells]
    rows += _absent_rows(absent, len(columns), len(c.metrics))
    rows.append(_real_row(c, decimals, len(columns)))
    caption = (
        f"Scores after {count(c.gen_iters)} G-iterations on {c.where}, mean ± sample standard deviation over "
        f"training seeds. Protocol {c.describe()}."
    )
    return Table(caption, columns, tuple(rows), tuple(_notes(c)))


def _cell_row(c: Comparison, cell: Cell, decimals: dict[str, int]) -> Row:
    cells = [cell.label, seeds_text(cell)]
    for metric in c.metrics:
        final = summarise(c.final(cell, metric))
        start = c.untrained(cell, metric)
        cells.append(f"{mean(start):.{decimals[metric]}f}" if start else DASH)
        none = "not scored" if cell.finished else "diverged"
        cells.append(final.text(decimals[metric]) if final else none)
    cells += [count(cell.experiment["parameters"][player]) for player in ("generator", "critic")]
    last = [r["curve"][-1] for r in cell.finished if r["curve"]]
    cells += [count_range(p[k] for p in last) for k in ("critic_updates", "images_seen")]
    walls = [r["timing"]["wall_s"] for r in cell.finished]
    cells.append(duration(mean(walls)) if walls else DASH)
    return Row(tuple(cells), "result" if cell.finished else "absent")


def seeds_text(cell: Cell) -> str:
    """`3`, or `2 of 3 (1 diverged)`."""
    planned = len(cell.records) + len({m.seed for m in cell.missing})
    lost = [f"{len(cell.diverged)} diverged"] if cell.diverged else []
    lost += [f"{n} {state}" for state, n in sorted(Counter(short_state(m) for m in cell.missing).items())]
    return f"{len(cell.finished)} of {planned} ({', '.join(lost)})" if lost else str(planned)


def diverged_notes(cell: Cell) -> list[str]:
    """Of which seeds runs diverged, and when: one sentence, or none."""
    if not cell.diverged:
        return []
    which = ", ".join(
        str(r["seed"]) if r["diverged_at"] is None else f"{r['seed']} (at {count(r['diverged_at'])})"
        for r in cell.diverged
    )
    return [f"{cell.label}: diverged for seed {which}; not part of the mean."]


def short_state(run: MissingRun) -> str:
    """`failed: out of memory …` → `failed`; the whole text stands in the section on what was not run."""
    return run.state.split(":")[0].strip() or "not run"


def _absent_rows(absent: Sequence[MissingRun], width: int, n_metrics: int) -> list[Row]:
    rows = []
    for experiment in sorted({m.experiment for m in absent}):
        own = [m for m in absent if m.experiment == experiment]
        states = sorted({short_state(m) for m in own})
        says = states[0] if len(states) == 1 else "not finished"
        scores = [DASH, says] * n_metrics
        seeds = f"0 of {len({m.seed for m in own})} ({', '.join(states)})"
        rest = [DASH] * (width - 2 - 2 * n_metrics)
        rows.append(Row((experiment, seeds, *scores, *rest), "absent"))
    return rows


def _real_row(c: Comparison, decimals: dict[str, int], width: int) -> Row:
    cells = ["real data", ""]
    for metric in c.metrics:
        cells += ["", c.real_data_text(metric, decimals[metric])]
    return Row((*cells, *[""] * (width - len(cells))), "scale")


def _notes(c: Comparison) -> list[str]:
    notes = [
        "Arrows point to the better direction. “at 0” is the untrained generator (mean over the same seeds). "
        "“real data” scores a disjoint real sample of the same size, for scale."
    ]
    if any(len(cell.finished) == 1 for cell in c.cells):
        notes.append("A value without ± comes from a single seed: nothing is known about its spread.")
    for cell in c.cells:
        notes += diverged_notes(cell)
        for metric in c.metrics:
            bad = [r["seed"] for r in cell.finished if score(r["final"], c.name, metric) is None]
            if bad:
                notes.append(
                    f"{cell.label}: no finite {metric_name(metric)} for {named_seeds(bad)}; "
                    "not part of the mean."
                )
        if len(cell.env_ids) > 1:
            envs = "; ".join(
                f"{e[:8]}: {named_seeds(r['seed'] for r in cell.records if r['env_id'] == e)}"
                for e in cell.env_ids
            )
            notes.append(f"{cell.label}: MIXED ENVIRONMENTS in one mean ({envs}).")
    if len({e for cell in c.cells for e in cell.env_ids}) > 1:
        notes.append("The rows come from more than one environment: their wall times are not comparable.")
    return notes
