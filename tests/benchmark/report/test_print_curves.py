"""Curves for a paper: as wide as a column, in 8-point text, nothing cut off, the same bytes again."""

import re
from xml.etree import ElementTree as ET

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from benchmark.pictures.style import house_style, look
from benchmark.records.cells import group
from benchmark.report.print_curves import TEXT_PT, WIDTH_IN, draw, files, printed_curves
from benchmark.report.scores import comparisons

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def compared(suite):
    return comparisons(group(*suite).cells)


@pytest.fixture(scope="module")
def both(compared):
    return printed_curves(compared[0], "fid")


def test_it_is_a_column_wide(both):
    assert WIDTH_IN * 72 == 234
    assert re.search(rb"/MediaBox \[ 0 0 234 [\d.]+ \]", both["pdf"])
    assert ET.fromstring(both["svg"]).get("width") == "234pt"


def test_all_text_has_8_points(both):
    sizes = re.findall(r"font(?:-size)?: (?:\w+ )*([\d.]+)px", both["svg"].decode())
    assert len(sizes) > 15
    assert set(map(float, sizes)) == {TEXT_PT}


def test_fonts_are_embedded_as_outlines_and_nothing_tells_when(both):
    assert b"/Subtype /Type3" not in both["pdf"]
    assert b"/FontFile2" in both["pdf"]
    assert b"CreationDate" not in both["pdf"]


def test_nothing_is_cut_off_and_methods_are_named_in_their_colours(compared):
    with house_style():
        matplotlib.rcParams["font.size"] = TEXT_PT
        canvas = draw(compared[0], "fid")
        FigureCanvasAgg(canvas).draw()
        box = canvas.get_tightbbox()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= WIDTH_IN
    assert box.y1 <= canvas.get_figheight()
    (legend,) = canvas.legends
    colours = dict(
        zip(
            (text.get_text() for text in legend.get_texts()),
            (line.get_color() for line in legend.get_lines()),
            strict=True,
        )
    )
    assert colours["Wasserstein GAN"] == look("wgan/digits").colour
    assert colours["DCGAN"] == look("dcgan/digits").colour
    assert len(colours) == len(compared[0].cells)


def test_equal_scores_give_equal_bytes(compared, both):
    assert printed_curves(compared[0], "fid") == both


def test_every_metric_has_two_files_of_its_own(compared):
    names = files([*compared, *compared])
    assert len(names) == 2 * 2 * 2 * len(compared)
    assert {"fid-digits-2k.pdf", "fid-digits-2k-2.svg", "is-digits-2k.svg"} <= set(names)
