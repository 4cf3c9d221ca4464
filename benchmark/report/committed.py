"""`results/RESULTS.md` from what is committed beside it: `python -m benchmark.report.committed`.

References (`results/reference/*.json`) are whole records, so that every number of the page can be computed
again from the repository; a test does. What was not run is listed with the command that would run it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import baselines
from baselines import claims
from benchmark import suites
from benchmark.evaluation import protocols
from benchmark.judging import accepted
from benchmark.judging.against_paper import against_paper
from benchmark.judging.statistics import interval
from benchmark.records import atomic, throughput
from benchmark.records.cells import group, score
from benchmark.records.loaded import LoadedRecord
from benchmark.records.quantities import DASH, count, integers, metric_title, plural
from benchmark.records.summary import decimals_for, summarise
from benchmark.report import evaluations, markdown, questions, speed
from benchmark.report.naming import display_names
from benchmark.report.scores import comparisons
from benchmark.report.table import Column, Row, Table
from benchmark.report.verdicts import COMPARABLE, papers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmark.judging.against_paper import Judged
    from benchmark.records.cells import Cell
    from benchmark.report.scores import Comparison
    from benchmark.report.verdicts import Papers

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "results" / "RESULTS.md"
_REFERENCES, _ANCHORS = ROOT / "results" / "reference", ROOT / "results" / "anchors.json"
_LOSSES, SAMPLES = ROOT / "results" / "losses", ROOT / "results" / "samples"
_EVALUATIONS, _GENERATORS = ROOT / "results" / "evaluations", ROOT / "results" / "generators"
_RATES = ROOT / "docs" / "gpu-h100.json"
_SUITES = {
    "dcgan-table3": "A paper's own experiment at its own length, on the real MNIST. Two seeds.",
    "parzen": "A paper's own experiment on the real MNIST, of a length that it does not print. Two seeds.",
    "quick": "Five seeds, 400 G-iterations: how each method starts, not which is best.",
    "first-look": "One seed, until one sees digits; unequal budgets are declared, and nothing is ranked.",
    "portable": "One seed, 120 G-iterations, in the profile with equal bits on every machine.",
}
_WITH_CURVE = ("parzen",)
"""Suites whose length is ours, so that the page shows how the score went until then."""
_CONFIDENCE = 0.95


def page() -> str:
    """The whole page."""
    parts = [
        "# Results",
        "Every number here is computed from files in this folder by `python -m benchmark.report.committed`, "
        "and a test does so again. A record has the SHA-256 of its content; `ganbench check SUITE` tells "
        "whether your runs have the same numbers, `ganbench verify RUN` whether a run can be believed.",
        "## Against the papers",
        *_against_the_papers(),
        *_anchors(),
    ]
    for name, sentence in _SUITES.items():
        if records := accepted.read(_REFERENCES / f"{name}.json"):
            parts += [f"## Suite `{name}`", sentence, *_suite(name, records)]
    parts += _questions()
    parts += _speeds()
    return "\n\n".join(parts) + "\n"


def _questions() -> Iterator[str]:
    """Of the suite `digits-questions`, where its runs are committed."""
    if records := accepted.read(_REFERENCES / f"{questions.SUITE}.json"):
        yield f"## Suite `{questions.SUITE}`"
        yield suites.load(questions.SUITE).note
        yield markdown.table(questions.answers(records))
        if names := ", ".join(questions.not_learned(records)):
            yield (
                f"Not below the FID of untrained generators at the budget: {names}. Answers about these are "
                "about how they begin."
            )
        yield markdown.table(questions.correlations(records, _LOSSES))
        yield f"Again: `ganbench run {questions.SUITE}`, and `ganbench losses RUNS` for the correlations."
        yield from _suite(questions.SUITE, records)


def _speeds() -> Iterator[str]:
    """Of `ganbench bench`, where they are accepted."""
    if devices := throughput.read(_REFERENCES / throughput.NAME):
        yield "## Speeds"
        yield "Again, and whether this machine is as fast as one of its model was: `ganbench bench --check`."
        for model, block in sorted(devices.items()):
            yield from map(markdown.table, speed.tables(model, block))


def _suite(name: str, records: list[dict[str, Any]]) -> Iterator[str]:
    cells = group([LoadedRecord(record, _REFERENCES) for record in records]).cells
    seeds = integers(sorted({record["seed"] for record in records})).replace(" ", "")
    for c in comparisons(cells):
        yield markdown.table(_table(c))
        if name in _WITH_CURVE:
            yield from (markdown.table(_curve(c, metric)) for metric in c.metrics)
    later = evaluations.scored_later(_EVALUATIONS, records)
    for c in comparisons(group([LoadedRecord(record, _EVALUATIONS) for record in later]).cells):
        yield markdown.table(_table(c))
    yield from _pictures(records)
    yield from _generators(records)
    environments = sorted({(r["env_id"][:8], _machine(r)) for r in records})
    where = "; ".join(f"`{env}`: {machine}" for env, machine in environments)
    yield f"Environment {where}. Again: `ganbench run {name} --seeds {seeds} && ganbench check {name}`."
    rows = [f"{r['experiment']} seed {r['seed']} `{r['record_sha256'][:12]}`" for r in records]
    yield f"<details><summary>Records</summary>\n\n{', '.join(rows)}\n\n</details>"


def sheet(record: dict[str, Any]) -> Path:
    """Where a run's last sample grid is, if it is committed."""
    return SAMPLES / str(record["experiment"]) / f"seed{record['seed']}.png"


