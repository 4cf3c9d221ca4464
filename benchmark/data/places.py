"""Where data sets live, and whether the network may be used."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from pathlib import Path

from benchmark.errors import UserError
from benchmark.records import bounded
from benchmark.records.places import expanded, user_cache

DIRECTORY_VARIABLE = "GANBENCH_DATA_DIR"
OFFLINE_VARIABLE = "GANBENCH_OFFLINE"
FOLDER_PREFIX = "folder:"
CONTENT_PREFIX = "folder#"
"""Before the start of a converted folder's digest: its name in results, where no path belongs."""


def data_dir() -> Path:
    """The data directory: ``GANBENCH_DATA_DIR``, else ``ganbench/data`` in the user's cache directory."""
    if chosen := os.environ.get(DIRECTORY_VARIABLE):
        return expanded(chosen, f"${DIRECTORY_VARIABLE}")
    return user_cache() / "data"


def offline() -> bool:
    """Whether ``GANBENCH_OFFLINE`` forbids opening a socket."""
    return os.environ.get(OFFLINE_VARIABLE, "").lower() not in ("", "0", "false", "no")


def split_folder_name(name: str) -> tuple[Path, int | None]:
    """Absolute path and edge length asked for by ``folder:PATH`` or ``folder:PATH@SIZE``.

    Raises:
        UserError: no path, or a size outside 1..4096.

    """
    text = name.removeprefix(FOLDER_PREFIX)
    if not text:
        raise UserError(
            "'folder:' without a path", do="Name a folder of images: folder:PATH or folder:PATH@64"
        )
    size = None
    found = re.fullmatch(r"(.+)@([0-9]+)", text)
    if found and not expanded(text).exists():
        text, size = found[1], int(found[2])
        if not 1 <= size <= 4096:
            raise UserError(f"images of {size} pixels", where=name, do="Choose a size from 1 to 4096")
    return expanded(text), size


def no_folder(path: Path) -> UserError:
    """What to raise where `split_folder_name` found a path at which there is no folder."""
    return UserError(
        "no such folder",
        where=shown(path),
        do="After `folder:` goes the path of a folder of images, whole or from where you are",
    )


def converted_folder(name: str) -> Path:
    """Folder that the converted arrays of a data set are in, or will be.

    A folder of images gets a name made from its path and from the names, sizes and times of its files: when
    they change, it is another data set, to be converted again.
    """
    if name.startswith(CONTENT_PREFIX):
        return _with_content(name.removeprefix(CONTENT_PREFIX))
    if not name.startswith(FOLDER_PREFIX):
        return data_dir() / name
    path, size = split_folder_name(name)
    key = hashlib.sha256(f"{path}\0{size}".encode("utf-8", "surrogateescape"))
    for relative, entry in _entries(path)[0]:
        try:
            status = entry.stat()
        except OSError:  # gone since
            continue
        times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"  # the second cannot be set by `cp -p` or `tar`
        key.update(f"\0{relative}\0{status.st_size}\0{times}".encode("utf-8", "surrogateescape"))
    return data_dir() / f"folder-{key.hexdigest()[:16]}"


def _with_content(start: str) -> Path:
    """The converted folder whose digest starts so; one that does not exist if there is none."""
    for metadata in sorted(data_dir().glob("folder-*/dataset.json")):
        try:
            digest = bounded.read_json(metadata, 64 * bounded.MIB)["digest"]
        except (FileNotFoundError, bounded.Unreadable, KeyError, TypeError):
            continue
        if str(digest).startswith(start):
            return metadata.parent
    return data_dir() / f"folder-with-content-{start}"


def listing(path: Path) -> list[tuple[str, Path]]:
    """All files below a folder but hidden ones, as (relative name, path) in the order of their names."""
    return survey(path)[0]


def survey(path: Path) -> tuple[list[tuple[str, Path]], dict[str, int]]:
    """`listing`, and how many entries were passed over, by kind.

    Linked folders are read too, each real folder once: under its own name if it has one here.
    """
    found, passed_over = _entries(path)
    return [(relative, Path(entry.path)) for relative, entry in found], passed_over


def shown(name: str | Path) -> str:
    """A name as text that can be written: bytes that are no UTF-8 with a backslash and their code."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _entries(path: Path) -> tuple[list[tuple[str, os.DirEntry[str]]], dict[str, int]]:
    found: list[tuple[str, os.DirEntry[str]]] = []
    passed_over: Counter[str] = Counter()
    read: set[tuple[int, int]] = set()
    waiting, linked = [("", str(path))], list[tuple[str, str]]()
    while waiting or linked:
        if not waiting:  # links wait until all real folders are read
            linked.sort(reverse=True)
            waiting.append(linked.pop())
        prefix, folder = waiting.pop()
        try:
            status = os.stat(folder)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in read:
                passed_over["linked folders that are read already"] += 1
                continue
            entries = list(os.scandir(folder))
        except OSError:
            passed_over["folders that cannot be read"] += 1
            continue
        read.add((status.st_dev, status.st_ino))
        for entry in entries:
            kind = _kind(entry, path)
            if kind == "file":
                found.append((prefix + entry.name, entry))
            elif kind in ("folder", "linked folder"):
                (waiting if kind == "folder" else linked).append((f"{prefix}{entry.name}/", entry.path))
            else:
                passed_over[kind] += 1
    return sorted(found, key=lambda pair: pair[0]), dict(sorted(passed_over.items()))


def _kind(entry: os.DirEntry[str], root: Path) -> str:
    """``file``, ``folder``, ``linked folder``, or why an entry is passed over."""
    if entry.name.startswith(".") or entry.name == "__MACOSX":
        return "hidden"
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if entry.is_dir():
            around = root.resolve().is_relative_to(Path(entry.path).resolve())
            return "links to a folder around this one" if around else "linked folder"
        return "file" if entry.is_file() else "links to nothing, pipes or devices"
    except OSError:  # a circle of links
        return "links to nothing, pipes or devices"
