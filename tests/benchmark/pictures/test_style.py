"""Every colour can be seen on both pages; an experiment looks alike in every picture."""

import re
from collections import Counter
from pathlib import Path

import pytest

from baselines import catalogue
from benchmark.pictures.style import MARKERS, SHADES, look

ROOT = Path(__file__).parents[3]
CSS = (ROOT / "benchmark/report/report.css.j2").read_text("utf-8")
OWN = catalogue.read()


def luminance(colour):
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_the_formula():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#e69f00", "#ffffff") == pytest.approx(2.25, abs=0.01)


@pytest.mark.parametrize("card", re.findall(r"--card: (#\w{6});", CSS))
def test_every_line_has_3_to_1_on_the_light_and_on_the_dark_card(card):
    assert len(set(re.findall(r"--card: (#\w{6});", CSS))) == 2
    assert min(contrast(colour, card) for shades in SHADES for colour in shades) >= 3


def test_experiments_of_a_family_share_a_hue_and_nothing_else():
    hues = {}
    for name in OWN:
        hues.setdefault(name.split("/")[0], set()).update(
            i for i, shades in enumerate(SHADES) if look(name).colour in shades
        )
    assert all(len(found) == 1 for found in hues.values())
    assert len(set().union(*hues.values())) == len(hues) == 5
    looks = Counter(map(look, OWN))
    assert looks.most_common(1)[0][1] == 1


def test_the_five_papers_differ_by_marker_where_they_are_drawn_together():
    digits = [name for name in OWN if name.endswith("/digits")]
    assert len({look(name).marker for name in digits}) == len(digits) == 5
    headlines = [name for name, described in OWN.items() if described["headline"] and "cifar10" in name]
    assert len({look(name).marker for name in headlines}) == len(headlines) == 6


def test_strangers_keep_their_look_and_take_no_papers_hue():
    known = {colour for shades in SHADES[:5] for colour in shades}
    strangers = [look(f"{family}/digits") for family in ("acgan", "began", "x", "y", "z", "owngan")]
    assert not {one.colour for one in strangers} & known
    assert len({one.colour for one in strangers}) > 1
    # Written down: a digest of the name, not of this process or machine.
    assert look("acgan/digits") == ("#03a1ae", "s", "-")


def test_parts_of_one_experiment_are_told_apart():
    whole, one, other = map(look, ("gan/digits", "gan/digits [cell aaaa]", "gan/digits [cell bbbb]"))
    assert len({whole, one, other}) == 3
    assert {one.colour, other.colour, whole.colour} <= set(SHADES[0])


def test_the_marker_of_a_divergence_is_nobodys():
    assert not {"x", "X"} & set(MARKERS)
