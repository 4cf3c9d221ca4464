"""Every colour can be seen on both pages; an experiment looks alike in every picture."""

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from baselines import catalogue
from benchmark.pictures.style import MARKERS, SHADES, look

ROOT = Path(__file__).parents[3]
CSS = (ROOT / "benchmark/report/report.css.j2").read_text("utf-8")
OWN = catalogue.read()


def linear(colour):
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    """WCAG 2.2's relative luminance."""
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


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


# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB; OKLab: Ottosson (2020).
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@pytest.mark.parametrize("sight", SIGHTS)
def test_families_can_be_told_apart_by_colour_alone(sight):
    def seen(colour):
        return LAB @ np.cbrt(LMS @ np.clip(SIGHTS[sight] @ linear(colour), 0, 1))

    pairs = [(a, b) for one, other in combinations(SHADES[:5], 2) for a in one for b in other]
    assert len(pairs) == 90
    assert min(100 * np.linalg.norm(seen(a) - seen(b)) for a, b in pairs) >= 8


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
