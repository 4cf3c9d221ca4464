"""What the bits of a run depend on besides its spec: versions, device, threads."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmark.errors import UserError
from benchmark.records import devices

THREADS = 1
"""CPU threads of a run. Part of its identity: another number gives other bits."""

PACKAGES = ("torch", "torchvision", "torch-fidelity", "numpy")
"""Packages whose version changes bits."""

SWITCHES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
"""Variables by which libraries choose other kernels, and so other bits."""


@cache
def describe(kind: str) -> dict[str, Any]:
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
    # Only where there are any: the environments of other machines keep their ids, here as below.
    if switches := {name: os.environ[name] for name in SWITCHES if os.environ.get(name)}:
        environment["switches"] = switches
    if kind == "cpu":
        return environment
    if kind != "cuda":
        raise UserError(f"unknown device '{kind}'", where="--device", do="Choose 'cpu' or 'cuda'")
    import torch

    if not torch.cuda.is_available():
        raise UserError("torch finds no CUDA device", where="--device", do="Use --device cpu")
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    hip = {"hip": torch.version.hip} if torch.version.hip else {}
    return {
        **environment,
        **hip,
        "device": torch.cuda.get_device_name(),
        "cpu": environment["device"],  # scores are made of features there
        "cuda": torch.version.cuda,
        "cudnn": cudnn,
    }


def resolve_device(asked: str) -> str:
    """The kind of `devices.choose`: ``cuda`` for ``auto`` where torch can use one, else ``cpu``.

    Raises:
        UserError: a GPU is asked for by name, and there is none.

    """
    kind = devices.choose(asked).kind
    if kind == "cuda" and (why := devices.why_no_gpu()):
        raise UserError(f"no GPU to use: {why}", where="--device", do="Use --device cpu")
    return kind


def cpu_model() -> str:
    """The processor's model name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
