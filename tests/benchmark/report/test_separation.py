"""What may not be averaged, or set side by side, is kept apart and said to be."""

import copy
import statistics
from pathlib import Path

from benchmark.records.cells import group
from benchmark.report import LoadedRecord
from benchmark.report.content import compose
from benchmark.report.scores import comparisons, score_table


def loaded(*records):
    return [LoadedRecord(r, Path(f"/results/runs/{r['experiment']}/{i}")) for i, r in enumerate(records)]


def composed(runs, missing=()):
    return compose(runs, missing, suite="quick", command="x", bibtex="")


def rows_of(content):
    return {row.cells[0]: row.cells for section in content.scores for row in section.table.rows}


def test_two_cells_of_one_experiment_are_two_labelled_rows(build):
    slow = copy.deepcopy(build.record()["spec"]["experiment"]["settings"])
    slow["learning_rate"] = {"value": 1e-5, "source": "mine", "confidence": "suite"}
    runs = loaded(build.record(seed=0), build.record(seed=1), build.record(seed=2, settings=slow))
    content = composed(runs)
    cells = {r.record["cell_id"][:8] for r in runs}
    assert set(rows_of(content)) == {f"gan/digits [cell {c}]" for c in cells} | {"real data"}
    assert [row.cells[1] for row in content.scores[0].table.rows[:2]] in (["2", "1"], ["1", "2"])
    assert "they differ in experiment.settings.learning_rate." in " ".join(content.warnings)


def test_unlike_protocols_never_share_a_column(build):
    other = {**build.protocol, "n_generated": 5000}  # same name on purpose: the name is not what decides
    content = composed(loaded(build.record("gan/digits"), build.record("wgan/digits", protocols=(other,))))
    tables = [[row.cells[0] for row in s.table.rows] for s in content.scores]
    assert sorted(tables) == [["gan/digits", "real data"], ["wgan/digits", "real data"]]
    assert len({f.stem for f in content.figures}) == len(content.figures) == 6


def test_other_words_about_a_protocol_are_no_other_protocol(build):
    other = {**build.protocol, "note": "Said better.", "title": "Another"}
    cells = group(loaded(build.record("gan/digits"), build.record("wgan/digits", protocols=(other,)))).cells
    (comparison,) = comparisons(cells)
    assert len(comparison.cells) == 2


def test_other_weights_are_another_protocol(build):
    other = {**build.protocol, "weights_digest": "cd" * 32}
    cells = group(loaded(build.record("gan/digits"), build.record("wgan/digits", protocols=(other,)))).cells
    assert len(comparisons(cells)) == 2


def test_unlike_numerics_never_share_a_column_and_are_named(build):
    other = build.record(seed=1)
    other["cell_id"] = "m" * 64
    other["spec"]["numerics"] = {"precision": "mixed", "profile": "bf16-mixed"}
    content = composed(loaded(build.record(seed=0), other))
    tables = {s.comparison.numerics: [row.cells[0] for row in s.table.rows] for s in content.scores}
    assert tables == {
        "bf16-mixed": ["gan/digits [bf16-mixed]", "real data"],
        "faithful": ["gan/digits", "real data"],
    }
    assert "on digits in bf16-mixed numerics," in content.scores[0].table.caption
    assert "numerics.profile" in " ".join(content.warnings)
    assert set(rows_of(composed(loaded(other)))) == {"gan/digits [bf16-mixed]", "real data"}


def test_unlike_budgets_get_a_table_each(build):
    content = composed(loaded(build.record(budget=300), build.record(budget=600)))
    assert [s.comparison.gen_iters for s in content.scores] == [300, 600]
    assert [len(s.table.rows) for s in content.scores] == [2, 2]


def test_unlike_data_get_a_table_each(build):
    moved = build.record("wgan/digits")
    moved["spec"]["dataset"] = {"name": "digits", "digest": "ee" * 32}
    assert len(composed(loaded(build.record("gan/digits"), moved)).scores) == 2


def test_runs_of_different_code_are_not_averaged(build):
    content = composed(loaded(build.record(seed=0), build.record(seed=1, sources="2" * 64)))
    assert [row.cells[1] for row in content.scores[0].table.rows[:2]] == ["1", "1"]
    assert "sources" in " ".join(content.warnings)


def test_mixed_environments_are_flagged_in_table_and_on_top(build):
    content = composed(loaded(build.record(seed=0), build.record(seed=1, env_id=build.env_b)))
    assert len(content.scores[0].table.rows) == 2
    assert any("2 environments" in w for w in content.warnings)
    assert any("MIXED ENVIRONMENTS" in n for n in content.scores[0].table.notes)
    assert len(content.environments) == 2


def test_a_seed_never_counts_twice(build):
    both = loaded(build.record(seed=0), build.record(seed=0, env_id=build.env_b))
    assert [row.cells[1] for row in composed(both).scores[0].table.rows[:2]] == ["1", "1"]
    again = loaded(build.record(seed=0), build.record(seed=0), build.record(seed=1))
    content = composed(again)
    assert content.scores[0].table.rows[0].cells[1] == "2"
    assert any("more than once, with equal scores" in w for w in content.warnings)


def test_a_diverged_seed_never_enters_the_mean(build):
    diverged = build.record(seed=1, diverged_at=299)
    diverged["final"] = {"gen_iters": 300, "scores": {"digits-2k": {"is": 1e9, "fid": 1e9}}}
    first, last = build.record(seed=0), build.record(seed=2)
    table = composed(loaded(first, diverged, last)).scores[0].table
    fid = [r["final"]["scores"]["digits-2k"]["fid"] for r in (first, last)]
    assert table.rows[0].cells[3] == f"{statistics.mean(fid):.2f} ± {statistics.stdev(fid):.2f}"
    assert table.rows[0].cells[1] == "2 of 3 (1 diverged)"


def test_a_cell_that_only_diverged_still_has_its_row(build):
    content = composed(loaded(*(build.record(seed=s, diverged_at=51) for s in (0, 1))))
    assert content.scores[0].table.rows[0].cells[1:6] == (
        "0 of 2 (2 diverged)",
        "–",
        "diverged",
        "–",
        "diverged",
    )


def test_a_missing_score_is_said_not_averaged(build):
    odd = build.record(seed=1)
    odd["final"] = {"gen_iters": 300, "scores": {"digits-2k": {"is": 5.0, "fid": float("nan")}}}
    table = composed(loaded(build.record(seed=0), odd)).scores[0].table
    assert "±" not in table.rows[0].cells[3]
    assert any("no finite FID for seed 1" in n for n in table.notes)


def test_the_note_on_papers_follows_the_records(build):
    assert any("not comparable with any paper" in w for w in composed(loaded(build.record())).warnings)
    inception = {**build.protocol, "comparable_with_papers": True, "extractor": "inception-2015"}
    assert composed(loaded(build.record(protocols=(inception,)))).warnings == ()


def test_real_data_that_differ_show_their_range(build):
    a, b = build.record(seed=0), build.record(seed=1)
    b["real_data"]["digits-2k"]["fid"] = 2.5
    (comparison,) = comparisons(group(loaded(a, b)).cells)
    assert score_table(comparison).rows[-1].cells[3] == "1.24 to 2.50"
