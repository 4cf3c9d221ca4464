"""The page: verdicts on what papers print, scales to read them on, a section for every suite, speeds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from baselines import claims
from benchmark import suites
from benchmark.judging import accepted
from benchmark.judging.against_paper import against_paper
from benchmark.records import throughput
from benchmark.records.cells import group
from benchmark.records.loaded import LoadedRecord
from benchmark.report import markdown, speed
from benchmark.report.committed import anchors, evaluations, questions, undecided, unfinished
from benchmark.report.committed.suite_section import EVALUATIONS, RESULTS, ROOT, UNFINISHED, section
from benchmark.report.verdicts import COMPARABLE, papers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmark.report.table import Table
    from benchmark.report.verdicts import Papers

PAGE = RESULTS / "RESULTS.md"
_REFERENCES = RESULTS / "reference"
_LOSSES, _ANCHORS, _BY_SAMPLES = RESULTS / "losses", RESULTS / "anchors.json", RESULTS / "parzen-samples.json"
_RATES = ROOT / "docs" / "gpu-h100.json"
_SUITES = {
    "dcgan-table3": "A paper's own experiment at its own length, on the real MNIST.",
    "parzen": "A paper's own experiment on the real MNIST, of a length that it does not print. That the "
    "protocol clamps images to 0..1 changes nothing: they are a sigmoid's.",
    "parzen-long": "The same, four times as long: whether it still rises.",
    "parzen-variants": "What that number depends on: the same length, each time with one change; only "
    "Algorithm 1 as printed changes several: the order of updates, fresh noise, and both losses.",
    "parzen-float64": "What float32's rounding is worth: the same from the same initial weights, in float64.",
    "quick": "Five seeds, 400 G-iterations: how each method starts, not which is best.",
    "first-look": "One seed, until one sees digits; unequal budgets are declared, and nothing is ranked.",
    "portable": "One seed, 120 G-iterations, in the profile with equal bits on every machine.",
}


def page() -> str:
    """The whole page."""
    runs = _committed()
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
            others = [run.record for run in runs if run.record["suite"] != name]
            parts += [f"## Suite `{name}`", sentence, *section(name, records, others)]
    parts += unfinished.section(UNFINISHED, runs)
    parts += _questions()
    parts += _speeds()
    return "\n\n".join(parts) + "\n"


def _questions() -> Iterator[str]:
    """Of the suite `digits-questions`, where its runs are committed."""
    if records := accepted.read(_REFERENCES / f"{questions.SUITE}.json"):
        yield f"## Suite `{questions.SUITE}`"
        yield suites.load(questions.SUITE).note
        yield markdown.table(questions.answers(records))
        if found := questions.not_learned(records):
            those = "; ".join(f"{name}, by seed {difference}" for name, difference in found.items())
            yield (
                f"At the budget the mean FID is not below that of untrained generators: {those}. Answers "
                "about these are about how they begin."
            )
        yield markdown.table(questions.correlations(records, _LOSSES))
        yield f"Again: `ganbench run {questions.SUITE}`, and `ganbench losses RUNS` for the correlations."
        yield from section(questions.SUITE, records, ())


def _speeds() -> Iterator[str]:
    """Of `ganbench bench`, where they are accepted."""
    if devices := throughput.read(_REFERENCES / throughput.NAME):
        yield "## Speeds"
        yield "Again, and whether this machine is as fast as one of its model was: `ganbench bench --check`."
        for model, block in sorted(devices.items()):
            yield from map(markdown.table, speed.tables(model, block))


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
    later = evaluations.scored_later(EVALUATIONS, [run.record for run in runs])
    later_cells = group([LoadedRecord(record, EVALUATIONS) for record in later]).cells
    experiments = sorted({c.experiment for c in claims.load() if c.experiment})
    judged = against_paper(cells, experiments)
    decided = [j for j in judged if j.verdict.outcome in COMPARABLE]
    of_later = [j for j in against_paper(later_cells, experiments) if j.verdict.outcome in COMPARABLE]
    done = {j.claim.id for j in (*decided, *of_later)}
    yield from map(markdown.table, _decided(papers(decided, (), cells), papers(of_later, (), later_cells)))
    if not done:
        yield "No committed run is one of a printed number: **no verdict yet.**"
    if later:
        yield evaluations.sentence(later, [run.record for run in runs])
    yield "These were not run, or cannot be compared:"
    yield markdown.table(undecided.table([j for j in judged if j.claim.id not in done], _RATES))
    left = [
        suites.load(name)
        for name in undecided.other_suites()
        if not (_REFERENCES / f"{name}.json").exists() and not (UNFINISHED / name).exists()
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
