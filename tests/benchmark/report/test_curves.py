import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from benchmark.pictures.labels import _spaced
from benchmark.records.cells import group
from benchmark.report.curves import score_figure
from benchmark.report.losses import losses
from benchmark.report.scores import comparisons

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return ["".join(t.itertext()) for t in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def figure(suite):
    (comparison,) = comparisons(group(*suite).cells)
    return score_figure(comparison, "fid", "fid")


def test_labels_name_axis_protocol_experiments_and_real_level(figure, build):
    shown = texts(figure.svg)
    assert "FID ↓ (digits-lenet, 2\u202f000 generated vs 1\u202f000 held-out), log scale" in shown
    assert {"G-iterations", "gan/digits", "wgan_gp/digits", "real data 1.24"} <= set(shown)
    assert any(build.hostile.startswith(t[:-1]) for t in shown if t.endswith("…"))


def test_svg_carries_no_script_date_or_foreign_reference(figure):
    root = ET.fromstring(figure.svg)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        "svg",
        "g",
        "defs",
        "style",
        "path",
        "use",
        "text",
        "clipPath",
        "rect",
        "tspan",
        "circle",
        "title",
    }
    assert all(v.startswith("#") for e in root.iter() for k, v in e.attrib.items() if k.endswith("href"))
    assert not re.search(r"20\d\d-\d\d-\d\d", figure.svg)


def test_inline_svg_follows_the_page_colours(figure):
    inline = figure.inline()
    assert "var(--ink)" in inline
    assert not re.search("#23272e|#fefefe|#e4e6ea|#000000|#ffffff", inline)
    assert inline.startswith("<svg")
    ET.fromstring(inline.replace("xlink:href", "href"))


def test_linear_where_the_range_is_small(build, tmp_path):
    run = build.store(build.record(), tmp_path, grids=False)
    for point in run.record["curve"]:
        point["scores"]["digits-2k"]["fid"] = 10.0 + point["gen_iters"] / 100
    run.record["real_data"]["digits-2k"]["fid"] = 5.0
    (comparison,) = comparisons(group([run]).cells)
    assert not any("log" in t for t in texts(score_figure(comparison, "fid", "fid").svg))


@pytest.mark.parametrize(
    ("real", "says"),
    [
        (5.0, "real data 5"),
        (0.5, "real data 0.5 lies below this axis"),
        (900.0, "real data 900 lies above this axis"),
    ],
)
def test_real_data_out_of_reach_do_not_flatten_the_curves(build, tmp_path, real, says):
    run = build.store(build.record(), tmp_path, grids=False)
    for point in run.record["curve"]:
        point["scores"]["digits-2k"]["fid"] = 10.0 + point["gen_iters"] / 100
    run.record["real_data"]["digits-2k"]["fid"] = real
    (comparison,) = comparisons(group([run]).cells)
    shown = texts(score_figure(comparison, "fid", "fid").svg)
    assert says in shown
    ticks = [float(t) for t in shown if re.fullmatch(r"[\d.]+", t)]
    assert {10.0, 12.0} <= set(ticks)


def test_losses_are_drawn_where_recorded(build, tmp_path):
    run = build.store(build.record(), tmp_path, grids=False)
    (cell,) = group([run]).cells
    (figure,) = losses([(cell, "x")]).figures
    assert {"critic loss", "generator loss"} <= set(texts(figure.svg))
    for point in run.record["curve"]:
        point["losses"] = None
    assert losses([(cell, "x")]).figures == ()


def test_direct_labels_keep_their_distance_order_and_the_panel():
    places = _spaced([0.0, 0.01, 0.5, 0.97, 0.98, 0.99], 0.05)
    assert places == sorted(places)
    assert min(b - a for a, b in pairwise(places)) == pytest.approx(0.05)
    assert places[-1] == pytest.approx(1.0)
    assert places[0] == 0.0
    assert places[2] == 0.5
    assert _spaced([], 0.05) == []


@pytest.fixture(scope="module")
def printed(judged):
    """The chart of a single cell with a claim of 21.7 ± .21 over seeds, and without."""
    from baselines import claims
    from benchmark.report.axes import AXES

    runs, missing = judged
    compared = comparisons(group(runs, missing).cells)
    comparison = next(c for c in compared if c.cells[0].label == "sngan/cifar10-resnet")
    (claim,) = (c for c in claims.load() if c.id == "sngan2018.t2.cifar10.fid.resnet-sn-gan")
    given = {comparison.cells[0].label: (claim,)}
    return score_figure(comparison, "fid", "fid", given, AXES), score_figure(comparison, "fid", "fid")


def test_what_the_paper_prints_is_a_labelled_line_with_its_spread_hatched(printed):
    with_paper, without = printed
    assert "paper: 21.7 ± 0.21 over seeds" in texts(with_paper.svg)
    assert not any("paper" in text for text in texts(without.svg))
    assert "<pattern" in with_paper.svg
    assert "<pattern" not in without.svg
    assert "what the paper prints (hatched: its ±)" in with_paper.caption
    assert "paper" not in without.caption


def test_one_view_per_axis_with_names_of_their_own(printed):
    views = printed[0].views
    assert [v.axis for v in views] == ["gen_iters", "critic_updates", "images_seen", "wall_s"]
    assert len({v.stem for v in views}) == 4
    shown = [texts(v.svg) for v in views]
    assert "G-iterations" in shown[0]
    assert "critic updates" in shown[1]
    assert "images seen" in shown[2]
    assert any(re.fullmatch("wall time, (s|min|h)", text) for text in shown[3])


def test_points_tell_their_values_and_those_of_the_seeds(figure, suite):
    titles = [t.text for t in ET.fromstring(figure.svg).iter(f"{SVG}title")]
    runs, _ = suite
    fids = [r.record["curve"][2]["scores"]["digits-2k"]["fid"] for r in runs[:3]]
    mean = sum(fids) / 3
    seeds = ", ".join(f"{y:.4g}" for y in fids)
    assert f"gan/digits, 100 G-iterations: FID {mean:.4g}, mean of 3 seeds ({seeds})" in titles


def test_the_table_below_a_chart_has_its_means(figure, suite):
    import statistics

    runs, _ = suite
    row = next(r for r in figure.values.rows if r.cells[0] == "100")
    fids = [r.record["curve"][2]["scores"]["digits-2k"]["fid"] for r in runs[:3]]
    assert row.cells[1] == f"{statistics.fmean(fids):.2f} ± {statistics.stdev(fids):.2f}"
