"""`ganbench publish`: chosen runs as a folder to upload."""

from __future__ import annotations

import os
from pathlib import Path

import click

from benchmark.cli.streams import echo
from benchmark.errors import UserError


@click.command()
@click.argument("paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="A new folder.",
)
@click.option("--author", "authors", multiple=True, required=True, metavar="NAME", help="Repeatable.")
@click.option("--title", default="Runs of ganbench", show_default=True, help="Of the whole.")
@click.option(
    "--license", "licence", metavar="SPDX", help="Terms, like CC-BY-4.0; none are stated if left out."
)
@click.option(
    "--suite",
    "suite_file",
    metavar="FILE",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The suite of the runs, if it does not come with ganbench.",
)
def publish(
    paths: tuple[Path, ...],
    target: Path,
    authors: tuple[str, ...],
    title: str,
    licence: str | None,
    suite_file: Path | None,
) -> None:
    r"""Pack finished runs into FOLDER, for the Hugging Face Hub, Zenodo or anywhere else.

    It gets records, generator weights (safetensors), checkpoints, losses, samples, the suite, CITATION.cff,
    citations.bib and a model card. `ganbench verify FOLDER` checks what was downloaded again, `ganbench
    evaluate FOLDER/runs/.../generator.safetensors` scores it. Nothing is sent anywhere.

    \b
    ganbench publish results/runs/sngan --to sngan-digits --author "Ada Example" --license CC-BY-4.0
    """
    from benchmark.cli.text import note
    from benchmark.records.quantities import plural
    from benchmark.sharing import publish as packing

    if not all(author.strip() for author in authors):
        raise UserError("is empty", where="--author", do="Name who made the runs")
    records = packing.chosen(paths)
    for run in records:  # what reads runs would find those that are published among them
        own = run.directory.resolve()
        around = next((up for up in own.parents if up.name == "runs"), own)
        if Path(os.path.realpath(target)).is_relative_to(around):  # `resolve` fails at links in a circle
            do = "Name a folder outside of the results"
            raise UserError("lies among the runs themselves", where=f"--to {target}", do=do)
    for name in packing.publish(
        records, target, title=title, authors=authors, licence=licence, suite_file=suite_file
    ):
        note(f"The suite '{name}' does not come with ganbench; --suite FILE adds its file")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    echo(f"{target}: {plural(len(records), 'run')}, {size / 2**20:.1f} MiB")
