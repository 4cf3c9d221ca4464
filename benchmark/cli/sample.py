"""`ganbench sample`: pictures of a run's generator."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmark.cli import options
from benchmark.cli.options import check_new_file
from benchmark.cli.streams import echo
from benchmark.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

    from benchmark.pictures.latent import Term, Trained

_POINTS, _STEPS = 9, 10
"""Latents of a walk (DCGAN 2015, Figure 4), and images from one to the next, both shown."""
_ROWS, _COLUMNS = 4, 5
"""Samples beside their neighbours (GAN 2014, Figure 2)."""


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--grid", metavar="ROWSxCOLUMNS", help="Samples; 8x8 unless anything else is asked for.")
@click.option("--numbered", is_flag=True, help="With --grid: write each sample's number, enlarge small ones.")
@click.option("--interpolate", is_flag=True, help="Straight lines between the first nine latents.")
@click.option(
    "--arithmetic",
    metavar="TERMS",
    help="Means of latents, added and subtracted: 'a,b,c - d,e,f + g,h,i' by the numbers of the grid. "
    "Around the result: eight more, with uniform noise of ±0.25.",
)
@click.option(
    "--neighbours", is_flag=True, help="Samples, each row's last beside the training image closest to it."
)
@click.option("--class", "label", type=click.IntRange(min=0), metavar="N", help="Images of one class.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    help="Other latents than those of the run's seed.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Where to; default: named after the run, in this folder.",
)
@options.force
def sample(
    run: Path,
    grid: str | None,
    numbered: bool,
    interpolate: bool,
    arithmetic: str | None,
    neighbours: bool,
    label: int | None,
    seed: int | None,
    out: Path | None,
    force: bool,
) -> None:
    """Draw a picture with the generator of RUN (a run directory), at its last checkpoint.

    The latents are those of the run's evaluations: the 8x8 grid has the pixels of the last file in the run's
    samples folder. On another machine than the run's, single pixels may differ by a grey level.

    \b
    ganbench sample results/runs/dcgan/digits/0123456789ab-01234567 --numbered
    ganbench sample results/runs/dcgan/digits/0123456789ab-01234567 --arithmetic '3,8,12 - 0,5,7 + 1,9,30'
    """  # noqa: D301 - click looks for the character, not for a backslash and a b
    kinds = {
        "grid": grid is not None,
        "interpolate": interpolate,
        "arithmetic": arithmetic is not None,
        "neighbours": neighbours,
    }
    asked = [kind for kind, given in kinds.items() if given] or ["grid"]
    if len(asked) > 1:
        raise UserError(f"--{asked[0]} and --{asked[1]} are two pictures", do="Ask for one at a time")
    if numbered and asked != ["grid"]:
        raise UserError(f"--numbered does not go with --{asked[0]}", do="Use it with --grid")
    check_new_file(out, (".png",), force, wrong="pictures are PNG files")
    directory = _one_run(run)

    from benchmark.cli.text import note
    from benchmark.pictures import latent as pictures
    from benchmark.pictures import sheets
    from benchmark.training import numerics

    rows, columns = _size(grid or "8x8", pictures.MOST)
    expression = pictures.terms(arithmetic) if arithmetic is not None else []
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS wants it to be deterministic
    numerics.apply()
    model = pictures.trained(directory)
    seed = model.seed if seed is None else seed
    if out is None:
        name = model.experiment.name.replace("/", "-")
        out = Path(f"{name}-seed{seed}-{model.gen_iters}-{asked[0]}.png")
        check_new_file(out, (".png",), force, wrong="pictures are PNG files")
    if model.stale:
        note("The code changed since this run; the picture may differ from the run's own samples.")
    if asked == ["grid"]:
        images = pictures.samples(model, rows * columns, seed, label)
        picture = (sheets.numbered_sheet if numbered else sheets.sheet)(images, columns)
    elif interpolate:
        points = pictures.evaluation_latents(model, range(_POINTS), seed)
        images = pictures.images_at(model, pictures.walk(points, _STEPS), seed, label)
        picture = sheets.walk_sheet(images, _STEPS)
    elif neighbours:
        picture = _neighbours(model, seed, label)
    else:
        picture = _arithmetic(model, expression, seed, label)
    try:
        sheets.save(picture, out)
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", where=f"--out {out}") from error
    note(f"{model.experiment.name}, {model.gen_iters} G-iterations, latents of seed {seed}")
    echo(out)


def _neighbours(model: Trained, seed: int, label: int | None) -> Image.Image:
    import torch

    from benchmark.cli.text import print_table
    from benchmark.pictures import latent as pictures
    from benchmark.pictures import sheets

    images = pictures.samples(model, _ROWS * _COLUMNS, seed, label)
    beside = [_COLUMNS * (row + 1) - 1 for row in range(_ROWS)]
    closest, found = pictures.training_neighbours(model, images[beside])
    print_table(
        ("sample", "closest training image", "distance"),
        [
            (str(i), str(index), f"{distance:.1f}")
            for i, index, distance in zip(
                beside, found.indices.tolist(), found.distances.tolist(), strict=True
            )
        ],
        right=(0, 1, 2),
    )
    rows = images.reshape(_ROWS, _COLUMNS, *images.shape[1:])
    return sheets.sheet(torch.cat((rows, closest[:, None]), 1).flatten(0, 1), _COLUMNS + 1, last_apart=True)


def _arithmetic(model: Trained, expression: list[Term], seed: int, label: int | None) -> Image.Image:
    from benchmark.pictures import latent as pictures
    from benchmark.pictures import sheets

    numbers = [number for term in expression for number in term.numbers]
    if label is None and not model.experiment.classes:
        exemplars = pictures.samples(model, max(numbers) + 1, seed)[numbers]  # as in the grid
    else:
        exemplars = pictures.images_at(model, pictures.evaluation_latents(model, numbers, seed), seed, label)
    found = pictures.arithmetic(model, expression, seed)
    means, results = (pictures.images_at(model, z, seed, label) for z in found)
    return sheets.arithmetic_sheet(expression, exemplars, means, results)


def _size(text: str, most: int) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text, re.ASCII)
    rows, columns = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= rows * columns <= most:
        do = f"Write ROWSxCOLUMNS like 8x8, at most {most} images"
        raise UserError(f"cannot draw '{text}'", where="--grid", do=do)
    return rows, columns


def _one_run(path: Path) -> Path:
    from benchmark.judging.verify import runs_at

    found = runs_at(path)
    if len(found) > 1:
        raise UserError(f"{len(found)} runs lie there", where=str(path), do=f"Name one, like {found[0]}")
    return found[0]
