"""The registered data sets: what they are, and their images as one uint8 tensor.

`digits` is embedded. Points of the plane have no images: their experiments draw them. All others are
converted once (`benchmark.data.fetch`) to arrays that are mapped into memory, so that opening one takes no
time and reading takes only the memory of the images that are used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from benchmark.data import converted, places, registry
from benchmark.data.meter import Meter
from benchmark.data.registry import DatasetInfo
from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

__all__ = [
    "DatasetInfo",
    "Split",
    "check",
    "folder",
    "info",
    "is_drawn",
    "is_official",
    "is_ready",
    "load",
    "load_labels",
    "name_in_results",
    "names",
    "release",
    "require",
]

Split = Literal["train", "held-out"]

_EMBEDDED = "digits"


def names() -> tuple[str, ...]:
    """List the registered data sets; ``folder:PATH`` is one more for each folder of images."""
    return tuple(registry.DEFINITIONS)


def info(name: str) -> DatasetInfo:
    """Describe a data set: as it was converted, else as it is known; `UserError` for an unknown name."""
    known = registry.definition(name).info
    if _needs_no_files(name):
        return known
    try:
        found = converted.metadata(folder(name))
    except converted.Damaged:
        found = None
    if found is None:
        return known
    channels, height, width = found["shape"]
    return replace(
        known,
        shape=(channels, height, width),
        n_train=found["splits"]["train"]["images"],
        n_held_out=found["splits"]["held-out"]["images"],
        digest=found["digest"],
    )


def name_in_results(name: str) -> str:
    """Name of a data set that is ready, without a path: a folder of images is called by its content."""
    if name.startswith(places.FOLDER_PREFIX):
        return places.CONTENT_PREFIX + info(name).digest[:16]
    return name


def folder(name: str) -> Path:
    """Where a data set's arrays are, or will be."""
    return places.converted_folder(name)


def is_ready(name: str) -> bool:
    """Whether a data set can be loaded without fetching it; `UserError` for an unknown name."""
    return _needs_no_files(name) or not _look(name, folder(name))[1]


def is_drawn(name: str) -> bool:
    """Whether there are no images, as the experiment draws its data; `UserError` for an unknown name."""
    return registry.definition(name).drawn


def is_official(name: str) -> bool:
    """Whether a data set that is ready is the one its authors publish, by a digest of theirs or ours."""
    if registry.definition(name).info.digest:
        return is_ready(name)  # the digest was compared
    return converted.is_official(_found(name)[1])


def require(name: str) -> None:
    """Make sure that a data set can be loaded. Quick: looks at sizes and recorded digests.

    Raises:
        UserError: it cannot; the message has the path, the expected digest and how to get it.

    """
    if not _needs_no_files(name):
        _found(name)


def check(name: str, told: Callable[[int, int], None] = lambda *_: None) -> str:
    """Hash all images and labels of a data set again and return the digest. Takes a while.

    `told` gets (bytes hashed, bytes in all).

    Raises:
        NothingToJudge: it is missing or damaged.

    """
    if _needs_no_files(name):
        load(name, "train")
        return info(name).digest
    path = folder(name)
    found, problem = _look(name, path)
    if problem:
        raise NothingToJudge(problem, where=str(path), do=_how_to_get(name))
    try:
        converted.verify(path, found, told, anew=True)
    except converted.Damaged as error:
        raise NothingToJudge(f"'{name}' is damaged: {error}", where=str(path), do=_repair(name)) from error
    return str(found["digest"])


def load(name: str, split: Split) -> torch.Tensor:
    """Images of one split, uint8 [N,C,H,W] on the CPU in the split's fixed order; the caller's own copy.

    Those of a converted set are mapped: pages are read when they are used, and what the caller writes stays
    in its memory. All of the set is hashed first, if it was not since its files last changed; `digits` is
    hashed at every load.

    Raises:
        UserError: unknown data set or split; not ready; or damaged.

    """
    _check_split(name, split)
    import torch

    if is_drawn(name):
        return torch.empty((0, *info(name).shape), dtype=torch.uint8)
    if name == _EMBEDDED:
        return torch.from_numpy(_digits(split)[0])
    path, found = _found(name)
    try:
        _verify(name, path, found)
        return torch.from_numpy(converted.open_images(path, found, split))
    except converted.Damaged as error:
        raise UserError(f"'{name}' is damaged: {error}", where=str(path), do=_repair(name)) from error


def load_labels(name: str, split: Split) -> torch.Tensor:
    """Class of each image of `load(name, split)`, int64 [N] on the CPU.

    Raises:
        UserError: as for `load`, or this split has no labels.

    """
    _check_split(name, split)
    import torch

    if is_drawn(name):
        return torch.empty(0, dtype=torch.int64)
    if name == _EMBEDDED:
        return torch.from_numpy(_digits(split)[1].astype("int64"))
    path, found = _found(name)
    try:
        _verify(name, path, found)
        labels = converted.open_labels(path, found, split)
    except converted.Damaged as error:
        raise UserError(f"'{name}' is damaged: {error}", where=str(path), do=_repair(name)) from error
    if labels is None:
        raise UserError(f"'{split}' has no labels", where=f"data set '{name}'")
    return torch.from_numpy(labels.astype("int64"))


def release(images: torch.Tensor) -> bool:
    """Give the memory that mapped images occupy back, without closing them; False for images in memory.

    Pages that were used count as this process's memory until the system needs them. Who reads a large set
    for long calls this now and then. What was written to the images is lost.
    """
    return converted.release(images.data_ptr())


def _needs_no_files(name: str) -> bool:
    return name == _EMBEDDED or is_drawn(name)


def _check_split(name: str, split: str) -> None:
    registry.definition(name)  # an unknown one
    if split not in ("train", "held-out"):
        raise UserError(f"unknown split '{split}'", where=name, do="Choose 'train' or 'held-out'")


def _digits(split: Split) -> tuple[Any, Any]:
    from benchmark.data import digits

    return digits.load(split, digest=info(_EMBEDDED).digest)


def _verify(name: str, path: Path, found: dict[str, Any]) -> None:
    """Hash a converted set where that is due, with a word about how far it is if it takes long."""
    meter = Meter(f"hashing {name}")
    try:
        converted.verify(path, found, meter)
    finally:
        meter.end()


def _found(name: str) -> tuple[Path, dict[str, Any]]:
    """Folder and metadata of a converted set; raises like `require`."""
    path = folder(name)
    found, problem = _look(name, path)
    if problem:
        raise UserError(problem, where=str(path), do=_how_to_get(name))
    return path, found


def _look(name: str, path: Path) -> tuple[dict[str, Any], str]:
    """Metadata of a converted set, and why it cannot be loaded: empty when it can. Quick."""
    known = registry.definition(name).info.digest
    expected = f", expected SHA-256 of the content: {known}" if known else ""
    try:
        found = converted.metadata(path)
    except converted.Damaged as error:
        return {}, f"the data set '{name}' is damaged: {error}{expected}"
    if found is None:
        none = " (no digest is published; it gets its own)"
        return {}, f"the data set '{name}' is not there{expected or none}"
    if known and found["digest"] != known:
        return {}, f"the data set '{name}' has SHA-256 {found['digest']}{expected}"
    return found, ""


def _how_to_get(name: str) -> str:
    by_hand = registry.definition(name).by_hand
    command = f"ganbench data fetch {name}"
    return f"Run '{command} --from FOLDER': {by_hand}" if by_hand else f"Run '{command}'"


def _repair(name: str) -> str:
    return f"Remove that folder and run 'ganbench data fetch {name}'"
