"""What the bits of a run depend on besides its spec: versions, device, threads."""

from __future__ import annotations

import platform
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmark.errors import UserError

THREADS = 1
"""CPU threads of a run. Part of its identity: another number gives other bits."""

PACKAGES = ("torch", "torchvision", "torch-fidelity", "numpy")
"""Packages whose version changes bits."""


@cache
def describe(device: str) -> dict[str, Any]:
    """The environment of a run on ``cpu`` or ``cuda``; its hash is the `env_id`.

    Raises:
        UserError: an unknown device, or CUDA where torch finds none.

    """
    environment: dict[str, Any] = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{name: version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "threads": THREADS,
        "device": cpu_model(),
        "cuda": None,
        "cudnn": None,
    }
    if device == "cpu":
        return environment
    if device != "cuda":
        raise UserError(f"unknown device '{device}'", where="--device", do="Choose 'cpu' or 'cuda'")
    import torch

    if not torch.cuda.is_available():
        raise UserError("torch finds no CUDA device", where="--device", do="Use --device cpu")
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return {
        **environment,
        "device": torch.cuda.get_device_name(),
        "cuda": torch.version.cuda,
        "cudnn": cudnn,
    }


def resolve_device(asked: str) -> str:
    """``auto`` to ``cuda`` where an NVIDIA driver is present and torch can use it, else ``cpu``."""
    if asked != "auto":
        return asked
    if not Path("/proc/driver/nvidia").exists():  # spares the import of torch on machines without a GPU
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def cpu_model() -> str:
    """The processor's model name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
