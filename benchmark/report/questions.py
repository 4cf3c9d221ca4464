"""What the suite `digits-questions` answers: each question with its difference, interval and answer.

The pairs and the metric (FID at the budget) are fixed here, not after a look at the runs. Seeds are compared
in pairs, as equal seeds start from equal generators; the questions are one family (Holm).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from baselines.critic_losses import critic_loss
from benchmark.evaluation import loss_curves
from benchmark.judging import statistics
from benchmark.records import loss_file
from benchmark.records.quantities import DASH, count, count_range, integers, plural
from benchmark.report.table import Column, Row, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Record = Mapping[str, Any]

SUITE, PROTOCOL, METRIC = "digits-questions", "digits-2k", "fid"
LEVEL, CONFIDENCE = 0.05, 0.95


@dataclass(frozen=True)
class Question:
    """Whether `other` has another FID than `one`; `asked` is what a reader wants to know."""

    asked: str
    one: str
    other: str


QUESTIONS = (
    Question(
        "WGAN: 100 critic steps at first and every 500th G-iteration, against always 5",
        "wgan/digits-cnn",
        "wgan/digits-cnn+100-5",
    ),
    Question(
        "WGAN-GP: layer norm in the critic, against none",
        "wgan_gp/digits-cnn",
        "wgan_gp/digits-cnn+layer-norm",
    ),
    Question(
        "WGAN-GP: batch norm in the critic, against none",
        "wgan_gp/digits-cnn",
        "wgan_gp/digits-cnn+batch-norm",
    ),
    Question("WGAN-GP against WGAN", "wgan/digits-cnn", "wgan_gp/digits-cnn"),
    Question("WGAN-GP against DCGAN", "dcgan/digits-cnn", "wgan_gp/digits-cnn"),
    Question("WGAN against DCGAN", "dcgan/digits-cnn", "wgan/digits-cnn"),
)
CURVES = ("wgan/digits-cnn", "dcgan/digits-cnn")
"""Whose losses are held against FID: WGAN's Figures 3 and 4."""


def answers(records: Sequence[Record]) -> Table:
    """Each question: FID of the second minus that of the first, over the seeds that both have."""
    tests = [(q, seeds, statistics.paired(a, b)) for q in QUESTIONS for seeds, a, b in [_pairs(records, q)]]
    p = statistics.holm([min(1.0, 2 * statistics.p_greater(_upwards(test))) for _, _, test in tests])
    rows = []
    for (q, seeds, test), adjusted in zip(tests, p, strict=True):
        low, high = statistics.interval(*test, CONFIDENCE)
        answer = DASH if adjusted > LEVEL else "lower" if test.difference < 0 else "higher"
        words = {DASH: "not settled", "lower": "lower FID", "higher": "higher FID"}[answer]
        cells = (q.asked, str(len(seeds)), f"{test.difference:+.1f}", f"{low:+.1f} to {high:+.1f}")
        rows.append(Row((*cells, f"{adjusted:.2g}", words)))
    columns = (
        Column("Question"),
        Column("Pairs of seeds", numeric=True),
        Column("FID, mean difference", numeric=True),
        Column("95 % interval", numeric=True),
        Column("p (Holm)", numeric=True),
        Column("Answer"),
    )
    caption = (
        "Difference of FID at the budget by seed, two-sided paired t. Each interval is for its question "
        f"alone; answers are at {LEVEL:.0%} for all {len(p)} together (Holm)."
    )
    return Table(caption.replace("%", " %"), columns, tuple(rows))


