"""The registered data sets, read from `datasets.toml`: what they are, what they are made from."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.data import places
from benchmark.errors import UserError, did_you_mean


@dataclass(frozen=True)
class DatasetInfo:
    """A data set as reports and records describe it.

    Attributes:
        name: how suites and commands call it.
        title: how reports call it.
        shape: (channels, height, width) of one image; zeros for a folder that is not converted yet.
        n_train: images in the split that networks are trained on.
        n_held_out: images in the split that is never trained on; 0 when there is none, or not known yet.
        digest: SHA-256 (hex) of the content: the uint8 pixels of all images in the file's order, then one
            label per image in the same order. For converted sets "the file's order" is the training split
            before the held-out one, a split without labels adds none, and labels above 255 are
            little-endian uint16. Empty while it is not known. Of a set that is drawn, of name and source:
            what is drawn is in the settings and the code of its experiment.
        licence: the terms the images are under.
        source: where the images come from.

    """

    name: str
    title: str
    shape: tuple[int, int, int]
    n_train: int
    n_held_out: int
    digest: str
    licence: str
    source: str


@dataclass(frozen=True)
class SourceFile:
    """A file, or a folder, that a data set is converted from.

    Attributes:
        name: its file name, also the last part of its URL on a mirror.
        urls: where to download it, in order of preference; empty when a person has to get it.
        md5: MD5 (hex) of the file, as published.
        content_sha256: SHA-256 (hex) of a gzipped file's uncompressed content, which does not depend on how
            a mirror compresses.
        n_bytes: size of the download, to plan with; 0 where it is not known.
        is_folder: whether it is one; only of sets that are not downloaded.

    """

    name: str
    urls: tuple[str, ...] = ()
    md5: str = ""
    content_sha256: str = ""
    n_bytes: int = 0
    is_folder: bool = False


@dataclass(frozen=True)
class Definition:
    """A data set with what it takes to convert it.

    Attributes:
        info: its description; the digest is the known one of the official content, or empty.
        reader: ``module:function`` below `benchmark.data.sources`; empty for a set that needs no files.
        files: what the reader needs.
        folders: further places to look in, relative to the data directory (torchvision's layout).
        by_hand: how a person gets the files, where nobody may or can download them.
        never_download: not even from a mirror that the user names.
        drawn: there are no images: the experiment draws its data as it goes.

    """

    info: DatasetInfo
    reader: str = ""
    files: tuple[SourceFile, ...] = ()
    folders: tuple[str, ...] = ()
    by_hand: str = ""
    never_download: bool = False
    drawn: bool = False


def _read() -> dict[str, Definition]:
    table = tomllib.loads(Path(__file__).with_name("datasets.toml").read_text(encoding="utf-8"))
    found: dict[str, Definition] = {}
    for name, entry in table.items():
        n_folds = entry.pop("folds", 0)
        found[name] = _definition(name, entry)
        found |= {fold_name(name, k): _fold(found[name], k) for k in range(n_folds)}
    return found


def fold_name(name: str, fold: int) -> str:
    """What the labelled part of a data set with official folds is called: ``tfd-fold-0``."""
    return f"{name}-fold-{fold}"


def _fold(whole: Definition, fold: int) -> Definition:
    """Validation images (called the training split) and test images of a fold, out of the same files."""
    known = whole.info
    info = replace(
        known,
        name=fold_name(known.name, fold),
        title=f"{known.title}, fold {fold}",
        n_train=0,
        n_held_out=0,
        source=f"{known.source} Here: the validation part of fold {fold}; held out is its test part.",
    )
    return replace(whole, info=info, reader=whole.reader.replace(":read", ":read_fold"))


def _definition(name: str, entry: dict[str, Any]) -> Definition:
    channels, height, width = entry.pop("shape")
    files = tuple(
        SourceFile(**{**file, "urls": tuple(file.get("urls", ()))}) for file in entry.pop("files", ())
    )
    ours = {
        "reader": entry.pop("reader", ""),
        "folders": tuple(entry.pop("folders", ())),
        "by_hand": entry.pop("by_hand", ""),
        "never_download": entry.pop("never_download", False),
        "drawn": entry.pop("drawn", False),
    }
    if ours["drawn"]:
        entry["digest"] = hashlib.sha256(f"{name}: {entry['source']}".encode()).hexdigest()
    return Definition(DatasetInfo(name=name, shape=(channels, height, width), **entry), files=files, **ours)


DEFINITIONS = _read()
"""The contents of `datasets.toml` by name, in its order."""


def definition(name: str) -> Definition:
    """Look a data set up, by its name, as ``folder:PATH`` or as ``folder#CONTENT``.

    Raises:
        UserError: an unknown name.

    """
    if name.startswith(places.FOLDER_PREFIX):
        path, size = places.split_folder_name(name)
        return Definition(
            DatasetInfo(
                name=f"{places.FOLDER_PREFIX}{path}" + (f"@{size}" if size else ""),
                title=f"images of {places.shown(path.name)}" + (f" ({size}×{size})" if size else ""),
                shape=(3, size or 0, size or 0),
                n_train=0,
                n_held_out=0,
                digest="",
                licence="the folder's own",
                source=places.shown(path),
            ),
            reader="folder:read",
        )
    if re.fullmatch(rf"{places.CONTENT_PREFIX}[0-9a-f]{{16}}", name):
        return Definition(
            DatasetInfo(
                name=name,
                title="images of a folder",
                shape=(3, 0, 0),
                n_train=0,
                n_held_out=0,
                digest="",
                licence="the folder's own",
                source="a folder of images; the name has the start of their SHA-256",
            ),
            by_hand="it was made from a folder of images with these contents",
        )
    if name not in DEFINITIONS:
        raise UserError(f"unknown data set '{name}'", do=did_you_mean(name, DEFINITIONS))
    return DEFINITIONS[name]
