from benchmark.records.cells import group
from benchmark.report.budgets import budget_table, compute_text


def cells(build, tmp_path, budget=None, **provenance):
    record = build.record("sngan/x", budget=300)
    if budget is not None:
        record["spec"]["experiment"]["budget"] = budget
    record["provenance"] |= provenance
    return group([build.store(record, tmp_path, grids=False)]).cells


def test_the_papers_budget_stands_beside_ours(build, tmp_path):
    printed = {
        "gen_iters": 100_000,
        "arithmetic": "500k critic / 5",
        "source": "paper 4.1",
        "confidence": "x",
    }
    (row,) = budget_table(cells(build, tmp_path, printed)).rows
    assert row.cells[1:4] == ("100\u202f000", "300", "0.3 %")
    assert row.cells[4:6] == ("1\u202f500", "96\u202f000")
    assert row.cells[6] == "500k critic / 5; paper 4.1"


def test_a_budget_that_no_paper_has_is_said(build, tmp_path):
    own = {"gen_iters": None, "arithmetic": "set by the suite", "source": "suite", "confidence": "suite"}
    (row,) = budget_table(cells(build, tmp_path, own)).rows
    assert (row.cells[1], row.cells[3], row.cells[6]) == ("–", "–", "the paper has no such run")
    assert budget_table(()) is None


def test_compute_names_the_device_and_the_time_of_a_run_and_of_all(build, tmp_path):
    runs = [build.store(build.record("gan/x", seed), tmp_path, grids=False) for seed in range(3)]
    text = compute_text(group(runs).cells)
    assert text == (
        "Compute: 3 runs on Some CPU (1 thread); 41.0 s per run on average (40.0 s to 42.0 s), 2 min 03 s in "
        "all; at most 412 MiB per run."
    )
    assert "NVIDIA X" in compute_text(cells(build, tmp_path, gpu="NVIDIA X"))
    assert compute_text(()) == ""
