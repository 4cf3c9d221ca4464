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
from benchmark.report.committed.changes import by_seed, difference
from benchmark.report.table import Row, Table, numbers, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Record = Mapping[str, Any]

SUITE, PROTOCOL, METRIC = "digits-questions", "digits-2k", "fid"
LEVEL = 0.05


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
    sides = [
        (by_seed(records, q.one, PROTOCOL, METRIC), by_seed(records, q.other, PROTOCOL, METRIC))
        for q in QUESTIONS
    ]
    tests = [_paired(*both) for both in sides]
    upwards = [test._replace(difference=abs(test.difference)) for test in tests]
    p = statistics.holm([min(1.0, 2 * statistics.p_greater(test)) for test in upwards])
    rows = []
    for q, both, test, adjusted in zip(QUESTIONS, sides, tests, p, strict=True):
        answer = "not settled" if adjusted > LEVEL else "lower FID" if test.difference < 0 else "higher FID"
        rows.append(Row((q.asked, *difference(*both, decimals=1), f"{adjusted:.2g}", answer)))
    numeric = numbers("Pairs of seeds", "FID, mean difference", "95 % interval", "p (Holm)")
    columns = *words("Question"), *numeric, *words("Answer")
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
    numeric = numbers("Evaluations", "ρ with FID, mean", "smallest to largest")
    columns = *words("Experiment", "Curve", "Seeds"), *numeric
    caption = (
        "WGAN's claim is ρ near +1 for the Wasserstein estimate (Figure 3), and near or below 0 for the "
        f"bound of the Jensen-Shannon divergence (Figure 4). Median filter of "
        f"{count(loss_curves.FILTER_WIDTH)} G-iterations. ρ of the second minus the first: "
        f"{_by_seed(*by_curve)}."
    )
    if unlearned := [name for name in CURVES if name in not_learned(records)]:
        caption += f" No test of that claim: the mean FID of {', '.join(unlearned)} did not fall here."
    return Table(caption, columns, tuple(rows))


def not_learned(records: Sequence[Record]) -> dict[str, str]:
    """Experiments whose mean FID at the budget is not below that of untrained generators, by name.

    With the difference by seed and its interval, in words.
    """
    found = {}
    for experiment in sorted({record["experiment"] for record in records}):
        own = _of(records, experiment)
        first = {seed: r["curve"][0]["scores"][PROTOCOL][METRIC] for seed, r in own.items()}
        last = {seed: r["final"]["scores"][PROTOCOL][METRIC] for seed, r in own.items()}
        if fmean(last.values()) >= fmean(first.values()):
            _, mean, ends = difference(first, last, decimals=1)
            found[experiment] = mean if ends == DASH else f"{mean}, 95 % interval {ends}"
    return found


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


def _paired(one: Mapping[int, float], other: Mapping[int, float]) -> statistics.Comparison:
    seeds = [seed for seed in one if seed in other]
    return statistics.paired([one[s] for s in seeds], [other[s] for s in seeds])


def _by_seed(first: Mapping[int, float], second: Mapping[int, float]) -> str:
    """Second minus first over the seeds that both have, in words; two are needed for an interval."""
    n = len(first.keys() & second.keys())
    if n < 2:
        return f"not known, with {plural(n, 'seed')} in common"
    _, mean, ends = difference(first, second, decimals=2)
    return f"{mean}, 95 % interval {ends} over {n} pairs of seeds"