def beside_training_images(record: dict[str, Any]) -> Path:
    """Where a run's samples beside the training images closest to them are, if they are committed."""
    return sheet(record).with_stem(f"seed{record['seed']}-neighbours")


def _pictures(records: list[dict[str, Any]]) -> Iterator[str]:
    for which, says in (
        (sheet, "Samples at the end of each run, not chosen:"),
        (
            beside_training_images,
            "Further samples, not chosen, each row's last beside the training image closest to it (`ganbench "
            "sample RUN --neighbours`; Figure 2 of the GAN paper has this arrangement):",
        ),
    ):
        found = [
            f"![{r['experiment']}, seed {r['seed']}]({which(r).relative_to(PAGE.parent)})"
            for r in records
            if which(r).is_file()
        ]
        if found:
            yield says + "\n\n" + "\n".join(found)


def _generators(records: list[dict[str, Any]]) -> Iterator[str]:
    """How to score the committed ones again."""
    found = [(r, _GENERATORS / r["experiment"] / f"seed{r['seed']}.safetensors") for r in records]
    there = [(r, path) for r, path in found if path.is_file()]
    if there:
        record, path = there[0]
        protocol, experiment = record["spec"]["protocols"][0]["name"], record["experiment"].partition("+")[0]
        yield (
            f"Generators of {len(there)} of these runs are in `generators/`, and have the scores of their "
            f"records again: `ganbench evaluate {path.relative_to(ROOT)} --experiment {experiment} "
            f"--protocol {protocol} --seed {record['seed']}`."
        )


def _table(c: Comparison) -> Table:
    columns = [Column("Experiment"), Column("G-iterations", numeric=True), Column("Seeds (n)", numeric=True)]
    for metric in c.metrics:
        columns += [
            Column(f"{metric_title(metric)}, mean ± sd", numeric=True),
            Column("95 % interval of the mean", numeric=True),
        ]
    names = display_names(c.cells)
    rows = [_row(c, cell, names[cell.label]) for cell in c.cells]
    if all(map(c.real_data, c.metrics)):  # of runs scored later there is none
        real = [x for m in c.metrics for x in (f"{c.real_data(m)[0]:.2f}", "")]
        rows.append(Row(("real data", "", "", *real), "scale"))
    return Table(f"{c.where}, protocol {c.describe()}.", tuple(columns), tuple(rows))


def _curve(c: Comparison, metric: str) -> Table:
    """The metric at every G-iteration at which the runs were scored, run by run."""
    runs = [record for cell in c.cells for record in cell.finished]
    columns = [Column(f"{r['experiment']} seed {r['seed']}", numeric=True) for r in runs]
    rows = []
    for points in zip(*(r["curve"] for r in runs), strict=True):  # one cell: all at the same G-iterations
        values = [score(point, c.name, metric) for point in points]
        texts = [DASH if value is None else f"{value:.2f}" for value in values]
        rows.append(Row((count(points[0]["gen_iters"]), *texts)))
    caption = f"{metric_title(metric)} until then, run by run."
    return Table(caption, (Column("G-iterations", numeric=True), *columns), tuple(rows))


def _row(c: Comparison, cell: Cell, name: str) -> Row:
    found = [f"{name} ({cell.label})", count(c.gen_iters), str(len(cell.finished))]
    for metric in c.metrics:
        values = c.final(cell, metric)
        spread, decimals = summarise(values), decimals_for(values)
        found.append(spread.text(decimals) if spread else DASH)
        if spread and spread.sd is not None:
            n = len(values)
            ends = interval(spread.mean, spread.sd / n**0.5, n - 1, _CONFIDENCE)
            found.append(f"{ends.low:.{decimals}f} to {ends.high:.{decimals}f}")
        else:
            found.append(DASH)
    return Row(tuple(found))


def _machine(record: dict[str, Any]) -> str:
    found = record["provenance"]["environment"]
    threads = plural(found["threads"], "thread")
    return f"{found['device']}, {found['machine']}, torch {found['torch']}, {threads}"


