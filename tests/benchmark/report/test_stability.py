"""How steady scores are, against values worked out by hand."""

import pytest

from benchmark.records.cells import group
from benchmark.records.loaded import MissingRun
from benchmark.report.scores import comparisons
from benchmark.report.stability import best_point, repeats, stability_table


def run(build, tmp_path, seed, fids, **more):
    record = build.record("gan/digits", seed, budget=300, **more)
    for point, fid in zip(record["curve"], fids, strict=False):
        point["scores"]["digits-2k"] = {"is": 2.0, "fid": fid}
    if record["final"]:
        record["final"]["scores"] = record["curve"][-1]["scores"]
    return build.store(record, tmp_path, grids=False)


@pytest.fixture
def row(build, tmp_path):
    """FID at 0, 50 … 300: the best of seed 0 is 20 at 200, that of seed 1 is its last; seed 2 diverges."""
    runs = [
        run(build, tmp_path, 0, [300, 200, 100, 50, 20, 30, 30]),
        run(build, tmp_path, 1, [300, 200, 100, 50, 40, 38, 34]),
        run(build, tmp_path, 2, [300, 200], diverged_at=101),
    ]
    missing = [MissingRun("gan/digits", 3, "not run")]
    table = stability_table(comparisons(group(runs, missing).cells))
    found = next(r for r in table.rows if r.cells[1] == "FID ↓")
    return dict(zip([c.full_header for c in table.columns], found.cells, strict=True))


def test_seeds_are_counted_and_where_they_diverged(row):
    assert (row["Seeds planned"], row["Seeds done"]) == ("4", "2")
    assert row["Seeds diverged"] == "1 (seed 2, at G-iteration 101)"


def test_spread_over_seeds_is_of_the_final_values(row):
    # 30 and 34: mean 32, sd 2.83
    assert row["Over seeds, at the budget sd / mean"] == "8.8 %"
    assert row["Over seeds, at the budget max − min"] == "4.00"


def test_the_best_checkpoint_is_an_extra_beside_the_final_value(row):
    # Bests 20 (at 200) and 34 (at 300): mean 27; the final values are worse by 10 and 0
    assert row["Best checkpoint (extra) value"] == "27.00"
    assert row["Best checkpoint (extra) at G-iteration"] == "200–300"
    assert row["Best checkpoint (extra) final worse by"] == "5.00"


def test_best_is_by_the_direction_of_the_metric(build):
    record = build.record()
    for point, value in zip(record["curve"], [1, 3, 3, 2, 0, 1, 1], strict=True):
        point["scores"]["digits-2k"] = {"is": float(value), "fid": float(value), "odd": float(value)}
    assert best_point(record, "digits-2k", "is") == (50, 3.0)
    assert best_point(record, "digits-2k", "fid") == (200, 0.0)
    assert best_point(record, "digits-2k", "odd") is None


@pytest.mark.parametrize(("weights", "word"), [("0", "equal"), ("1", "differs")])
def test_the_same_run_elsewhere_is_compared_bit_by_bit(build, tmp_path, weights, word):
    here, there = (run(build, tmp_path, 0, [300.0] * 7, env_id=env) for env in ("a" * 64, build.env_b))
    there.record["digests"]["generator_weights"] = weights
    cells = group([here, there]).cells
    assert repeats(cells) == {here.record["run_id"]: f"seed 0: {word} in 2 environments"}
    assert stability_table(comparisons(cells)).rows[0].cells[-1] == f"seed 0: {word} in 2 environments"


def test_nothing_is_said_of_repeats_where_there_are_none(build, tmp_path):
    table = stability_table(comparisons(group([run(build, tmp_path, 0, [300.0] * 7)]).cells))
    assert table.columns[-1].header == "Environments"
    assert stability_table(()) is None
