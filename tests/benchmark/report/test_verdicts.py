"""The section against the papers: what it says of runs whose verdicts are known, in every format."""

import dataclasses
import json
import re

import pytest

from baselines import claims as printed
from benchmark.cli.verdicts import print_verdicts
from benchmark.judging.against_paper import against_paper
from benchmark.records.cells import group
from benchmark.report import content, write_report
from benchmark.report.curves import score_figure
from benchmark.report.scores import comparisons
from benchmark.report.verdicts import COMPARABLE, OUTCOMES, comparable, papers

OUTCOME_OF = {
    "sngan/cifar10-cnn": "✓ reproduced",
    "wgan_gp/cifar10-resnet": "▼ below the paper",
    "sngan/cifar10-resnet": "▲ above the paper",
    "sngan/cifar10-cnn-clip": "✗ unstable",
    "sngan/cifar10-cnn-ln": "≠ not comparable",
    "sngan/cifar10-cnn-wn": "○ not run",
}
"""Of the metric that the runs were scored by; what was not run has no metric of its own."""


@pytest.fixture(scope="module")
def found(judged):
    runs, missing = judged
    cells = group(runs, missing).cells
    experiments = {c.first["experiment"] for c in cells} | {m.experiment for m in missing}
    return papers(against_paper(cells, experiments, planned=(0, 1, 2)), (), cells), cells


@pytest.fixture(scope="module")
def written(judged, tmp_path_factory):
    runs, missing = judged
    out = tmp_path_factory.mktemp("judged")
    formats = ["md", "tex", "json"]
    write_report(runs, out, suite="p", command="x", missing=missing, planned=(0, 1, 2), formats=formats)
    return out


def rows_of(table, experiment):
    return [row for row in table.rows if row.cells[0] == experiment]


@pytest.mark.parametrize(("experiment", "outcome"), OUTCOME_OF.items())
def test_every_outcome_is_said_in_words(found, experiment, outcome):
    assert outcome in [row.cells[2] for row in rows_of(found[0].numbers, experiment)]


def test_inconclusive_is_with_the_seeds_that_would_settle_it(found):
    (row,) = [r for r in rows_of(found[0].numbers, "sngan/cifar10-cnn-bn") if r.kind == "inconclusive"]
    assert row.detail[0].endswith("would settle it.")
    one = next(j for j in found[0].judged if j.claim.kind == "value" and j.cells)
    needed = dataclasses.replace(one.verdict, outcome="inconclusive", seeds_needed=8)
    judged = dataclasses.replace(one, verdict=needed)
    assert papers([judged], (), found[1]).numbers.rows[0].cells[2] == "? inconclusive, needs about 8 seeds"


def test_a_number_stands_beside_ours_with_what_each_spread_is_over(found):
    (row,) = [r for r in rows_of(found[0].numbers, "wgan_gp/cifar10-resnet") if r.kind == "below"]
    # 6.95 is the mean of 6.9, 6.95 and 7; the interval is that of `verdict.judge`, tested there.
    assert row.cells[:4] == ("wgan_gp/cifar10-resnet", "IS ↑ (is-50k)", "▼ below the paper", "6.95 ± 0.05")
    assert row.cells[4:9] == ("3", "± 0.30 sd over 10 splits", "7.86 ± 0.07", "10 splits", "+0.91")
    text = " ".join(row.detail)
    assert "split spread differs: protocol suspect" in text.lower()
    assert "Table 3, unsupervised, row “WGAN-GP ResNet”." in text


def test_what_was_judged_comes_first_and_nothing_is_concluded_below(found):
    kinds = [row.kind for row in found[0].numbers.rows]
    judged = [kind in COMPARABLE for kind in kinds]
    assert judged == sorted(judged, reverse=True)
    for row in found[0].numbers.rows:
        if row.kind in ("not-comparable", "missing"):
            assert row.cells[8:] == ("–", "–", "–")
            assert row.detail[0]


def test_orderings_of_both_signs(found):
    said = {row.cells[0]: row for row in found[0].orderings.rows}
    good = said["wgan_gp/cifar10-cnn is better than wgan/cifar10"]
    bad = said["wgan_gp/cifar10-cnn is better than wgan_gp/cifar10-cnn-rmsprop"]
    assert good.cells[2:6] == ("✓ reproduced", "5.60 ± 0.10 (n = 3)", "4.10 ± 0.10 (n = 3)", "−1.50")
    assert bad.cells[2:6] == ("▼ the contrary", "5.60 ± 0.10 (n = 3)", "6.00 ± 0.10 (n = 3)", "+0.40")


def test_the_summary_counts_every_claim_once(found):
    section, _ = found
    numbers, orderings = section.summary.split(" Of ")
    assert sum(map(int, re.findall(r"(?<=[:,] )\d+", numbers))) == len(section.numbers.rows)
    assert orderings == "3 printed orderings: 2 reproduced, 1 the contrary."


def test_a_number_held_against_two_cells_is_one_number_with_two_verdicts(found):
    section, cells = found
    (one,) = (j for j in section.judged if j.claim.id == "sngan2018.t2.cifar10.fid.sn-gan-hinge")
    (two,) = (j for j in section.judged if j.claim.id == "sngan2018.t2.cifar10.fid.resnet-sn-gan")
    two = dataclasses.replace(two, verdict=one.verdict)
    other = dataclasses.replace(one, verdict=dataclasses.replace(one.verdict, outcome="below"))
    said = papers([one, other, two], (), cells).summary
    assert said == "Of 2 printed numbers, in 3 verdicts: 2 reproduced, 1 below the paper."
    assert papers([one, two], (), cells).summary == "Of 2 printed numbers: 2 reproduced."