def _against_the_papers() -> Iterator[str]:
    """Verdicts of committed runs on the papers' own experiments; else what was not run."""
    runs = [
        LoadedRecord(record, _REFERENCES)
        for path in sorted(_REFERENCES.glob("*.json"))
        if path.stem in _SUITES
        for record in accepted.read(path) or ()
    ]
    cells = group(runs).cells
    later = evaluations.scored_later(_EVALUATIONS, [run.record for run in runs])
    later_cells = group([LoadedRecord(record, _EVALUATIONS) for record in later]).cells
    experiments = sorted({c.experiment for c in claims.load() if c.experiment})
    judged = against_paper(cells, experiments)
    decided = [j for j in judged if j.verdict.outcome in COMPARABLE]
    of_later = [j for j in against_paper(later_cells, experiments) if j.verdict.outcome in COMPARABLE]
    done = {j.claim.id for j in (*decided, *of_later)}
    yield from map(markdown.table, _decided(papers(decided, (), cells), papers(of_later, (), later_cells)))
    if not done:
        yield "No committed run is one of a printed number: **no verdict yet.**"
    if later:
        yield evaluations.sentence(later)
    yield "These were not run, or cannot be compared:"
    rates = json.loads(_RATES.read_text(encoding="utf-8"))
    columns = (
        Column("Experiment"),
        Column("Printed in"),
        Column("Value", numeric=True),
        Column("G-iterations", numeric=True),
        Column("Hours a seed", numeric=True),
        Column("Command"),
    )
    rows = [
        _claim_row(j, rates["experiments"])
        for j in judged
        if j.claim.kind == "value" and j.claim.experiment and j.claim.id not in done
    ]
    caption = (
        f"Hours: training alone at the rate measured on one {rates['gpu']} (docs/gpu.md); {DASH} where none "
        "was measured or the paper prints no length."
    )
    yield markdown.table(Table(caption, columns, tuple(rows)))


def _decided(first: Papers, later: Papers) -> tuple[Table, ...]:
    """Their tables; the numbers of both in one."""
    if first.numbers and later.numbers:
        numbers = replace(first.numbers, rows=first.numbers.rows + later.numbers.rows)
        return numbers, *first.tables[1:]
    return first.tables or later.tables


def _claim_row(judged: Judged, rates: dict[str, Any]) -> Row:
    """Of a claim that no committed run decides; such runs may be there, and scored by another protocol."""
    claim, verdict = judged.claim, judged.verdict
    budget = baselines.described(claim.experiment)["budget"]["gen_iters"]
    rate = rates.get(claim.experiment)
    hours = f"{budget / rate['gen_iters_per_s'][1] / 3600:.2g}" if budget and rate else DASH
    suite = _suite_of(claim.experiment)
    command = f"ganbench run {suite} --experiment {claim.experiment}" if suite else DASH
    if verdict.outcome != "missing":
        wanted = _protocol_of(claim)
        is_left = wanted not in (DASH, verdict.protocol)
        hours = DASH
        command = f"ganbench evaluate RUN --protocol {wanted}" if is_left else f"trained; {verdict.reason}"
    where = f"{claim.paper}, {claim.table}: {claim.row}"
    return Row((claim.experiment, where, claim.printed, count(budget) if budget else DASH, hours, command))


def _suite_of(experiment: str) -> str:
    return next((name for name in suites.names() if experiment in suites.load(name).experiments), "")


def _protocol_of(claim: claims.Claim) -> str:
    """The one that generates as many images as the claim, for its metric."""
    found = (protocols.get(name) for name in protocols.names())
    wanted = claim.protocol.n_generated
    return next((p.name for p in found if p.n_generated == wanted and claim.metric in p.metrics), DASH)


def _anchors() -> Iterator[str]:
    if not _ANCHORS.is_file():
        return
    found = json.loads(_ANCHORS.read_text(encoding="utf-8"))
    k = found["k_means"]
    clusters = f"{count(k['centroids'])} of the first {count(k['images'])} images"
    yield "## Protocols without a GAN"
    yield (
        "What the protocols on MNIST say of real training images in place of generated ones, and of k-means "
        f"centroids ({clusters}, {k['lloyd_iterations']} of Lloyd's iterations). A number of a generator is "
        "to be read beside them: Theis et al. (2016) state 243 nats for the true distribution and, "
        "unconfirmed, 313 for centroids; the DCGAN paper 3.1 % for real data. Again: "
        "`python -m benchmark.evaluation.anchors`."
    )
    rows = []
    for whose, scores in (
        ("real training images", found["real_training_images"]),
        ("k-means centroids", k["scores"]),
    ):
        for protocol, values in scores.items():
            text = [
                f"{metric_title(m)} {v:.2f}"
                for m, v in values.items()
                if m in ("parzen_ll", "classification_error")
            ]
            rows.append(Row((whose, protocol, ", ".join(text))))
    caption = f"MNIST {found['dataset']['sha256'][:12]}…"
    columns = (Column("Images"), Column("Protocol"), Column("Score", numeric=True))
    yield markdown.table(Table(caption, columns, tuple(rows)))


if __name__ == "__main__":
    atomic.write_bytes(PAGE, page().encode())
