"""What a path that somebody names to be scored is, told by its content; nothing of it is executed."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from typing import Literal

from benchmark.data import archives
from benchmark.errors import NothingToJudge, UserError

Kind = Literal["run", "checkpoint", "weights", "torchscript", "samples", "statistics", "folder"]
"""A run's directory; a checkpoint of ours; tensors by name (safetensors, or what `torch.save` made of a state
dictionary); a TorchScript program; an array of images (.npy, .npz); mean and covariance of features (.npz);
a folder of pictures."""
_SCORED = (
    "What can be scored: a run, a checkpoint, weights (.safetensors, .pt, .pth, .ckpt) with --experiment, "
    "an array of images (.npy, .npz), a folder of pictures, statistics (.npz with mu and sigma)"
)
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_ARCHIVES = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")


def kind(path: Path) -> Kind:
    """Tell what lies there.

    Raises:
        NothingToJudge: nothing.
        UserError: something that cannot be scored; says what can.

    """
    if not path.exists():
        raise NothingToJudge("there is no such file or folder", where=str(path))
    if path.is_dir():
        return "run" if (path / "spec.json").exists() else "folder"
    if not path.is_file():
        raise UserError("is no regular file", where=str(path), do=_SCORED)
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=str(path)) from error
    if start.startswith(b"\x93NUMPY"):
        return "samples"
    if start.startswith(b"PK\x03\x04"):
        return _in_zip(path)
    if start[8:9] == b"{" or path.suffix == ".safetensors":
        return _in_safetensors(path)
    if start[:1] == b"\x80" and path.suffix != ".pkl":  # a pickle: what torch.save wrote before it wrote ZIPs
        return "weights"
    what = "is of no kind that is known"
    if start.startswith(_PICTURES) or start[8:12] == b"WEBP":
        what = "is one picture, and a score is of many"
    elif start.startswith(_ARCHIVES):
        what = "is an archive; unpack it"
    raise UserError(what, where=str(path), do=_SCORED)


def _in_safetensors(path: Path) -> Kind:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return "checkpoint" if "ganbench" in (file.metadata() or {}) else "weights"
    except (OSError, SafetensorError):
        return "checkpoint"  # its reader says what is wrong


def _in_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as file:
            names = [member.filename for member in file.infolist()]
            archives.check_zip(file, path)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(f"is a damaged ZIP file ({error})", where=str(path)) from error
    arrays = {name.removesuffix(".npy") for name in names if name.endswith(".npy")}
    if arrays:
        return "statistics" if {"mu", "sigma"} <= arrays else "samples"
    last = {PurePosixPath(name).name for name in names}
    if "constants.pkl" in last or any("/code/" in name for name in names):
        return "torchscript"
    if "data.pkl" in last:
        return "weights"
    raise UserError("is a ZIP archive; unpack it", where=str(path), do=_SCORED)
