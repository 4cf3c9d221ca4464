"""Lets torchvision be imported when its compiled extension does not match the installed torch.

The torchvision wheel on PyPI is built for CUDA. Beside a CPU-only torch its extension cannot load, the
operators it defines are missing, and ``import torchvision`` fails where it registers shape functions for
some. torch-fidelity imports torchvision, but calls no operator of it. Declaring those schemas is then
enough.
"""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# The declarations live as long as this object does.
_declared: torch.library.Library | None = None


def make_importable() -> None:
    """Declare the missing operators; do nothing where torchvision's own extension loads or is loaded."""
    global _declared
    if _declared is None and "torchvision" not in sys.modules and not _extension_loads():
        _declared = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for schema in _SCHEMAS:
            _declared.define(schema)  # type: ignore[no-untyped-call]


def _extension_loads() -> bool:
    """Try to load torchvision's operators, as importing it is about to do anyway."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # not installed: let its import say so
    folder = Path(spec.origin).parent
    for library in (folder / f"_C{suffix}" for suffix in EXTENSION_SUFFIXES):
        if library.is_file():
            try:
                torch.ops.load_library(library)  # type: ignore[no-untyped-call]
            except OSError:
                continue
            return True
    return False
