"""The switches that decide which bits a run computes, all in one place."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmark.records.environment import THREADS

if TYPE_CHECKING:
    from collections.abc import Iterator

FAITHFUL: dict[str, Any] = {
    "precision": "fp32",
    "tf32": False,
    "deterministic_algorithms": True,
    "cudnn_benchmark": False,
    "memory_format": "channels_last on CPU unless a network says otherwise, contiguous on CUDA",
    "residual_blocks": "convolution and change of size in one on CPU, apart on CUDA",
}
"""Torch as it is, with the switches that make it repeat itself on one machine."""
PORTABLE: dict[str, Any] = {
    "profile": "portable",
    "precision": "float32, of sums that are exact in float64",
    "products": "one operand in a slice of up to 26 bits, the other in two",
    "rules": 1,
}
"""`benchmark.training.portable`: bits that depend on IEEE 754 alone. `rules` counts its revisions."""
POLICIES = {"faithful": FAITHFUL, "portable": PORTABLE}
"""By profile; every part of a policy identifies a cell."""


def child_environment(visible_devices: str | None = None) -> dict[str, str]:
    """Variables a run's process must have before it starts, added to those of this process.

    Threads are fixed here because BLAS reads them when loaded. The two glibc settings keep freed memory
    in the process instead of returning it to the kernel at every iteration; they change no bits.

    Args:
        visible_devices: value of CUDA_VISIBLE_DEVICES; None leaves it as it is.

    """
    threads = str(THREADS)
    wanted = {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
        "PYTHONHASHSEED": "0",
    }
    if visible_devices is not None:
        wanted["CUDA_VISIBLE_DEVICES"] = visible_devices
    return {**os.environ, **wanted}


def apply() -> None:
    """Set torch to the policy `FAITHFUL`, for this process."""
    import torch

    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    # Filling every new tensor with NaN finds bugs, but costs time and changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")


@contextmanager
def applied() -> Iterator[None]:
    """The policy `FAITHFUL` inside a `with` block, in a process that may do other things before and after.

    NumPy's threads are bounded too, although it may be loaded already.
    """
    import torch
    from threadpoolctl import threadpool_limits

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS wants it to be deterministic
    before = in_force()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    with threadpool_limits(THREADS):
        try:
            apply()
            yield
        finally:
            torch.set_num_threads(before["num_threads"])
            torch.use_deterministic_algorithms(before["deterministic_algorithms"], warn_only=warn_only)
            torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = before["cudnn_benchmark"]
            torch.backends.cudnn.allow_tf32 = before["cudnn_allow_tf32"]
            torch.backends.cuda.matmul.allow_tf32 = before["matmul_allow_tf32"]
            torch.set_float32_matmul_precision(before["float32_matmul_precision"])


def in_force() -> dict[str, Any]:
    """The switches as torch reports them now, for the record."""
    import torch

    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_allow_tf32": torch.backends.cudnn.allow_tf32,
        "matmul_allow_tf32": torch.backends.cuda.matmul.allow_tf32,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "num_threads": torch.get_num_threads(),
        "cublas_workspace_config": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }
