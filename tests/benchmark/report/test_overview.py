"""The first screen: names, scores, curve, state, and remarks by their rules."""

import numpy as np
import pytest
from PIL import Image

from benchmark.records.cells import group
from benchmark.records.loaded import MissingRun
from benchmark.records.quantities import DASH, WITHOUT_A_ZERO
from benchmark.report import content, html, overview
from benchmark.report.naming import cited
from benchmark.report.remarks import remarks
from benchmark.report.scores import comparisons
from benchmark.report.stability import stability_table
from benchmark.suites.gate_table import PER_PIXEL


def run(build, root, seed, fids, experiment="gan/digits", **more):
    record = build.record(experiment, seed, budget=300, **more)
    for point, fid in zip(record["curve"], fids, strict=False):
        point["scores"]["digits-2k"] = {"is": 2.0, "fid": fid}
    if record["final"]:
        record["final"]["scores"] = record["curve"][-1]["scores"]
    return build.store(record, root)


def said(runs):
    cells = group(runs).cells
    (c,) = comparisons(cells)
    return remarks(cells[0], c, "fid")


FLAT = [300, 40, 40, 40, 40, 40, 40]


def test_nothing_stands_out_of_a_run_that_is_done(build, tmp_path):
    assert said([run(build, tmp_path, 0, FLAT), run(build, tmp_path, 1, FLAT)]) == ()


@pytest.mark.parametrize(
    ("fids", "remark"),
    [
        ([30, 40, 40, 40, 40, 40, 40], "no better than its start: FID 40, untrained 30"),
        ([300, 200, 90, 80, 50, 49, 47.5], "still improving: FID fell by 5 % after 200 G-iterations"),
        ([300, 200, 90, 80, 50, 49, 47.6], None),
        ([300, 90, 80, 70, 40, 45, 50], None),
    ],
)
def test_remarks_on_a_curve(build, tmp_path, fids, remark):
    assert said([run(build, tmp_path, 0, fids)]) == ((remark,) if remark else ())


def test_seeds_disagree(build, tmp_path):
    # 30 and 50: mean 40, sd 14.14
    runs = [run(build, tmp_path, s, [300, *[x] * 6]) for s, x in enumerate((30, 50))]
    assert said(runs) == ("seeds disagree: sd is 35 % of the mean FID",)


def test_no_share_is_taken_of_a_log_likelihood(build, tmp_path):
    # As FID these would be 35 % of their mean and 25 % late gain; a shift of the scale changes both.
    runs = []
    for seed, last in enumerate((30.0, 50.0)):
        record = build.record("gan/digits", seed, budget=300)
        record["spec"]["protocols"][0]["metrics"] = ["parzen_ll"]
        for point, x in zip(record["curve"], [60, 10, 10, 10, 20, 20, last], strict=True):
            point["scores"]["digits-2k"] = {"parzen_ll": float(x)}
        record["final"]["scores"] = record["curve"][-1]["scores"]
        runs.append(build.store(record, tmp_path))
    cells = group(runs).cells
    (c,) = comparisons(cells)
    assert remarks(cells[0], c, "parzen_ll") == ("no better than its start: Parzen LL 40, untrained 60",)
    assert set(PER_PIXEL) <= set(WITHOUT_A_ZERO)  # what is gated in nats a pixel has no zero either
    assert stability_table([c]).rows[0].cells[5] == DASH


def test_a_diverged_seed_is_said(build, tmp_path):
    runs = [run(build, tmp_path, 0, FLAT), run(build, tmp_path, 1, FLAT, diverged_at=151)]
    assert said(runs) == ("diverged: seed 1",)


@pytest.mark.parametrize(("deviation", "collapsed"), [(0, True), (2, True), (12, False)])
def test_samples_that_are_all_alike(build, tmp_path, deviation, collapsed):
    one = run(build, tmp_path, 0, FLAT)
    rng = np.random.default_rng(0)
    grid = np.full((8 * 30 - 2, 8 * 30 - 2), 128, dtype=np.uint8)
    image = rng.integers(40, 200, (28, 28))
    for i in range(64):
        y, x = i // 8 * 30, i % 8 * 30
        grid[y : y + 28, x : x + 28] = image + rng.normal(0, deviation, (28, 28)).round()
    Image.fromarray(grid).save(one.directory / one.record["samples"][-1])
    assert said([one]) == (("collapsed: all samples alike (seed 0)",) if collapsed else ())


def test_a_citation_in_a_line():
    for citation, short in {
        "Miyato et al., Spectral Normalization, 2018": "Miyato et al., 2018",
        "Arjovsky, Chintala & Bottou, Wasserstein GAN, 2017": "Arjovsky et al., 2017",
        "": "",
    }.items():
        assert cited({"paper": {"citation": citation}}) == short


def test_a_line_per_experiment_then_what_was_not_run_then_real_data(build, tmp_path):
    runs = [run(build, tmp_path, s, FLAT) for s in (0, 1)] + [run(build, tmp_path, 0, FLAT, "wgan_gp/digits")]
    missing = [MissingRun("sngan/digits", 0, "failed: out of memory")]
    made = content.compose(runs, missing, suite="s", command="c", axes=(), note="Shows how each starts.")
    found = made.overview
    labels = [line.label for line in found.lines]
    assert labels == ["gan/digits", "wgan_gp/digits", "sngan/digits", "digits"]
    assert [line.name for line in found.lines][2:] == ["sngan", "Real images"]
    assert found.columns == ("FID ↓", "IS ↑")
    assert found.lines[0].scores == ("40.00 ± 0.00", "2.00 ± 0.00")
    assert (found.lines[0].seeds, found.lines[2].state, found.lines[3].scores) == (
        "2",
        "failed",
        ("1.24", "9.71"),
    )
    assert found.lines[0].thumbnail.uri.startswith("data:image/webp;base64,")
    assert found.lines[0].curve.description == "FID ↓ from 300 to 40 over 300 G-iterations"
    assert "no ranking" in found.meaning[1]
    assert found.meaning[-1] == "The suite says: Shows how each starts."
    page = html.render(made)
    for line in found.lines:
        assert line.name in page
    assert page.index("Real images") < page.index('id="scores"')


def test_why_it_is_no_ranking_depends_on_seeds_and_protocols(build, tmp_path):
    one, two = ([run(build, tmp_path, s, FLAT) for s in seeds] for seeds in ((0,), (0, 1)))
    by_runs = {}
    for n, runs in ((1, one), (2, two)):
        made = content.compose(runs, [], suite="s", command="c", axes=())
        (section,) = made.scores
        by_runs[n] = overview.no_ranking(section.comparison.cells)
        whole = overview.no_ranking(section.comparison.cells, [section.comparison])
        assert whole == made.overview.meaning[1]
        assert "not with any paper" in whole
        assert "not with any paper" not in by_runs[n]
    assert ["one seed tells nothing" in by_runs[n] for n in (1, 2)] == [True, False]
    assert all("unequal time and critic updates" in text for text in by_runs.values())


def test_scores_of_unlike_protocols_share_no_column(build, tmp_path):
    other = {**build.protocol, "name": "another"}
    runs = [
        run(build, tmp_path, 0, FLAT),
        build.store(build.record("wgan/digits", 0, protocols=(other,)), tmp_path),
    ]
    made = content.compose(runs, (), suite="s", command="c", axes=())
    assert made.overview.columns == ("Scores",)
    assert "(another)" in made.overview.lines[1].scores[0]
