"""Downloads a file from the first of several mirrors that delivers it whole and unchanged. By pooch.

What pooch has not: mirrors to try in turn, a lowest speed, digests of what is inside a gzipped file.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import time
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

from benchmark import __version__
from benchmark.data import archives
from benchmark.data.meter import Meter
from benchmark.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmark.data.registry import SourceFile

_CHUNK = 1 << 13
"""Bytes after which a mirror's speed is looked at: few, since pooch waits until it has all of them."""
_MOST_BYTES = 1 << 32
"""Of a file; the largest that is downloaded, STL-10's, has 2.6 GB."""
_SILENCE_S = 20.0
"""Seconds without a byte, also until the connection stands, after which a mirror is given up."""
_SLOW_AFTER_S, _MIN_BYTES_PER_S = 30.0, 32_000.0
"""After so long the next mirror is tried if the average speed is lower; the last one may be slower."""


class _Refused(Exception):
    """What is wrong with a mirror's answer."""


def download(
    file: SourceFile,
    urls: Sequence[str],
    target: Path,
    *,
    do: str,
    note: Callable[[str], None] = lambda _: None,
) -> str:
    """Download `file` to `target`, which exists only when it is whole and has the known digest.

    The caller holds the lock of the target's folder. Returns the URL it came from. Mirrors are tried in
    order; `note` hears of each that fails, `do` is what a person can do when all have.

    Raises:
        UserError: no mirror delivered it; the message has each one's reason. Or the disk is full.

    """
    temporary = target.with_name(f".{target.name}.tmp")
    problems = []
    try:
        for url in urls:
            try:
                _get(url, temporary, last=url == urls[-1])
                if wrong := difference(file, temporary):
                    raise _Refused(wrong)
            except (OSError, ValueError, _Refused) as error:  # those of requests are OSErrors
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise UserError("no space left", where=str(target), do="Free some") from error
                problems.append(f"{url}: {_reason(error, url)}")
                note(problems[-1])
                continue
            temporary.replace(target)
            return url
    finally:
        temporary.unlink(missing_ok=True)
    raise UserError(f"no mirror delivers '{file.name}' ({'; '.join(problems)})", where=str(target), do=do)


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
        except (zlib.error, EOFError, gzip.BadGzipFile) as error:
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
    """SHA-256 of the file's content; of all that is in it if it is gzipped."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    if not zipped:
        return file_digest(path)
    digest = hashlib.sha256()
    for chunk in archives.gzip_chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


class _Progress:
    """What pooch takes for a progress bar: tells how far a download is, and ends one that is too slow."""

    total: int  # set by pooch; 0 when the mirror does not say

    def __init__(self, file: BinaryIO, what: str, *, last: bool) -> None:
        self._file, self._last = file, last
        self._began = time.monotonic()
        self._meter = Meter(what)

    def update(self, _n: int) -> None:
        done, took = self._file.tell(), time.monotonic() - self._began
        self._meter(done, self.total or None)
        if max(done, self.total or 0) > _MOST_BYTES:
            raise _Refused(f"sends more than {_MOST_BYTES} bytes")
        slow = took > _SLOW_AFTER_S and done / took < _MIN_BYTES_PER_S
        if slow and not self._last and done != self.total:
            raise _Refused(f"too slow ({done / took / 1000:.1f} kB/s)")

    def reset(self) -> None:
        """Nothing: pooch calls it before the last update."""

    def close(self) -> None:
        self._meter.end()


def _get(url: str, path: Path, *, last: bool) -> None:
    import pooch

    with path.open("wb") as file:
        progress = _Progress(file, f"downloading {url.rsplit('/', 1)[-1]}", last=last)
        get = pooch.HTTPDownloader(
            progressbar=progress,
            chunk_size=_CHUNK,
            timeout=_SILENCE_S,
            headers={"User-Agent": f"ganbench/{__version__}", "Accept-Encoding": "identity"},
            hooks={"response": _keep_zipped},
        )
        try:
            get(url, file, None)
        finally:
            progress.close()


def _keep_zipped(answer: Any, **_: Any) -> None:
    """Some servers call a .gz file an encoding of another file; requests would unzip it."""
    answer.raw.headers.pop("Content-Encoding", None)


def _reason(error: BaseException, url: str) -> str:
    """What came first in a chain of errors: requests wraps it up to three times."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return str(error).removesuffix(f" for url: {url}") or type(error).__name__
