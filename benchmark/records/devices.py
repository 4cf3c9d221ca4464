"""Which device `--device` means, and why it is not another one. torch is imported only where a GPU may be."""

from __future__ import annotations

import os
import platform
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import UserError

_CUDA = re.compile(r"cuda(?::(\d{1,3}(?:,\d{1,3})*))?")
_OTHERS = {
    "mps": "Apple's GPUs have no float64 and no deterministic algorithms for all that is used here",
    "xpu": "Intel's GPUs have not been tried",
    "rocm": "AMD's GPUs are called cuda, as torch calls them",
    "hip": "AMD's GPUs are called cuda, as torch calls them",
}
MASK = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Choice:
    """Where to train.

    Attributes:
        kind: ``cpu`` or ``cuda``, as specs have it.
        indices: of the GPUs to use, as torch counts them; None for all that it sees.
        why_cpu: why ``auto`` took the CPU; empty otherwise.

    """

    kind: str
    indices: tuple[int, ...] | None = None
    why_cpu: str = ""


def choose(asked: str) -> Choice:
    """`auto`, `cpu`, `cuda` or `cuda:0,2` as a choice.

    Raises:
        UserError: anything else; says why a kind of device that exists is not taken.

    """
    if asked == "cpu":
        return Choice("cpu")
    if asked == "auto":
        why = why_no_gpu()
        return Choice("cpu", why_cpu=why) if why else Choice("cuda")
    if found := _CUDA.fullmatch(asked):
        indices = tuple(map(int, found[1].split(","))) if found[1] else None
        if indices and len(set(indices)) < len(indices):
            raise UserError(f"'{asked}' names a GPU twice", where="--device", do="Name each once")
        return Choice("cuda", indices)
    reason = _OTHERS.get(asked.partition(":")[0])
    do = "Choose auto, cpu, cuda, or some GPUs like cuda:0,2"
    what = f"'{asked}' is no device to train on" + (f": {reason}" if reason else "")
    raise UserError(what, where="--device", do=do)


def why_no_gpu() -> str:
    """Why torch cannot train on a GPU here; empty where it can."""
    if os.environ.get(MASK, "all").strip() in ("", "-1"):
        return f"{MASK} masks every GPU"
    if not any(Path(path).exists() for path in ("/proc/driver/nvidia", "/dev/kfd", "/dev/dxg")):
        # Spares the import of torch on machines without a GPU. WSL2 has /dev/dxg, ROCm /dev/kfd.
        if platform.system() == "Darwin":
            return f"Apple's GPUs are not used: {_OTHERS['mps']}"
        if platform.system() == "Linux":
            return "this machine has no driver of an NVIDIA or AMD GPU"
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return f"torch {torch.__version__} is a build for CPUs"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return ""
    said = " ".join(str(caught[0].message).split())[:160] if caught else "it finds no GPU"
    return f"torch {torch.__version__} cannot use one ({said})"


def check_bfloat16(kind: str) -> None:
    """Refuse a GPU that is here and computes no bfloat16. torch computes it on every CPU.

    Raises:
        UserError: it is one.

    """
    if kind != "cuda" or why_no_gpu():
        return
    import torch

    if not torch.cuda.is_bf16_supported(including_emulation=False):
        what = f"{torch.cuda.get_device_name()} computes no bfloat16, which the profile bf16-mixed needs"
        raise UserError(what, where="--numerics", do="Use --numerics faithful, or --device cpu")


def gpus(choice: Choice) -> tuple[str, ...]:
    """What `CUDA_VISIBLE_DEVICES` has to be for each GPU of the choice.

    Raises:
        UserError: torch sees no GPU, or not one of that number.

    """
    import torch

    if why := why_no_gpu():
        raise UserError(f"no GPU to train on: {why}", where="--device", do="Use --device cpu")
    n = torch.cuda.device_count()
    wanted = range(n) if choice.indices is None else choice.indices
    if missing := [i for i in wanted if i >= n]:
        do = f"There are {n}, counted from 0"
        raise UserError(f"there is no GPU {missing[0]}", where="--device", do=do)
    masked = [name.strip() for name in os.environ.get(MASK, "").split(",") if name.strip()]
    return tuple(masked[i] if masked else str(i) for i in wanted)
