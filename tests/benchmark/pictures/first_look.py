"""docs/first-look.png: what the runs of the suite `first-look` generate at the end of their budget.

    ganbench run first-look --out OUT
    PYTHONPATH=. python tests/benchmark/pictures/first_look.py OUT docs/first-look.png

The grids are those of the runs, so that their digests are those of the accepted records.
"""

import sys
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from benchmark import data, suites
from benchmark.judging.selection import select
from benchmark.pictures import sheets
from benchmark.records.cells import group
from benchmark.records.quantities import NARROW_SPACE, count
from benchmark.report.naming import display_names

SUITE = "first-look"
REAL = "real digits"
SCALE, COLUMNS = 2, 3
TITLE, APART = 44, 24
"""Pixels above a grid, for its title, and between two."""


def panels(folder):
    """(title, grid) of each experiment's first seed in the suite's order, then of real digits."""
    suite = suites.load(SUITE)
    runs = {run.record["experiment"]: run for run in select(suite, [folder / "runs"], suite.seeds[:1]).runs}
    names = display_names(group(list(runs.values())).cells)
    found = []
    for name in suite.experiments:
        record, directory = runs[name].record, runs[name].directory
        with Image.open(directory / record["samples"][-1]) as grid:
            # The font has no narrow space.
            gen_iters = count(record["gen_iters"]).replace(NARROW_SPACE, " ")
            title = f"{names[name]}, {gen_iters} G-iterations"
            found.append((title, grid.copy()))
    return [*found, (REAL, sheets.sheet(data.load("digits", "train")[:64], 8))]


def places(sizes):
    """Where the upper left corners of grids of these sizes lie; and the size of the whole."""
    wide = SCALE * max(width for width, _ in sizes) + APART
    high = SCALE * max(height for _, height in sizes) + TITLE + APART
    corners = [
        (APART + i % COLUMNS * wide, APART // 2 + TITLE + i // COLUMNS * high) for i in range(len(sizes))
    ]
    rows = -(-len(sizes) // COLUMNS)
    return corners, (APART + COLUMNS * wide, APART // 2 + rows * high)


def draw(found):
    """The picture of these panels."""
    corners, size = places([grid.size for _, grid in found])
    picture = Image.new("L", size, 255)
    write = ImageDraw.Draw(picture)
    for (title, grid), (x, y) in zip(found, corners, strict=True):
        write.text((x, y - TITLE + 4), title, font=ImageFont.load_default(28), fill=30)
        large = grid.resize((SCALE * grid.width, SCALE * grid.height), Image.Resampling.NEAREST)
        picture.paste(large, (x, y))
    return picture


def grids(picture, sizes):
    """The grids of these sizes that `draw` put on a picture."""
    corners, size = places(sizes)
    assert picture.size == size
    boxes = [(x, y, x + SCALE * w, y + SCALE * h) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
    return [picture.crop(b).resize(s, Image.Resampling.NEAREST) for b, s in zip(boxes, sizes, strict=True)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    sheets.save(draw(panels(Path(sys.argv[1]))), Path(sys.argv[2]))
