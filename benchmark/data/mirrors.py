"""Downloads a file from the first of several mirrors that delivers it whole and unchanged."""

from __future__ import annotations

import errno
import hashlib
import http.client
import time
import urllib.request
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmark import __version__
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmark.data.registry import SourceFile

_CHUNK = 1 << 18


@dataclass(frozen=True)
class Patience:
    """When to give a mirror up.

    Attributes:
        silence_s: seconds without a byte, also until the connection stands.
        slow_after_s: how long a mirror may take before its speed counts.
        min_bytes_per_s: average speed below which the next mirror is tried; the last one may be slower.

    """

    silence_s: float = 20.0
    slow_after_s: float = 30.0
    min_bytes_per_s: float = 32_000.0


class _Refused(Exception):
    """What is wrong with a mirror's answer."""


def download(
    file: SourceFile,
    urls: Sequence[str],
    target: Path,
    *,
    told: Callable[[int, int | None], None],
    note: Callable[[str], None],
    patience: Patience | None = None,
) -> str:
    """Download `file` to `target`, which exists only when it is whole and has the known digest.

    Returns the URL it came from. Mirrors are tried in order; `note` hears of each that fails.

    Raises:
        UserError: no mirror delivered it; the message has each one's reason. Or the disk is full.

    """
    patience = patience or Patience()
    temporary = target.with_name(f".{target.name}.tmp")
    problems = []
    try:
        for url in urls:
            try:
                _get(url, temporary, patience, last=url == urls[-1], told=told)
                if wrong := difference(file, temporary):
                    raise _Refused(wrong)
            except (OSError, http.client.HTTPException, ValueError, _Refused) as error:
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise UserError("no space left", where=str(target), do="Free some") from error
                problems.append(f"{url}: {_reason(error)}")
                note(f"{url}: {_reason(error)}")
                continue
            temporary.replace(target)
            return url
    finally:
        temporary.unlink(missing_ok=True)
    raise UserError(
        f"no mirror delivers '{file.name}' ({'; '.join(problems)})",
        where=str(target),
        do=f"Try again, name a mirror with --mirror URL, or put the file there yourself ({expected(file)})",
    )


def expected(file: SourceFile) -> str:
    """The known digest in words."""
    if file.content_sha256:
        return f"expected SHA-256 of its uncompressed content: {file.content_sha256}"
    return f"expected MD5: {file.md5}" if file.md5 else "no published digest"


def difference(file: SourceFile, path: Path) -> str:
    """What is wrong with a local copy of `file`; empty when it has the known digests, or none is known."""
    if file.content_sha256:
        try:
            actual = _content_sha256(path)
        except (zlib.error, EOFError) as error:
            return f"damaged ({error}), {expected(file)}"
        if actual != file.content_sha256:
            return f"its content has SHA-256 {actual}, expected {file.content_sha256}"
    if file.md5 and (actual := file_digest(path, "md5")) != file.md5:
        return f"MD5 {actual}, expected {file.md5}"
    return ""


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Digest (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=algorithm != "md5")
        ).hexdigest()


def _content_sha256(path: Path) -> str:
    """SHA-256 of the file's content, uncompressed if it is gzipped."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        unzip = zlib.decompressobj(wbits=31)
        while chunk := file.read(_CHUNK):
            digest.update(unzip.decompress(chunk) if zipped else chunk)
    if zipped and not unzip.eof:
        raise EOFError("cut off")
    return digest.hexdigest()


def _get(
    url: str, path: Path, patience: Patience, *, last: bool, told: Callable[[int, int | None], None]
) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise _Refused("not an http or https address")
    request = urllib.request.Request(url, headers={"User-Agent": f"ganbench/{__version__}"})
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=patience.silence_s) as answer, path.open("wb") as file:
        length = answer.headers.get("Content-Length")
        total = int(length) if length else None
        done = 0
        while chunk := answer.read1(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            told(done, total)
            took = time.monotonic() - began
            if not last and took > patience.slow_after_s and done / took < patience.min_bytes_per_s:
                raise _Refused(f"too slow ({done / took / 1000:.1f} kB/s)")
    if total is not None and done != total:
        raise _Refused(f"cut off after {done} of {total} bytes")


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error) or type(error).__name__
