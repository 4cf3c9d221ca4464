"""A run directory on its way to a machine of the cluster and back, as names and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.records import atomic, places

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_EVENTS, _PROGRESS, _RECORD = "events.jsonl", "progress.json", "record.json"


def packed(directory: Path) -> dict[str, bytes]:
    """Content of every file of a run directory but hidden ones, by name relative to it."""
    return {name: content for name, _, content in _read(directory, {})}


class Watch:
    """Notices what a run's process changes in its directory."""

    def __init__(self, directory: Path) -> None:
        """`directory` as it is now counts as known."""
        self._directory = directory
        self._known = {name: stamp for name, stamp, _ in _read(directory, {})}

    def changed(self) -> tuple[dict[str, bytes], set[str]]:
        """What is new or other than at the last call, by name; and the names of all files there are.

        Events are read first, so that a checkpoint which they tell of is there too, or a newer one.
        """
        found = list(_read(self._directory, self._known))
        self._known |= {name: stamp for name, stamp, _ in found}
        return {name: content for name, _, content in found}, set(_names(self._directory))


def unpack(files: dict[str, bytes], directory: Path, there: set[str] | None = None) -> None:
    """Write files into a run directory, the record last; `OSError` where that cannot be.

    Args:
        files: content by relative name.
        directory: created where it is not there.
        there: names on the other side; checkpoints that it has no longer, and the progress, are removed.

    """
    for name in sorted(files, key=lambda name: name == _RECORD):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, files[name])
    for path in [directory / _PROGRESS, *places.checkpoints(directory / "checkpoints")]:
        if there is not None and path.relative_to(directory).as_posix() not in there:
            path.unlink(missing_ok=True)


def _read(
    directory: Path, known: dict[str, tuple[int, int, int]]
) -> Iterator[tuple[str, tuple[int, int, int], bytes]]:
    """Name, stamp and content of each file whose stamp is not the known one."""
    for name in _names(directory):
        try:
            with (directory / name).open("rb") as file:
                status = (directory / name).stat()
                stamp = status.st_mtime_ns, status.st_size, status.st_ino
                if known.get(name) != stamp:
                    yield name, stamp, file.read()
        except FileNotFoundError:  # an older checkpoint, removed since
            continue


def _names(directory: Path) -> list[str]:
    """Of all files but hidden ones; the events first."""
    names = [path.relative_to(directory) for path in directory.rglob("*") if path.is_file()]
    shown = [name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts)]
    return sorted(shown, key=lambda name: (name != _EVENTS, name))
