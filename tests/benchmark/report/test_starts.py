"""The section on how runs start: a sentence for each experiment, and a chart where losses differ."""

import copy

import pytest

from benchmark.judging import starts as judged
from benchmark.report import starts, write_report
from benchmark.report.content import compose

EXPERIMENT = "gan/digits"


@pytest.fixture
def own(suite):
    """The suite's runs of one experiment, with ten first losses each."""
    runs = [copy.deepcopy(run) for run in suite[0] if run.record["experiment"] == EXPERIMENT]
    for run in runs:
        run.record["first_losses"] = [
            {"critic": 1.0 + k + run.record["seed"], "generator": 0.5} for k in range(judged.GEN_ITERS)
        ]
    return runs


def accepted(runs, k=0, by=0.0):
    """The same records, whose critic's loss differed in G-iteration k by a share of its largest change."""
    records = [copy.deepcopy(run.record) for run in runs]
    if k:
        records[0]["first_losses"][k - 1]["critic"] -= by * 9.0
    return records


def section(runs, reference):
    return compose(runs, [], suite="q", command="x", reference=reference).starts


def test_without_accepted_runs_there_is_no_section_and_equal_losses_need_no_chart(own):
    assert section(own, ()) is None
    found = section(own, accepted(own))
    assert found.figure is None
    assert len(found.sentences) == 1
    assert found.sentences[0].startswith(f"{EXPERIMENT}: starts as accepted (")


@pytest.mark.parametrize(("by", "said"), [(0.01, "starts as accepted"), (0.2, "start otherwise")])
def test_a_difference_is_drawn_whether_or_not_it_departs(own, by, said, tmp_path):
    reference = accepted(own, 4, by)
    found = section(own, reference)
    assert said in found.sentences[0]
    assert found.figure.stem == starts.STEM
    # What judging divides by is no max − min: a loss that falls and rises again has a larger range.
    assert "share of the largest change from its first value" in found.figure.caption
    assert "difference / largest change" in found.figure.svg
    assert "range" not in found.figure.caption + found.figure.svg
    notes = ["runs made by equivalent sources"]
    write_report(
        own, tmp_path, suite="q", command="x", reference=reference, notes=notes, formats=["html", "md"]
    )
    assert (tmp_path / "curves" / "starts.svg").is_file()
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert said in text
        assert notes[0] in text


def test_the_drawn_line_is_the_largest_share_of_the_largest_change(own):
    (then,), (now,) = accepted(own[:1], 4, 0.25), [own[0].record]
    assert judged.by_range(then, now) == pytest.approx([0, 0, 0, 0.25, *[0] * 6])
    now["first_losses"][6]["critic"] = None
    assert judged.by_range(then, now)[6] is None
