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
from benchmark.judging import selection
from benchmark.judging.verify import runs_at
from benchmark.records import bounded, loss_file, places, store
from benchmark.records.bounded import Unreadable
from benchmark.records.loaded import LoadedRecord
from benchmark.sharing import model_card
from benchmark.suites import experiments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmark.suites import Suite

_FILES = {
    "spec.json": 256 * bounded.MIB,
    "record.json": 256 * bounded.MIB,
    "events.jsonl": 1024 * bounded.MIB,
    loss_file.NAME: loss_file.MOST_BYTES,
}
"""What is copied, and the most bytes that it may have."""
_WHOLE = "`ganbench verify` on it tells all. Copy the run again from where it is whole"


def chosen(paths: Iterable[Path]) -> list[LoadedRecord]:
    """The finished runs at or below the paths, and those that they start from, each once.

    Raises:
        NothingToJudge: a path without any, a record that cannot be read, or no run that one starts from.

    """
    found: dict[Path, LoadedRecord] = {}
    waiting = [directory for path in paths for directory in runs_at(path)]
    while waiting:
        directory = waiting.pop(0)
        try:
            record = store.load_record(directory)
        except FileNotFoundError:
            raise NothingToJudge("the run is not finished", where=str(directory)) from None
        except Unreadable as error:
            raise NothingToJudge(f"record.json {error}", where=str(directory)) from None
        run = LoadedRecord(record, directory)
        if (place := model_card.folder(run)) in found:
            continue
        found[place] = run
        if before := record["spec"].get("starts_from"):
            waiting.append(_first(directory, before))
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
        target: a new or empty folder, or a link to one.
        title: of the whole.
        authors: of the runs.
        licence: SPDX identifier of the terms of what is published; nothing is said if None.
        suite_file: the suite, where it does not come with ganbench.

    Raises:
        NothingToJudge: a run has no checkpoint.
        UserError: the folder holds something or cannot be written, a checkpoint is damaged, or a file of a
            run is missing, is not what its record says, lies outside of its directory, is no regular file,
            or is too large.

    """
    half, there = _half(target)
    shutil.rmtree(half, ignore_errors=True)
    try:
        for run in records:
            _copy(run, half / model_card.folder(run))
        (half / "suites").mkdir()
        names = {run.record["suite"] for run in records} - {suite_file.stem if suite_file else ""}
        shipped = {name for name in names & {*suites.names()} if _are_of(suites.load(name), records)}
        for name in shipped:
            content = files("benchmark.suites").joinpath(f"{name}.toml").read_bytes()
            (half / "suites" / f"{name}.toml").write_bytes(content)
        if suite_file:
            _copy_file(suite_file, half / "suites" / suite_file.name, bounded.MIB, where=str(suite_file))
        papers = experiments.bibtex(run.record["spec"]["experiment"]["paper"] for run in records)
        for name, text in (
            ("README.md", model_card.card(records, title, licence)),
            ("CITATION.cff", model_card.citation(records, title, authors, licence)),
            ("citations.bib", papers),
        ):
            (half / name).write_text(text, encoding="utf-8")
        if there:
            for path in [*half.iterdir()]:
                path.replace(target / path.name)
        else:
            half.replace(target)
    except OSError as error:
        what = f"the system refuses it ({error.strerror or error})"
        raise UserError(what, where=str(error.filename or target)) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return sorted(names - shipped)


def _are_of(suite: Suite, records: Sequence[LoadedRecord]) -> bool:
    """Whether the runs of a suite of that name are of this one: a record has no more of it than the name."""
    own = [run.record for run in records if run.record["suite"] == suite.name]
    return all(selection.belongs(suite, record["spec"], {record["seed"]}) for record in own)


def _half(target: Path) -> tuple[Path, bool]:
    """Where to put the folder together, and whether the target is there already.

    That one is filled, not replaced: somebody may stand in it (`--to .`), or it is a link or a volume.
    """
    there = target.exists()
    if target.is_symlink() and not there:
        raise UserError("is a link that leads nowhere", where=str(target), do="Choose a new folder")
    if there and (not target.is_dir() or any(target.iterdir())):
        raise UserError("exists and is not empty", where=str(target), do="Choose a new folder")
    if there:
        return target / ".part", True
    return target.with_name(f".{target.name}.part"), False


def _copy(run: LoadedRecord, to: Path) -> None:
    from safetensors.torch import save_file

    from benchmark.training import checkpoint

    (to / "samples").mkdir(parents=True)
    for name, limit in {**_FILES, **dict.fromkeys(run.record["samples"], bounded.PICTURE_BYTES)}.items():
        try:
            _copy_own(run.directory, name, to, limit)
        except FileNotFoundError as error:
            if name != "events.jsonl":  # which nothing that is published is checked by
                raise UserError(f"{name} is missing", where=str(run.directory), do=_WHOLE) from error
    if store.read_spec(to) != run.record["spec"]:
        raise UserError("spec.json is not that of its record", where=str(run.directory), do=_WHOLE)
    available = checkpoint.available(run.directory / "checkpoints")
    if not available:
        raise NothingToJudge("the run has no checkpoint, so no weights", where=str(run.directory))
    (to / "checkpoints").mkdir()
    for file in available:
        _copy_own(run.directory, f"checkpoints/{file.name}", to, checkpoint.MOST_BYTES)
    if run.record["status"] == "done":
        try:
            _, tensors = checkpoint.read(available[0])
        except checkpoint.DamagedCheckpoint as error:
            raise UserError(f"the checkpoint {error}", where=str(run.directory)) from error
        if (
            checkpoint.digest(checkpoint.part(tensors, "generator"))
            != run.record["digests"]["generator_weights"]
        ):
            what = f"{available[0].name} does not hold the generator of its record"
            raise UserError(what, where=str(run.directory), do=_WHOLE)
        save_file(checkpoint.scored_part(tensors), to / store.GENERATOR)


def _copy_own(directory: Path, name: str, to: Path, limit: int) -> None:
    """A file of a run; a link in a stranger's must not put other files of the user into what is published."""
    path = places.inside(directory, name)
    if path is None:
        do = "Put the file itself there if it is the run's; else remove the link"
        raise UserError(f"{name} leads out of the run's directory", where=str(directory), do=do)
    _copy_file(path, to / name, limit, where=str(directory))


def _copy_file(path: Path, to: Path, limit: int, *, where: str) -> None:
    try:
        bounded.check_regular(path, limit)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except Unreadable as error:
        raise UserError(f"{path.name} {error}", where=where, do="Remove it, or take another run") from error
    shutil.copyfile(path, to)


def _first(directory: Path, before: Mapping[str, str]) -> Path:
    """Where the run lies that this one starts from."""
    for path in store.first_stages(directory, before):
        record = store.read_record(path)
        if record and record["run_id"] == before["run_id"]:
            return path
    what = f"the run of '{before['experiment']}' that it starts from is not here"
    do = "Name it in the results folder that has both"
    raise NothingToJudge(what, where=str(directory), do=do)
