"""`results/RESULTS.md` from what is committed beside it: `python -m benchmark.report.committed`.

References (`results/reference/*.json`) are whole records, so that every number of the page can be computed
again from the repository; a test does. What was not run is listed with the command that would run it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines import claims
from benchmark import suites
from benchmark.judging import accepted
from benchmark.judging.against_paper import against_paper
from benchmark.judging.statistics import interval
from benchmark.records import atomic, throughput
from benchmark.records.cells import group, score
from benchmark.records.loaded import LoadedRecord
from benchmark.records.quantities import DASH, count, count_range, integers, metric_title, plural
from benchmark.records.summary import decimals_for, summarise
from benchmark.report import anchors, changes, evaluations, markdown, questions, speed, undecided, unfinished
from benchmark.report.naming import display_names
from benchmark.report.scores import comparisons, diverged_notes, seeds_text
from benchmark.report.table import Column, Row, Table
from benchmark.report.verdicts import COMPARABLE, papers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmark.records.cells import Cell
    from benchmark.report.scores import Comparison
    from benchmark.report.verdicts import Papers

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "results" / "RESULTS.md"
_REFERENCES, _ANCHORS = ROOT / "results" / "reference", ROOT / "results" / "anchors.json"
_LOSSES, SAMPLES = ROOT / "results" / "losses", ROOT / "results" / "samples"
_EVALUATIONS, _GENERATORS = ROOT / "results" / "evaluations", ROOT / "results" / "generators"
_BY_SAMPLES, _UNFINISHED = ROOT / "results" / "parzen-samples.json", ROOT / "results" / "unfinished"
_RATES = ROOT / "docs" / "gpu-h100.json"
_SUITES = {
    "dcgan-table3": "A paper's own experiment at its own length, on the real MNIST.",
    "parzen": "A paper's own experiment on the real MNIST, of a length that it does not print. That the "
    "protocol clamps images to 0..1 changes nothing: they are a sigmoid's.",
    "parzen-long": "The same, four times as long: whether it still rises.",
    "parzen-variants": "What that number depends on: the same length, each time with one change.",
    "quick": "Five seeds, 400 G-iterations: how each method starts, not which is best.",
    "first-look": "One seed, until one sees digits; unequal budgets are declared, and nothing is ranked.",
    "portable": "One seed, 120 G-iterations, in the profile with equal bits on every machine.",
}
_WITH_CURVE = ("parzen", "parzen-long", "parzen-variants")
"""Suites whose length is ours, so that the page shows how the score went until then."""
_OF_CHANGES = {"parzen-variants": "parzen_ll"}
"""Suites whose experiments each change one thing of the first, with the metric that is compared."""
_CONFIDENCE = 0.95


def page() -> str:
    """The whole page."""
    parts = [
        "# Results",
        "Our numbers are computed from files in this folder by `python -m benchmark.report.committed`, and a "
        "test does so again; the papers' are from `baselines/claims.toml` with their sources, hours from "
        "`docs/gpu-h100.json`. A record has the SHA-256 of its content; `ganbench check SUITE` tells whether "
        "your runs have the same numbers (in another environment: how they start, and by a test over seeds), "
        "`ganbench verify RUN` whether a run can be believed. Where the code of a record was edited since, "
        "`reference/equivalent.json` has the proof that it computes the same bits.",
        "## Against the papers",
        *_against_the_papers(),
        *_anchors(),
    ]
    for name, sentence in _SUITES.items():
        if records := accepted.read(_REFERENCES / f"{name}.json"):
            parts += [f"## Suite `{name}`", sentence, *_suite(name, records)]
    parts += unfinished.section(_UNFINISHED, _committed())
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
    if metric := _OF_CHANGES.get(name):
        others = [run.record for run in _committed() if run.record["suite"] != name]
        suite = suites.load(name)
        yield markdown.table(changes.table(suite, records, others, metric))
        base = [r for r in changes.alike(others, records[0]) if r["experiment"] == suite.experiments[0]]
        scored_otherwise = evaluations.scored_later(_EVALUATIONS, base)
        yield markdown.table(changes.of_scores(base, scored_otherwise, suite.protocols[0], metric))
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
    again = "; ".join(f"`ganbench run {these} && ganbench check {these}`" for these in _again(name, records))
    yield f"Environment {where}. Again: {again}."
    rows = [f"{r['experiment']} seed {r['seed']} `{r['record_sha256'][:12]}`" for r in records]
    yield f"<details><summary>Records</summary>\n\n{', '.join(rows)}\n\n</details>"


def _again(suite: str, records: list[dict[str, Any]]) -> Iterator[str]:
    """The suite with options for these runs and no others; experiments that have other seeds apart."""
    seeds_of: dict[str, set[int]] = {}
    for record in records:
        seeds_of.setdefault(record["experiment"], set()).add(record["seed"])
    for seeds in sorted({tuple(sorted(own)) for own in seeds_of.values()}):
        found = sorted(name for name, own in seeds_of.items() if own == set(seeds))
        others = set(suites.load(suite).experiments) - set(found)
        these = "".join(f" --experiment {name}" for name in found) if others else ""
        yield f"{suite}{these} --seeds {integers(seeds).replace(' ', '').replace('–', '-')}"


def sheet(record: dict[str, Any]) -> Path:
    """Where a run's last sample grid is, if it is committed."""
    return _of(record, SAMPLES, ".png")


