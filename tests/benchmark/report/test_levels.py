from matplotlib.figure import Figure as Canvas

from benchmark.report.levels import Level, draw_levels, within_reach


def axes(low, high):
    ax = Canvas().subplots()
    ax.set_ylim(low, high)
    return ax


def test_labels_of_close_levels_stand_beside_each_other():
    ax = axes(0, 100)
    draw_levels(ax, [Level(50, "a"), Level(51, "b"), Level(52, "c"), Level(80, "d")], [1, 99])
    left = {text.get_text(): text.xy[0] for text in ax.texts}
    assert left["a"] < left["b"] < left["c"]
    assert left["d"] == left["a"]


def test_levels_out_of_reach_are_notes_at_the_edge_and_no_lines():
    ax = axes(10, 20)
    draw_levels(ax, [Level(0.1, "low"), Level(900, "high")], [11, 19])
    assert {t.get_text() for t in ax.texts} == {"low lies below this axis", "high lies above this axis"}
    assert len(ax.lines) == 0
    assert within_reach(2, [11, 19])
    assert not within_reach(1, [11, 19])


def test_a_spread_is_hatched_to_both_sides():
    ax = axes(0, 100)
    draw_levels(ax, [Level(50, "a", spread=3), Level(20, "b")], [1, 99])
    (band,) = ax.patches
    assert band.get_hatch()
    assert (band.get_y(), band.get_height()) == (47, 6)
