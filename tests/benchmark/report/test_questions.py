"""Questions to a suite: pairs by seed, two-sided, one family; losses are those that records speak of."""

import numpy as np
import pytest

from benchmark import suites
from benchmark.records import loss_file
from benchmark.report.committed import questions

OFFSETS = {q: 0.0 for pair in questions.QUESTIONS for q in (pair.one, pair.other)}


def record(experiment, seed, fid, curve=(), kind=None, losses=""):
    return {
        "experiment": experiment,
        "seed": seed,
        "status": "done",
        "curve": [{"gen_iters": k, "scores": {"digits-2k": {"fid": x}}} for k, x in curve],
        "final": {"scores": {"digits-2k": {"fid": fid}}},
        "spec": {"experiment": {"critic_loss": kind}},
        "digests": {"losses": losses},
        "gen_iters": 1000,
        "diverged_at": None,
    }


def runs(offsets):
    """Seeds differ by hundreds, experiments by their offsets and a little of each seed's own."""
    return [
        record(name, seed, 100.0 * seed + offset + 0.1 * ((seed * 3 + i) % 5))
        for i, (name, offset) in enumerate({**OFFSETS, **offsets}.items())
        for seed in range(5)
    ]


def rows(table):
    return {row.cells[0]: row.cells for row in table.rows}


def test_pairs_see_what_the_spread_over_seeds_would_hide():
    found = rows(
        questions.answers(runs({"wgan/digits-cnn+100-5": 4.0, "wgan_gp/digits-cnn+layer-norm": -4.0}))
    )
    slower = found[questions.QUESTIONS[0].asked]
    assert slower[1] == "5"
    assert slower[2].startswith(("+4", "+3.9"))
    assert slower[-1] == "higher FID"
    assert found[questions.QUESTIONS[1].asked][-1] == "lower FID"
    assert found["WGAN against DCGAN"][-1] == "not settled"


def test_seeds_of_one_side_only_are_left_out():
    lost = {("dcgan/digits-cnn", 3), ("wgan_gp/digits-cnn+layer-norm", 0)}
    found = rows(questions.answers([r for r in runs({}) if (r["experiment"], r["seed"]) not in lost]))
    assert {found[q.asked][1] for q in questions.QUESTIONS if "DCGAN" in q.asked} == {"4"}
    assert found[questions.QUESTIONS[1].asked][1] == "4"
    assert found["WGAN-GP against WGAN"][1] == "5"


def test_interval_and_p_are_the_closed_forms():
    one = [record("dcgan/digits-cnn", s, 10.0 * s) for s in range(3)]
    others = [
        record(name, s, 10.0 * s + d)
        for name in OFFSETS
        if name != "dcgan/digits-cnn"
        for s, d in enumerate((1.0, 2.0, 3.0))
    ]
    # d = 2, s_d = 1, n = 3; t_{.975, 2} = 4.303, so ± 2.484; t = 3.464, two-sided p = .0742, times six.
    against = rows(questions.answers([*one, *others]))["WGAN against DCGAN"]
    assert against[2:5] == ("+2.0", "-0.5 to +4.5", "0.45")


def test_questions_are_about_experiments_of_the_suite():
    asked = {name for q in questions.QUESTIONS for name in (q.one, q.other)}
    assert asked == set(suites.load(questions.SUITE).experiments)
    assert set(questions.CURVES) <= asked


FALLING = np.linspace(5, 1, 1000, dtype=np.float32)
WASSERSTEIN, JENSEN_SHANNON = ({"kind": kind, "scale": 1.0} for kind in ("wasserstein", "cross-entropy"))


def with_losses(root, name, seed, kind, column):
    """A run whose FID falls, with its file of losses."""
    points = [(50 * i, 500.0 - 20 * i) for i in range(1, 21)]
    run = record(name, seed, 0.0, points, kind, loss_file.digest({"critic": column}))
    folder = questions.folder_of_losses(root, run)
    folder.mkdir(parents=True)
    loss_file.write(folder, {"critic": column})
    return run


@pytest.fixture
def curves(tmp_path):
    """WGAN's estimate falls with FID; DCGAN's bound rises where FID falls."""
    kinds = {
        "wgan/digits-cnn": (WASSERSTEIN, -FALLING),
        "dcgan/digits-cnn": (JENSEN_SHANNON, FALLING),
    }
    found = [
        with_losses(tmp_path, name, seed, kind, column)
        for name, (kind, column) in kinds.items()
        for seed in range(3)
    ]
    return found, tmp_path


@pytest.fixture
def by_seed(tmp_path):
    """Both curves have ρ = +1 with FID in odd seeds and -1 in even ones, so that equal seeds differ by 0."""
    return [
        with_losses(tmp_path, name, seed, kind, sign * FALLING * (1 if seed % 2 else -1))
        for name, kind, sign in (
            ("wgan/digits-cnn", WASSERSTEIN, -1),
            ("dcgan/digits-cnn", JENSEN_SHANNON, -1),
        )
        for seed in range(5)
    ], tmp_path


def test_rank_correlations_have_the_signs_of_the_curves(curves):
    table = questions.correlations(*curves)
    assert [row.cells[4] for row in table.rows] == ["+1.00", "-1.00"]
    assert [row.cells[3] for row in table.rows] == ["20", "20"]
    assert "second minus the first: -2.00" in table.caption


def without(runs, *lost):
    return [run for run in runs if (run["experiment"].partition("/")[0], run["seed"]) not in lost]


@pytest.mark.parametrize(
    ("lost", "pairs"), [((("wgan", 0), ("dcgan", 4)), 3), ((("wgan", 2),), 4)], ids=["one each", "one side"]
)
def test_correlations_are_compared_by_seed_whatever_was_not_finished(by_seed, lost, pairs):
    runs, folder = by_seed
    table = questions.correlations(without(runs, *lost), folder)
    assert (
        f"minus the first: +0.00, 95 % interval +0.00 to +0.00 over {pairs} pairs of seeds" in table.caption
    )


def test_a_seed_without_a_correlation_is_in_no_pair(by_seed):
    runs, folder = by_seed
    next(r for r in runs if r["seed"] == 1)["curve"] = runs[1]["curve"][:1]  # one point has no rank
    table = questions.correlations(runs, folder)
    assert table.rows[0].cells[2] == "0, 2–4"
    assert "+0.00 to +0.00 over 4 pairs of seeds" in table.caption


def test_one_seed_in_common_is_no_comparison(by_seed):
    runs, folder = by_seed
    lost = [("wgan", s) for s in (0, 1)] + [("dcgan", s) for s in (3, 4)]
    caption = questions.correlations(without(runs, *lost), folder).caption
    assert "minus the first: not known, with 1 seed in common." in caption


def test_altered_losses_are_refused(curves):
    records, folder = curves
    loss_file.write(
        questions.folder_of_losses(folder, records[0]), {"critic": np.zeros(1000, dtype=np.float32)}
    )
    with pytest.raises(loss_file.UnusableLosses, match="altered"):
        questions.correlations(records, folder)


def test_who_has_not_learned_is_named():
    curves = {"better": (600.0, 400.0), "as before": (600.0, 600.0), "worse": (600.0, 700.0)}
    records = [
        record(name, seed, end, [(0, start), (10, end)])
        for name, (start, end) in curves.items()
        for seed in range(2)
    ]
    assert questions.not_learned(records) == {
        "as before": "+0.0, 95 % interval +0.0 to +0.0",
        "worse": "+100.0, 95 % interval +100.0 to +100.0",
    }