def _of(record: dict[str, Any], folder: Path, suffix: str) -> Path:
    """Suites run the same experiment and seed to several budgets."""
    path: Path = folder / record["suite"] / record["experiment"] / f"seed{record['seed']}{suffix}"
    return path


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
    found = [(r, _of(r, _GENERATORS, ".safetensors")) for r in records]
    there = [(r, path) for r, path in found if path.is_file()]
    if there:
        record, path = there[0]
        protocol, experiment = record["spec"]["protocols"][0]["name"], record["experiment"].partition("+")[0]
        yield (
            f"Of {len(there)} of these runs the generator is in `generators/`, and has the scores of its "
            f"record again: `ganbench evaluate {path.relative_to(ROOT)} --experiment {experiment} "
            f"--protocol {protocol} --seed {record['seed']}`."
        )


def _table(c: Comparison) -> Table:
    columns = [
        Column("Experiment"),
        *(Column(text, numeric=True) for text in ("G-iterations", "Critic updates", "Seeds (n)")),
    ]
    for metric in c.metrics:
        columns += [
            Column(f"{metric_title(metric)}, mean ± sd", numeric=True),
            Column("95 % interval of the mean", numeric=True),
        ]
    names = display_names(c.cells)
    rows = [_row(c, cell, names[cell.label]) for cell in c.cells]
    if all(map(c.real_data, c.metrics)):  # of runs scored later there is none
        real = [x for m in c.metrics for x in (c.real_data_text(m, 2), "")]
        rows.append(Row(("real data", "", "", "", *real), "scale"))
    notes = tuple(note for cell in c.cells for note in diverged_notes(cell))
    return Table(f"{c.where}, protocol {c.describe()}.", tuple(columns), tuple(rows), notes)


def _curve(c: Comparison, metric: str) -> Table:
    """The metric at every G-iteration at which the runs were scored, run by run."""
    runs = [record for cell in c.cells for record in cell.finished]
    columns = [Column(f"{r['experiment']} seed {r['seed']}", numeric=True) for r in runs]
    rows = []
    for points in zip(*(r["curve"] for r in runs), strict=True):  # of one suite: all at the same G-iterations
        values = [score(point, c.name, metric) for point in points]
        texts = [DASH if value is None else f"{value:.2f}" for value in values]
        rows.append(Row((count(points[0]["gen_iters"]), *texts)))
    caption = f"{metric_title(metric)} until then, run by run."
    return Table(caption, (Column("G-iterations", numeric=True), *columns), tuple(rows))


def _row(c: Comparison, cell: Cell, name: str) -> Row:
    updates = count_range(r["curve"][-1]["critic_updates"] for r in cell.finished)
    label = f"({cell.label})"  # a name that two cells share has it already
    found = [
        name if name.endswith(label) else f"{name} {label}",
        count(c.gen_iters),
        updates,
        seeds_text(cell),
    ]
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


def _committed() -> list[LoadedRecord]:
    """The runs of the page, but those of the suite of questions."""
    return [
        LoadedRecord(record, _REFERENCES)
        for path in sorted(_REFERENCES.glob("*.json"))
        if path.stem in _SUITES
        for record in accepted.read(path) or ()
    ]


def _against_the_papers() -> Iterator[str]:
    """Verdicts of committed runs on the papers' own experiments; else what was not run."""
    runs = _committed()
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
    yield markdown.table(undecided.table([j for j in judged if j.claim.id not in done], _RATES))
    left = [
        suites.load(name)
        for name in undecided.other_suites()
        if not (_REFERENCES / f"{name}.json").exists() and not (_UNFINISHED / name).exists()
    ]
    if left:
        asked = "; ".join(f"`ganbench run {s.name}` ({'; '.join((s.title, *_length(s.note)))})" for s in left)
        yield f"Nor were these suites, of which no printed number is: {asked}."


def _length(note: str) -> tuple[str, ...]:
    """What a suite's note says of the hours a run takes, e.g. `a run: about 6.5 hours on a CPU core`."""
    return tuple(f"a run: about {said}" for said in re.findall(r"\bAbout ([\d.]+ hours[^.]*)\.", note)[:1])


def _decided(first: Papers, later: Papers) -> tuple[Table, ...]:
    """Their tables; the numbers of both in one."""
    if first.numbers and later.numbers:
        numbers = replace(first.numbers, rows=first.numbers.rows + later.numbers.rows)
        return numbers, *first.tables[1:]
    return first.tables or later.tables


def _anchors() -> Iterator[str]:
    if _ANCHORS.is_file():
        sentence, table = anchors.found(_ANCHORS)
        yield from ("## Scales to read these numbers on", sentence, markdown.table(table))
    if _BY_SAMPLES.is_file():
        sentence, table = anchors.by_samples(_BY_SAMPLES)
        yield from (sentence, markdown.table(table))


if __name__ == "__main__":
    atomic.write_bytes(PAGE, page().encode())
