"""The section of a suite: tables of its committed runs, their samples, what makes them again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import suites
from benchmark.judging.statistics import interval
from benchmark.records import identity
from benchmark.records.cells import group
from benchmark.records.loaded import LoadedRecord
from benchmark.records.quantities import DASH, count, count_range, integers, metric_title, named_seeds, plural
from benchmark.records.summary import decimals_for, summarise
from benchmark.report import markdown
from benchmark.report.committed import changes, evaluations, unfinished
from benchmark.report.naming import display_names
from benchmark.report.remarks import collapsed
from benchmark.report.scores import comparisons, diverged_notes, seeds_text
from benchmark.report.table import Row, Table, numbers, words
from benchmark.report.traces import curve_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmark.records.cells import Cell
    from benchmark.report.scores import Comparison

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results"
SAMPLES, EVALUATIONS, UNFINISHED = RESULTS / "samples", RESULTS / "evaluations", RESULTS / "unfinished"
_WITH_CURVE = ("parzen", "parzen-long", "parzen-float64", "parzen-variants")
"""Suites whose length is ours, so that the page shows how the score went until then."""
_OF_CHANGES = {"parzen-variants": "parzen_ll"}
"""Suites whose experiments each change one thing of the first, with the metric that is compared."""
_BESIDE = {"parzen-float64": "gan/mnist"}
"""Suites that end before others do, with the experiment of those that theirs changes in one thing."""
_LONGER = {"parzen-long": "parzen"}
"""Suites that go on where another ends."""
_CONFIDENCE = 0.95


def section(name: str, records: list[dict[str, Any]], others: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the page says of a suite's runs, below its heading; `others` are runs of other suites."""
    cells = group([LoadedRecord(record, RESULTS) for record in records]).cells
    if metric := _OF_CHANGES.get(name):
        suite = suites.load(name)
        yield markdown.table(changes.table(suite, records, others, metric))
        base = [r for r in changes.alike(others, records[0]) if r["experiment"] == suite.experiments[0]]
        scored_otherwise = evaluations.scored_later(EVALUATIONS, base)
        yield markdown.table(changes.of_scores(base, scored_otherwise, suite.protocols[0], metric))
    for c in comparisons(cells):
        yield markdown.table(_table(c))
        finished = [record for cell in c.cells for record in cell.finished]
        if (base_name := _BESIDE.get(name)) and finished:
            yield markdown.table(
                changes.of_runs_on_the_way(finished, others, base_name, c.name, c.metrics[0])
            )
        if shorter := _LONGER.get(name):
            budget = int(suites.load(shorter).gen_iters)
            begun = _begun(name, finished)
            yield markdown.table(changes.of_length(finished, begun, budget, c.name, c.metrics[0]))
        if name in _WITH_CURVE:
            yield from (markdown.table(_curve(c, metric)) for metric in c.metrics)
    later = evaluations.scored_later(EVALUATIONS, records)
    for c in comparisons(group([LoadedRecord(record, EVALUATIONS) for record in later]).cells):
        yield markdown.table(_table(c))
    yield from _pictures(records)
    yield from _generators(records)
    where = "; ".join(_environments(records))
    again = "; ".join(_again(name, records))
    yield f"Environment {where}. Again: {again}."
    if left := [*_left(name, (*records, *changes.alike(others, records[0])))]:
        yield f"Declared by the suite and not run: {'; '.join(left)}."
    rows = [f"{r['experiment']} seed {r['seed']} `{r['record_sha256'][:12]}`" for r in records]
    yield f"<details><summary>Records</summary>\n\n{', '.join(rows)}\n\n</details>"


def _environments(records: list[dict[str, Any]]) -> Iterator[str]:
    """Each with its machine; of several, with the runs that were made there, but for the one of most runs."""
    most = Counter(r["env_id"] for r in records).most_common(1)[0][0]
    for env, machine in sorted({(r["env_id"], _machine(r)) for r in records}):
        here = [f"{r['experiment']} seed {r['seed']}" for r in records if r["env_id"] == env]
        yield f"`{env[:8]}`: {machine}" + ("" if env == most else f" ({', '.join(here)})")


def _begun(suite: str, finished: list[dict[str, Any]]) -> list[Any]:
    """Runs of these cells that were stopped, of other seeds than the finished ones."""
    cells, seeds = {r["cell_id"] for r in finished}, {r["seed"] for r in finished}
    runs = unfinished.begun(UNFINISHED / suite)
    return [run for run in runs if identity.cell_id(run["spec"]) in cells and run["seed"] not in seeds]


