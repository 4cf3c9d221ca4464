"""Weights of the feature extractors: where they lie, what they must hash to.

A score is only as good as the extractor behind it, so bytes that do not have the expected SHA-256 are
refused, never used. Committed weights have a training record beside them (same name, ``.json``) with theirs.
The Inception weights are downloaded once into our cache and must have the published digest; a file of the
user's own may have any, which is then part of the protocol.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark.data import mirrors
from benchmark.data.registry import SourceFile
from benchmark.errors import UserError
from benchmark.records import bounded, locks, places

INCEPTION_URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
"""Where torch-fidelity fetches the weights of the 2015 Inception graph from."""
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Its first eight digits are in the file's name; the whole is what those who downloaded the file state."""
VARIABLE = "GANBENCH_WEIGHTS"
"""Environment variable with a weights file for the Inception network, instead of the downloaded one."""


_MOST_BYTES = bounded.MIB << 10
"""Of weights; the published ones have 95 MB."""


def path(extractor: str) -> Path:
    """Locate the committed weights file of an extractor."""
    return Path(__file__).with_name(f"{extractor}.safetensors")


def record(weights: Path) -> dict[str, Any]:
    """Read the training record beside a weights file; `UserError` when it is missing or names no digest."""
    file = weights.with_suffix(".json")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {**content, "weights_sha256": str(content["weights_sha256"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"no usable training record ({error!r})"
        raise UserError(what, where=str(file), do="Reinstall ganbench") from error


def read_verified(weights: Path) -> bytes:
    """Content of a weights file, after its SHA-256 matched the record beside it; `UserError` otherwise."""
    expected = record(weights)["weights_sha256"]
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise UserError("cannot read the weights", where=str(weights), do="Reinstall ganbench") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise UserError(
            f"the weights have SHA-256 {actual[:12]}…, their training record says {expected[:12]}…",
            where=str(weights),
            do="Restore the file: scores from other weights cannot be compared",
        )
    return content


def inception_path() -> Path:
    """The file that ``GANBENCH_WEIGHTS`` names, else the place of the download. It may not exist."""
    if own := os.environ.get(VARIABLE):
        return Path(own)
    return places.cache_dir() / "weights" / INCEPTION_URL.rsplit("/", 1)[1]


def inception_digest() -> str:
    """SHA-256 (hex) of the Inception weights that would be used now.

    Raises:
        UserError: there is no file, it cannot be read, or the downloaded one is not the published one.

    """
    path = inception_path()
    try:
        bounded.check_regular(path, _MOST_BYTES)
        stat = path.stat()
        digest = _digest(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, bounded.Unreadable) as error:
        raise _unreadable(path, error) from error
    _check_download(path, digest)
    return digest


def read_inception(expected: str) -> bytes:
    """Content of the Inception weights file, once its SHA-256 is the expected one; `UserError` otherwise."""
    path = inception_path()
    try:
        content = bounded.read(path, _MOST_BYTES)
    except (OSError, bounded.Unreadable) as error:
        raise _unreadable(path, error) from error
    digest = hashlib.sha256(content).hexdigest()
    _check_download(path, digest)
    if digest != expected:
        raise UserError(
            f"the weights have SHA-256 {digest[:12]}…, the protocol says {expected[:12]}…",
            where=str(path),
            do=f"Give the file that the run was planned with, by --weights FILE or {VARIABLE}",
        )
    return content


def download_inception(url: str = INCEPTION_URL) -> Path:
    """Fetch the published weights into our cache, unless a file is there or one is given; returns its path.

    Nothing is kept of a download that is cut short or does not have the published digest.

    Raises:
        UserError: no connection, or other bytes than the published ones.

    """
    path = inception_path()
    if os.environ.get(VARIABLE) or path.is_file():
        return path
    file = SourceFile(path.name, content_sha256=INCEPTION_SHA256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = locks.hold(path.parent, lambda: None)
    except OSError as error:
        raise UserError(
            f"cannot be written ({error.strerror})", where=str(path), do=_by_hand(path)
        ) from error
    with lock:
        if not path.is_file():  # another process may have brought it
            mirrors.download(file, [url], path, do=_by_hand(path))
    return path


@lru_cache(maxsize=8)
def _digest(path: Path, _size: int, _mtime_ns: int) -> str:
    """SHA-256 (hex) of a file, computed again when its size or time changes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_download(path: Path, digest: str) -> None:
    if not os.environ.get(VARIABLE) and digest != INCEPTION_SHA256:
        raise UserError(
            f"the weights have SHA-256 {digest[:12]}…, the published file {INCEPTION_SHA256[:12]}…",
            where=str(path),
            do="Delete the file and run `ganbench verify-weights`, which downloads it again",
        )


def _unreadable(path: Path, error: OSError | bounded.Unreadable) -> UserError:
    if os.environ.get(VARIABLE):
        reason = error.strerror if isinstance(error, OSError) else error
        return UserError(f"cannot read the weights ({reason})", where=f"{VARIABLE}: {path}")
    do = (
        "Run `ganbench verify-weights`, which downloads them. "
        if isinstance(error, FileNotFoundError)
        else ""
    )
    return UserError("the Inception weights are not there", where=str(path), do=do + _by_hand(path))


def _by_hand(path: Path) -> str:
    return (
        f"Without a connection: fetch {INCEPTION_URL} elsewhere and put it at {path}, "
        f"or name the file by --weights FILE or {VARIABLE}"
    )