def correlations(records: Sequence[Record], losses: Path) -> Table:
    """Spearman's ρ of what the critic's loss says with FID, by seed; the paper's claims in the caption.

    Raises:
        loss_file.UnusableLosses: a file of losses is missing or not the one that the record speaks of.

    """
    rows, by_curve = [], []
    for experiment in CURVES:
        own = _of(records, experiment)
        found = {seed: _agreement(record, losses) for seed, record in own.items()}
        kinds = {loss_curves.quantity(critic_loss(r["spec"]["experiment"])) for r in own.values()}
        rhos = {seed: a.rho for seed, a in found.items() if a.rho is not None}
        by_curve.append(rhos)
        cells = (
            experiment,
            ", ".join(sorted(kinds)) or DASH,
            integers(rhos) or DASH,
            count_range(found[seed].n for seed in rhos),
            f"{fmean(rhos.values()):+.2f}" if rhos else DASH,
            f"{min(rhos.values()):+.2f} to {max(rhos.values()):+.2f}" if rhos else DASH,
        )
        rows.append(Row(cells))
    columns = (
        Column("Experiment"),
        Column("Curve"),
        Column("Seeds"),
        Column("Evaluations", numeric=True),
        Column("ρ with FID, mean", numeric=True),
        Column("smallest to largest", numeric=True),
    )
    caption = (
        "WGAN's claim is ρ near +1 for the Wasserstein estimate (Figure 3), and near or below 0 for the "
        f"bound of the Jensen-Shannon divergence (Figure 4). Median filter of "
        f"{count(loss_curves.FILTER_WIDTH)} G-iterations. ρ of the second minus the first: "
        f"{_by_seed(*by_curve)}."
    )
    if unlearned := [name for name in CURVES if name in not_learned(records)]:
        caption += f" No test of that claim: {', '.join(unlearned)} did not get better here."
    return Table(caption, columns, tuple(rows))


def not_learned(records: Sequence[Record]) -> tuple[str, ...]:
    """Experiments whose mean FID at the budget is not below that of untrained generators, by name."""
    found = []
    for experiment in sorted({record["experiment"] for record in records}):
        own = _of(records, experiment).values()
        first = fmean(r["curve"][0]["scores"][PROTOCOL][METRIC] for r in own)
        if fmean(r["final"]["scores"][PROTOCOL][METRIC] for r in own) >= first:
            found.append(experiment)
    return tuple(found)


def folder_of_losses(losses: Path, record: Record) -> Path:
    """Where the losses of a committed run lie."""
    return losses / str(record["experiment"]) / f"seed{record['seed']}"


def _agreement(record: Record, losses: Path) -> loss_curves.Agreement:
    columns = loss_file.read(folder_of_losses(losses, record), record)
    line = loss_curves.line(columns, critic_loss(record["spec"]["experiment"]))
    return loss_curves.agreement(loss_curves.filtered(line), loss_curves.score(record["curve"], PROTOCOL))


def _of(records: Sequence[Record], experiment: str) -> dict[int, Record]:
    """Finished runs by seed, in order."""
    own = (r for r in records if r["experiment"] == experiment and r["status"] == "done")
    return {r["seed"]: r for r in sorted(own, key=lambda r: int(r["seed"]))}


def _pairs(records: Sequence[Record], q: Question) -> tuple[list[int], list[float], list[float]]:
    one, other = _of(records, q.one), _of(records, q.other)
    seeds = [s for s in one if s in other]
    first, second = (
        [float(side[s]["final"]["scores"][PROTOCOL][METRIC]) for s in seeds] for side in (one, other)
    )
    return seeds, first, second


def _by_seed(first: Mapping[int, float], second: Mapping[int, float]) -> str:
    """Second minus first over the seeds that both have, in words; two are needed for an interval."""
    seeds = [seed for seed in first if seed in second]
    if len(seeds) < 2:
        return f"not known, with {plural(len(seeds), 'seed')} in common"
    found = statistics.paired([first[s] for s in seeds], [second[s] for s in seeds])
    low, high = statistics.interval(*found, CONFIDENCE)
    return (
        f"{found.difference:+.2f}, 95 % interval {low:+.2f} to {high:+.2f} over {len(seeds)} pairs of seeds"
    )


def _upwards(test: statistics.Comparison) -> statistics.Comparison:
    return test._replace(difference=abs(test.difference))
