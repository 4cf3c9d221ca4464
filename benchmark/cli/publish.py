"""`ganbench publish`: chosen runs as a folder to upload."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.streams import echo
from benchmark.errors import UserError, did_you_mean


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
    from benchmark.records import places
    from benchmark.records.quantities import plural
    from benchmark.sharing import publish as packing

    if not all(author.strip() for author in authors):
        raise UserError("is empty", where="--author", do="Name who made the runs")
    if not title.strip():
        raise UserError("is empty", where="--title", do="Leave it out, or say what these runs are")
    licence = _spdx(licence)
    records = packing.chosen(paths)
    places.refuse_among((run.directory for run in records), target, "--to")
    suite_names = sorted({str(run.record["suite"]) for run in records})
    if suite_file and suite_file.stem not in suite_names:
        do = did_you_mean(suite_file.stem, suite_names)
        raise UserError(f"'{suite_file.stem}' is not a suite of these runs", where="--suite", do=do)
    for name in packing.publish(
        records, target, title=title, authors=authors, licence=licence, suite_file=suite_file
    ):
        note(f"No suite that comes with ganbench is the '{name}' of these runs; --suite FILE adds its file")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    echo(f"{target}: {plural(len(records), 'run')}, {size / 2**20:.1f} MiB")


def _spdx(licence: str | None) -> str | None:
    """The identifier, or expression, as SPDX writes it.

    Raises:
        UserError: it is none.

    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if licence is None:
        return None
    try:
        return canonicalize_license_expression(licence)
    except InvalidLicenseExpression as error:
        do = "Name one of https://spdx.org/licenses, like CC-BY-4.0, or LicenseRef-NAME for terms of yours"
        raise UserError(f"{str(error)[:1].lower()}{str(error)[1:]}", where="--license", do=do) from error
