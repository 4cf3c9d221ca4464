"""`ganbench export`: runs for TensorBoard, Weights & Biases or MLflow."""

from __future__ import annotations

from pathlib import Path

import click

from benchmark.cli.options import OneOf, as_json
from benchmark.cli.streams import echo, print_json

KINDS = ("tensorboard", "wandb", "mlflow")


@click.command()
@click.argument("paths", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "kind", required=True, type=OneOf(KINDS), help="What is to show them.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write; default: ganbench-KIND here.",
)
@as_json
def export(paths: tuple[Path, ...], kind: str, folder: Path | None, json_: bool) -> None:
    r"""Write scores, losses, sample grids, settings and ids of runs for a tracker, by its own library.

    RUN is a run directory, finished or not, or a folder of them. Nothing is sent anywhere: `wandb sync`
    uploads an offline run. A run that lies in the folder already is left as it is. The libraries are extras:
    pip install 'ganbench[tensorboard]', 'ganbench[wandb]' or 'ganbench[mlflow]'.

    \b
    ganbench export results --to tensorboard      # then: tensorboard --logdir ganbench-tensorboard
    ganbench export results --to wandb            # then: wandb sync ganbench-wandb/wandb/offline-run-*
    ganbench export results/runs/sngan --to mlflow --folder mlruns
    MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri mlruns
    """
    from benchmark.records.quantities import plural
    from benchmark.sharing import history, trackers

    target = folder or Path(f"ganbench-{kind}")
    directories = history.directories(paths)
    written: list[str] = []
    kept: list[str] = []
    for directory in directories:
        run = history.read(directory)
        (written if trackers.TRACKERS[kind](run, target) else kept).append(run.name)
    if json_:
        print_json({"folder": str(target), "written": written, "kept": kept})
        return
    echo(f"{target}: {plural(len(written), 'run')} written, {len(kept)} kept")