def _again(suite: str, records: list[dict[str, Any]]) -> Iterator[str]:
    """Commands that make these runs and no others, and judge them.

    Experiments that have other seeds are apart, and those of which a run diverged: `run` says so by its exit
    code. A CPU is asked for, as `run` begins no work of hours on one by itself.
    """
    seeds_of, diverged = _seeds(records), {r["experiment"] for r in records if r["status"] == "diverged"}
    device = " --device cpu" if all(r["spec"]["device"] == "cpu" for r in records) else ""
    for seeds, has in sorted({(tuple(sorted(own)), name in diverged) for name, own in seeds_of.items()}):
        found = sorted(n for n, own in seeds_of.items() if (own, n in diverged) == (set(seeds), has))
        others = set(suites.load(suite).experiments) - set(found)
        these = suite + ("".join(f" --experiment {name}" for name in found) if others else "")
        these += f" --seeds {integers(seeds).replace(' ', '').replace('–', '-')}"
        run, check = f"ganbench run {these}{device}", f"ganbench check {these}"
        yield f"`{run}`, which ends with exit code 3, then `{check}`" if has else f"`{run} && {check}`"


def _left(suite: str, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Experiments and seeds of the suite that none of the records is of, of whatever suite these are."""
    declared, seeds_of = suites.load(suite), _seeds(records)
    for name in declared.experiments:
        if missing := set(declared.seeds) - seeds_of.get(name, set()):
            yield f"{name} {named_seeds(missing)}"


def _seeds(records: Iterable[Mapping[str, Any]]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for record in records:
        found.setdefault(record["experiment"], set()).add(record["seed"])
    return found


def sheet(record: dict[str, Any]) -> Path:
    """Where a run's last sample grid is, if it is committed."""
    return _of(record, SAMPLES, ".png")


def beside_training_images(record: dict[str, Any]) -> Path:
    """Where a run's samples beside the training images closest to them are, if they are committed."""
    return sheet(record).with_stem(f"seed{record['seed']}-neighbours")


def _of(record: dict[str, Any], folder: Path, suffix: str) -> Path:
    """Suites run the same experiment and seed to several budgets."""
    path: Path = folder / record["suite"] / record["experiment"] / f"seed{record['seed']}{suffix}"
    return path


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
            f"![{r['experiment']}, seed {r['seed']}]({which(r).relative_to(RESULTS)})"
            for r in records
            if which(r).is_file()
        ]
        if found:
            yield says + "\n\n" + "\n".join(found)
    if alike := [f"{r['experiment']} seed {r['seed']}" for r in records if collapsed(sheet(r))]:
        yield f"Collapsed, with all samples at the end alike: {', '.join(alike)}."


def _generators(records: list[dict[str, Any]]) -> Iterator[str]:
    """How to score the committed ones again."""
    found = [(r, _of(r, RESULTS / "generators", ".safetensors")) for r in records]
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
    columns = *words("Experiment"), *numbers("G-iterations", "Critic updates", "Seeds (n)")
    for metric in c.metrics:
        columns += numbers(f"{metric_title(metric)}, mean ± sd", "95 % interval of the mean")
    names = display_names(c.cells)
    rows = [_row(c, cell, names[cell.label]) for cell in c.cells]
    if all(map(c.real_data, c.metrics)):  # of runs scored later there is none
        real = [x for m in c.metrics for x in (c.real_data_text(m, 2), "")]
        rows.append(Row(("real data", "", "", "", *real), "scale"))
    notes = tuple(note for cell in c.cells for note in diverged_notes(cell))
    return Table(f"{c.where}, protocol {c.describe()}.", columns, tuple(rows), notes)


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


def _curve(c: Comparison, metric: str) -> Table:
    """The metric at every G-iteration at which the runs were scored, run by run."""
    runs = [record for cell in c.cells for record in cell.finished]
    curves = [(f"{r['experiment']} seed {r['seed']}", r["curve"]) for r in runs]
    return curve_table(f"{metric_title(metric)} until then, run by run.", curves, c.name, metric)


def _machine(record: dict[str, Any]) -> str:
    found = record["provenance"]["environment"]
    threads = plural(found["threads"], "thread")
    return f"{found['device']}, {found['machine']}, torch {found['torch']}, {threads}"
