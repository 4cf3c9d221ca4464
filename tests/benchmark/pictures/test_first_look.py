"""The picture that opens README.md is made of what the accepted runs of `first-look` generated."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import baselines
from benchmark import data, suites
from benchmark.judging import accepted
from benchmark.pictures import sheets
from benchmark.training.sampling import GRID, grid_digest

ROOT = Path(__file__).parents[3]
PICTURE, REFERENCE = ROOT / "docs" / "first-look.png", ROOT / "results" / "reference" / "first-look.json"
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def first_look():
    spec = importlib.util.spec_from_file_location("first_look", Path(__file__).with_name("first_look.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def real():
    return sheets.sheet(data.load("digits", "train")[: GRID * GRID], GRID)


def sizes(suite):
    """Of the sample grids of its experiments, and of the grid of real digits."""
    shapes = [baselines.described(name)["image_shape"] for name in suite.experiments]
    return [(GRID * (w + 2) - 2, GRID * (h + 2) - 2) for _, h, w in (*shapes, data.info("digits").shape)]


def test_the_grids_can_be_read_off_the_picture(first_look, tmp_path):
    shapes = sizes(suites.load("first-look"))
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
    found = [(f"method {i}", Image.fromarray(noise[:h, :w])) for i, (w, h) in enumerate(shapes[:-1])]
    found.append((first_look.REAL, real()))
    picture = first_look.draw(found)
    assert picture.width >= 1200
    again = first_look.grids(picture, shapes)
    assert [grid_digest(grid) for grid in again] == [grid_digest(grid) for _, grid in found]


def test_five_grids_of_real_digits_are_a_small_file(first_look, tmp_path):
    sheets.save(first_look.draw([("digits", real())] * 6), tmp_path / "six.png")
    assert (tmp_path / "six.png").stat().st_size < MOST_BYTES


def test_readme_opens_with_what_the_accepted_runs_generated(first_look):
    """Picture, reference and README go together; each alone would be a claim without evidence."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert PICTURE.exists() == REFERENCE.exists() == ("(docs/first-look.png)" in readme)
    if not PICTURE.exists():
        return
    suite = suites.load("first-look")
    records = {r["experiment"]: r for r in accepted.read(REFERENCE) if r["seed"] == suite.seeds[0]}
    assert PICTURE.stat().st_size < MOST_BYTES
    with Image.open(PICTURE) as picture:
        *found, last = first_look.grids(picture, sizes(suite))
    for name, grid in zip(suite.experiments, found, strict=True):
        record = records[name]
        assert grid_digest(grid) == record["digests"]["samples"][record["samples"][-1]], name
    assert grid_digest(last) == grid_digest(real())
    assert readme.index("(docs/first-look.png)") < readme.index("\n## ")
