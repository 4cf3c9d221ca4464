"""Histories of runs, written by the trackers' own libraries; nothing opens a connection.

A run that lies in the folder already is left alone: a tracker cannot take numbers back. It lies there once
all of it is written; what an export that was cut short left of it is removed by the next one.
"""

from __future__ import annotations

import importlib
import os
import shutil
import warnings
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.data import pixels
from benchmark.errors import UserError
from benchmark.records import bounded
from benchmark.records.bounded import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image

    from benchmark.sharing.history import History

PROJECT = "ganbench"
_MLFLOW_BATCH = 1000
"""Most metrics that MLflow takes at a time; of parameters 100."""
_MLFLOW_PARAMETERS = 100


class _Writer(Protocol):
    def __call__(self, run: History, folder: Path) -> bool:
        """Write the run below the folder; false where it is there already."""


def tensorboard(run: History, folder: Path) -> bool:
    """Event files in a folder per run, `EXPERIMENT/KEY`."""
    _needed("tensorboard", "tensorboard")
    library = _needed("torch.utils.tensorboard", "tensorboard")
    own = folder / run.config["experiment"] / run.key
    if own.exists():
        return False
    with _part(run, folder) as part:
        with library.SummaryWriter(str(part)) as writer:
            rows = {"state": run.state, **run.ids, **run.config}
            text = "\n".join(["| what | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())])
            writer.add_text("run", text)
            for p in run.points:
                writer.add_scalar(p.tag, p.value, p.gen_iters, walltime=p.utc_s)
            for k, grid in _grids(run):
                writer.add_image("samples", pixels.array(grid), k, dataformats="CHW")
        own.parent.mkdir(parents=True, exist_ok=True)
        part.rename(own)
    return True


def wandb(run: History, folder: Path) -> bool:
    """An offline run, which `wandb sync` sends where one wants it."""
    os.environ["WANDB_ERROR_REPORTING"] = "false"  # offline is about runs alone
    library = _needed("wandb", "wandb")
    if any(folder.glob(f"wandb/offline-run-*-{run.key}")):
        return False
    settings = library.Settings(
        console="off",
        silent=True,
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
    )
    with _part(run, folder) as part:
        own = library.init(
            mode="offline",
            project=PROJECT,
            dir=str(part),
            id=run.key,
            name=run.name,
            group=run.config["experiment"],
            config={**run.config, **run.ids, "state": run.state},
            settings=settings,
        )
        grids = dict(_grids(run))
        by_iteration = {
            k: {p.tag: p.value for p in points} for k, points in groupby(run.points, lambda p: p.gen_iters)
        }
        for k in sorted({*grids, *by_iteration}):
            picture = {"samples": library.Image(grids[k])} if k in grids else {}
            own.log({**by_iteration.get(k, {}), **picture}, step=k)
        own.finish()
        library.teardown()  # waits until the process beside this one has written everything
        (folder / "wandb").mkdir(exist_ok=True)
        for written in part.glob("wandb/offline-run-*"):
            written.rename(folder / "wandb" / written.name)
    return True


def mlflow(run: History, folder: Path) -> bool:
    """A run in a file store, which MLflow reads if MLFLOW_ALLOW_FILE_STORE is `true`.

    Its other stores need a database library, or a server.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    library = _needed("mlflow", "mlflow")
    entities = library.entities
    folder.mkdir(parents=True, exist_ok=True)
    client = library.MlflowClient(tracking_uri=folder.absolute().as_uri())
    known = client.get_experiment_by_name(PROJECT)
    experiment = known.experiment_id if known else client.create_experiment(PROJECT)
    for there in client.search_runs([experiment], f"tags.key = '{run.key}'"):
        if there.info.status == "FINISHED":
            return False
        client.delete_run(there.info.run_id)
    started = min((p.utc_s for p in run.points if p.utc_s), default=0.0)
    own = client.create_run(
        experiment,
        start_time=int(started * 1000),
        run_name=run.name,
        tags={"key": run.key, "state": run.state, **run.ids},
    ).info.run_id
    metrics = [
        entities.Metric(p.tag, p.value, int((p.utc_s or started) * 1000), p.gen_iters) for p in run.points
    ]
    for start in range(0, len(metrics), _MLFLOW_BATCH):
        client.log_batch(own, metrics=metrics[start : start + _MLFLOW_BATCH])
    parameters = [entities.Param(key, str(value)) for key, value in run.config.items()]
    for start in range(0, len(parameters), _MLFLOW_PARAMETERS):
        client.log_batch(own, params=parameters[start : start + _MLFLOW_PARAMETERS])
    for _, path in run.grids:
        client.log_artifact(own, str(path), "samples")
    client.set_terminated(own)
    return True


TRACKERS: dict[str, _Writer] = {"tensorboard": tensorboard, "wandb": wandb, "mlflow": mlflow}


@contextmanager
def _part(run: History, folder: Path) -> Iterator[Path]:
    """An empty folder to write the run in, which is gone at the end: what is whole is moved out of it."""
    part = folder / f".{run.key}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _grids(run: History) -> Iterator[tuple[int, Image.Image]]:
    """The sample grids in RGB by G-iteration; each that is no picture is left out, with a warning."""
    for k, path in run.grids:
        try:
            grid = pixels.decode(bounded.read(path, bounded.PICTURE_BYTES)).convert("RGB")
        except (FileNotFoundError, Unreadable, pixels.BrokenImage) as error:
            warnings.warn(f"{path}: left out, not a picture that can be read ({error})", stacklevel=2)
            continue
        yield k, grid


def _needed(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        do = f"Install it: pip install 'ganbench[{extra}]'"
        raise UserError(f"needs the library {module}, which cannot be imported ({error})", do=do) from error