def test_a_verdict_on_an_unconfirmed_claim_says_so_wherever_it_stands(judged):
    low = tuple(dataclasses.replace(claim, grade="low") for claim in printed.load())
    runs, missing = judged
    made = content.compose(runs, missing, suite="p", command="x", planned=(0, 1, 2), claims=low, axes=())
    rows = [row for t in (made.papers.numbers, made.papers.orderings) for row in t.rows]
    assert {row.kind for row in rows} >= {"reproduced", "below", "above", "unstable", "not-comparable"}
    for row in rows:
        assert ("(claim unconfirmed)" in row.cells[2]) is (row.kind in COMPARABLE), row.cells
    assert all(row.cells[6].endswith(" (unconfirmed)") for row in made.papers.numbers.rows)
    words = [*(OUTCOMES[kind][2:] for kind in COMPARABLE), "the contrary"]
    bare = rf"({'|'.join(words)})(?! \(claim unconfirmed\))"
    assert "1 the contrary (claim unconfirmed)" in made.overview.tally
    for text in (made.overview.tally, *(line.state for line in made.overview.lines)):
        assert not re.search(bare, text), text
    (fid,) = (c for c in low if c.id == "sngan2018.t2.cifar10.fid.resnet-sn-gan")
    c = next(c for c in comparisons(group(runs).cells) if c.cells[0].label == "sngan/cifar10-resnet")
    figure = score_figure(c, "fid", "fid", {c.cells[0].label: (fid,)})
    assert "paper: 21.7 ± 0.21 (unconfirmed) over seeds" in figure.svg


def test_only_numbers_that_runs_were_judged_by_enter_the_curves(found):
    section, cells = found
    by = {cell.label: cell for cell in cells}
    fid = [c.printed for c in comparable(section, by["sngan/cifar10-resnet"], "fid-5k", "fid")]
    assert fid == ["21.7 ± 0.21"]
    assert comparable(section, by["sngan/cifar10-resnet"], "fid-50k", "fid") == ()
    assert comparable(section, by["sngan/cifar10-cnn-ln"], "fid-5k", "fid") == ()


def test_no_claims_are_one_sentence(build, tmp_path):
    runs = [build.store(build.record(), tmp_path, grids=False)]
    write_report(runs, tmp_path / "o", suite="q", command="x", formats=["md", "json"], claims=())
    text = (tmp_path / "o/report.md").read_text().split("## Against the papers")[1].split("## ")[0]
    assert "nothing to compare with" in text
    assert "Printed numbers" not in text
    assert json.loads((tmp_path / "o/verdicts.json").read_text())["verdicts"] == []


def test_json_has_every_verdict_with_its_claim_and_cells(written, found):
    content = json.loads((written / "verdicts.json").read_text())
    assert content["suite"] == "p"
    assert len(content["verdicts"]) == len(found[0].judged)
    one = next(v for v in content["verdicts"] if v["claim"]["id"] == "sngan2018.t2.cifar10.fid.sn-gan-hinge")
    assert one["verdict"]["outcome"] == "reproduced"
    assert one["cells"] == ["sngan/cifar10-cnn"]
    assert one["claim"]["printed"] == one["verdict"]["paper"] == "25.5"
    assert len(one["verdict"]["interval"]) == 2
    assert {c["kind"] for c in content["statements"]} <= {
        "prints_none",
        "observation",
        "conflict",
        "misquotation",
    }


def test_markdown_and_latex_have_the_same_verdicts(written, found):
    markdown, tex = (written / "report.md").read_text(), (written / "tables.tex").read_text()
    assert markdown.index("## Against the papers") < markdown.index("## Final scores")
    body = re.search(r"\\toprule.*?\\bottomrule", tex, re.S)[0]
    for kind in {row.kind for row in found[0].numbers.rows}:
        word = OUTCOMES[kind][2:]
        n = sum(row.kind == kind for row in found[0].numbers.rows)
        assert len(re.findall(rf"^\| [^|]+\| [^|]+\| \S+ {word}", markdown, re.M)) >= n
        # LaTeX has the rows that were judged, and counts the others.
        assert body.count(word) == (n if kind in COMPARABLE else 0)
    assert "9 not comparable, 2 not run" in tex


def test_claims_with_markup_do_nothing(judged, tmp_path):
    evil = "<img src=x onerror=alert(1)> %_&$#{}\\input{/etc/passwd} | `x` ${x}"
    claim = next(c for c in printed.load() if c.id == "sngan2018.t2.cifar10.fid.sn-gan-hinge")
    claim = dataclasses.replace(claim, row=evil, table=evil, note=evil, paper=evil)
    runs, _ = judged
    write_report(runs, tmp_path, suite=evil, command="x", claims=[claim])
    html, tex = (tmp_path / "report.html").read_text(), (tmp_path / "tables.tex").read_text()
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "\\input{/etc" not in tex
    assert "<img" not in (tmp_path / "report.md").read_text()


def test_the_terminal_shows_what_could_be_judged(found, capsys):
    print_verdicts(found[0])
    shown = capsys.readouterr().out
    assert re.search(
        r"sngan/cifar10-cnn +FID ↓ \(fid-5k\) +✓ reproduced +26.01 ± 0.30 +3 +25.5 +\+0.51", shown
    )
    assert "▼ the contrary" in shown
    assert "not comparable  " not in shown
    assert "9 not comparable, 2 not run" in shown
    print_verdicts(papers((), (), ()))
    assert capsys.readouterr().out == ""
