"""Finished runs packed into a folder that can be uploaded: `ganbench verify` and `evaluate` work on it.

README.md           a model card, with the header that the Hugging Face Hub reads
CITATION.cff        how to cite it; citations.bib has the papers
suites/             the suite files
runs/               as in a results folder, without logs; in each run generator.safetensors besides
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from typing import TYPE_CHECKING

from benchmark import suites
from benchmark.errors import NothingToJudge, UserError
from benchmark.judging.verify import runs_at
from benchmark.records import store
from benchmark.records.bounded import Unreadable
from benchmark.records.loaded import LoadedRecord
from benchmark.sharing import model_card
from benchmark.suites import experiments

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_FILES = ("spec.json", "record.json", "events.jsonl", "losses.safetensors")


def chosen(paths: Iterable[Path]) -> list[LoadedRecord]:
    """The finished runs at or below the paths, and those that they start from, each once.

    Raises:
        NothingToJudge: a path without any, a record that cannot be read, or no run that one starts from.

    """
    found: dict[str, LoadedRecord] = {}
    waiting = [directory for path in paths for directory in runs_at(path)]
    while waiting:
        directory = waiting.pop(0)
        try:
            record = store.load_record(directory)
        except FileNotFoundError:
            raise NothingToJudge("the run is not finished", where=str(directory)) from None
        except Unreadable as error:
            raise NothingToJudge(f"record.json {error}", where=str(directory)) from None
        if directory.name in found:
            continue
        found[directory.name] = LoadedRecord(record, directory)
        if before := record["spec"].get("starts_from"):
            waiting.append(_first(directory, before["experiment"], before["run_id"]))
    return sorted(found.values(), key=lambda run: (run.record["experiment"], run.record["seed"]))


def publish(
    records: Sequence[LoadedRecord],
    target: Path,
    *,
    title: str,
    authors: Sequence[str],
    licence: str | None = None,
    suite_file: Path | None = None,
) -> list[str]:
    """Write the folder; gives the names of suites whose files are not known.

    Args:
        records: from `chosen`.
        target: a new or empty folder.
        title: of the whole.
        authors: of the runs.
        licence: SPDX identifier of the terms of what is published; nothing is said if None.
        suite_file: the suite, where it does not come with ganbench.

    Raises:
        UserError: the folder holds something, or a checkpoint is damaged.

    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError("exists and is not empty", where=str(target), do="Choose a new folder")
    half = target.with_name(f".{target.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    try:
        for run in records:
            _copy(run, half / "runs" / run.record["experiment"] / run.directory.name)
        (half / "suites").mkdir()
        names = {run.record["suite"] for run in records} - {suite_file.stem if suite_file else ""}
        for name in names & {*suites.names()}:
            content = files("benchmark.suites").joinpath(f"{name}.toml").read_bytes()
            (half / "suites" / f"{name}.toml").write_bytes(content)
        if suite_file:
            shutil.copyfile(suite_file, half / "suites" / suite_file.name)
        papers = experiments.bibtex(run.record["spec"]["experiment"]["paper"] for run in records)
        for name, text in (
            ("README.md", model_card.card(records, title, licence)),
            ("CITATION.cff", model_card.citation(records, title, authors, licence)),
            ("citations.bib", papers),
        ):
            (half / name).write_text(text, encoding="utf-8")
        half.replace(target)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return sorted(names - {*suites.names()})


def _copy(run: LoadedRecord, to: Path) -> None:
    from safetensors.torch import save_file

    from benchmark.training import checkpoint

    (to / "samples").mkdir(parents=True)
    for name in (*_FILES, *run.record["samples"]):
        if (run.directory / name).is_file():
            shutil.copyfile(run.directory / name, to / name)
    available = checkpoint.available(run.directory / "checkpoints")
    if not available:
        raise NothingToJudge("the run has no checkpoint, so no weights", where=str(run.directory))
    (to / "checkpoints").mkdir()
    for file in available:
        shutil.copyfile(file, to / "checkpoints" / file.name)
    if run.record["status"] == "done":
        try:
            _, tensors = checkpoint.read(available[0])
        except checkpoint.DamagedCheckpoint as error:
            raise UserError(f"the checkpoint {error}", where=str(run.directory)) from error
        save_file(checkpoint.scored_part(tensors), to / store.GENERATOR)


def _first(directory: Path, experiment: str, run_id: str) -> Path:
    """Where the run lies that this one starts from."""
    folder = directory.absolute().parents[2] / experiment
    for path in sorted(folder.glob(f"{run_id[:12]}-*")):
        record = store.read_record(path)
        if record and record["run_id"] == run_id:
            return path
    raise NothingToJudge(f"the run of '{experiment}' that it starts from is not here", where=str(directory))
