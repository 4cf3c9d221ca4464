"""Records as one table."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import benchmark
from benchmark.errors import NothingToJudge
from benchmark.records import store
from benchmark.report import tidy

if TYPE_CHECKING:
    import os

    import pandas as pd

    from benchmark.records.loaded import LoadedRecord


def load_results(*folders: str | os.PathLike[str]) -> pd.DataFrame:
    """Every score of every record below the folders, diverged runs included; needs no torch.

    A row per run × evaluation point × protocol × metric; the columns are `tidy.COLUMNS`, among them ids,
    seed, dataset and budget, and `real_data`, the score of real images. Only rows of one `cell_id` whose
    seeds differ may be averaged. `attrs` says where the rows are from: `folders`, `records` (the directory of
    each run, by run_id and env_id) and `ganbench` (the version that read them).

    Args:
        folders: results folders or run directories; ``results`` unless given.

    Raises:
        NothingToJudge: a folder that is not there, or no record below any.

    """
    chosen = [Path(folder) for folder in folders or ("results",)]
    for folder in chosen:
        if not folder.is_dir():
            raise NothingToJudge("there is no such folder", where=str(folder))
    found: dict[str, LoadedRecord] = {}
    damages: list[str] = []
    for folder in chosen:
        runs, damaged = store.records_below(folder)
        damages += damaged
        for run in runs:
            found.setdefault(f"{run.record['run_id']} {run.record['env_id']}", run)
    for damage in damages:
        warnings.warn(damage, stacklevel=2)
    if not found:
        raise NothingToJudge("no record", where=", ".join(map(str, chosen)))
    frame = tidy.frame(list(found.values()))
    frame.attrs = {
        "folders": list(map(str, chosen)),
        "records": {key: str(run.directory) for key, run in found.items()},
        "ganbench": benchmark.__version__,
    }
    return frame
