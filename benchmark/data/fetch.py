"""Makes a data set ready: finds or downloads its files, has them read, and converts them, once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, cast

from benchmark.data import converted, mirrors, places, registry
from benchmark.data.meter import Meter
from benchmark.data.sources import Content, Request
from benchmark.errors import UserError
from benchmark.records import atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmark.data.registry import Definition, SourceFile


def fetch(
    name: str,
    *,
    mirror: Sequence[str] = (),
    local: Path | None = None,
    skip_broken: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> Path:
    """Make a data set ready and return the folder with its arrays; does nothing when it is.

    Args:
        name: a registered data set or ``folder:PATH``.
        mirror: base URLs to try before the known ones.
        local: a folder that holds the files already.
        skip_broken: leave out images that cannot be used.
        note: gets lines for a person.

    Raises:
        UserError: unknown data set; files missing, damaged or not to be had; unusable images; disk full.

    """
    definition = registry.definition(name)
    if not definition.reader:
        return places.data_dir()  # embedded: nothing to do
    if name.startswith(places.FOLDER_PREFIX) and not (path := places.split_folder_name(name)[0]).is_dir():
        raise places.no_folder(path)
    from benchmark.data import convert

    folder = places.converted_folder(name)
    with convert.locked(folder, lambda: note(f"{name}: another process is making it; waiting")):
        try:
            if converted.metadata(folder):
                return folder
        except converted.Damaged as error:
            note(f"{name}: {error}; making it again")
        atomic.remove_litter(folder)
        files = {
            file.name: _available(definition, file, folder, local, mirror, note) for file in definition.files
        }
        _convert(definition, folder, files, skip_broken, note)
    return folder


def _convert(
    definition: Definition,
    folder: Path,
    files: dict[str, Path],
    skip_broken: bool,
    note: Callable[[str], None],
) -> None:
    from benchmark.data import convert

    name = definition.info.name
    module, function = definition.reader.split(":")
    read = cast(
        "Callable[[Request], Content]",
        getattr(importlib.import_module(f"benchmark.data.sources.{module}"), function),
    )
    meter = Meter(f"converting {name}", "images", 1)
    try:
        content = read(Request(name, files, folder, skip_broken))
        found = convert.convert(
            folder,
            content,
            name=places.shown(name),
            expected_digest=definition.info.digest,
            sources={file.name: _described(file, files[file.name]) for file in definition.files},
            told=meter,
        )
    finally:
        meter.end()
        atomic.remove_litter(folder)
    note(f"{name}: {'; '.join(_remarks(definition, found))}")


def _available(
    definition: Definition,
    file: SourceFile,
    folder: Path,
    local: Path | None,
    mirror: Sequence[str],
    note: Callable[[str], None],
) -> Path:
    """A whole copy of a source file, found or downloaded."""
    name, own = definition.info.name, folder / "source"
    problem = ""
    for place in _places(definition, file, own, local):
        for path in _candidates(place, file, definition):
            if not (path.is_file() or path.is_dir()):
                continue
            if path.is_dir() != file.is_folder:
                problem = f"{path} is a {'file' if file.is_folder else 'folder'}"
                note(problem)
                continue
            wrong = "" if file.is_folder else mirrors.difference(file, path)
            if not wrong:
                return path
            if definition.never_download:  # no official sum is known for certain: say it, and go on
                note(f"{path}: {wrong}; used all the same, its content gets its own digest")
                return path
            problem = f"{path} is damaged: {wrong}"
            note(problem)
    urls = [f"{base.rstrip('/')}/{file.name}" for base in mirror] + list(file.urls)
    if definition.never_download or not urls:
        raise UserError(
            problem or f"'{file.name}' is missing ({mirrors.expected(file)})",
            where=str(own / file.name),
            do=f"Put it there, or name its folder with --from: {definition.by_hand}",
        )
    if places.offline():
        raise UserError(
            (problem or f"'{file.name}' is missing ({mirrors.expected(file)})")
            + ", and offline nothing is downloaded",
            where=str(own / file.name),
            do=f"Put {urls[0]} there, or run 'ganbench data fetch {name}' with a network",
        )
    if (own / file.name).is_dir():
        raise UserError("is a folder in a file's place", where=str(own / file.name), do="Remove it")
    own.mkdir(parents=True, exist_ok=True)
    do = "Try again, name a mirror with --mirror URL, or put the file there yourself"
    do += f" ({mirrors.expected(file)})"
    mirrors.download(file, urls, own / file.name, do=do, note=note)
    return own / file.name


def _places(definition: Definition, file: SourceFile, own: Path, local: Path | None) -> list[Path]:
    """Folders to look for a source file in, in order."""
    found = [own, own.parent, *(places.data_dir() / sub for sub in definition.folders)]
    if "." in file.name:  # a mere 'train' in the data directory itself could be anything
        found.append(places.data_dir())
    return found if local is None else [local, *found]


def _candidates(place: Path, file: SourceFile, definition: Definition) -> list[Path]:
    """Where in a folder a source file may lie; uncompressed too when its content's digest is known."""
    names = [file.name] + ([file.name.removesuffix(".gz")] if file.content_sha256 else [])
    inside = (place, *(place / sub for sub in definition.folders), place / "raw")
    return [folder / name for folder in inside for name in names]


def _described(file: SourceFile, path: Path) -> dict[str, Any]:
    """A source for the record: SHA-256 and size of a file, the mere path of a folder.

    `as_published` says that a digest is published and that this copy has it.
    """
    if path.is_dir():
        return {"path": str(path), "as_published": False}
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "sha256": mirrors.file_digest(path),
        "as_published": bool(file.md5 or file.content_sha256) and not mirrors.difference(file, path),
    }


def _remarks(definition: Definition, found: dict[str, Any]) -> list[str]:
    counts = [found["splits"][split]["images"] for split in converted.SPLITS]
    folders = found["notes"].get("folders", {})
    train, held_out = (f" ({folders[split]})" if split in folders else "" for split in converted.SPLITS)
    shape = "x".join(map(str, found["shape"]))
    lines = [
        f"{counts[0]} images to train on{train}, {counts[1]} held out{held_out}, {shape}, "
        f"SHA-256 {found['digest']}"
    ]
    if left_out := found["notes"].get("left out"):
        lines.append("left out: " + ", ".join(f"{count} {kind}" for kind, count in left_out.items()))
    official = (definition.info.n_train, definition.info.n_held_out)
    for count, known, split in zip(counts, official, converted.SPLITS, strict=True):
        if known and count != known:
            lines.append(f"not the whole set: {count} instead of {known} images in '{split}'")
    return [*lines, *found["notes"].get("account", [])]
