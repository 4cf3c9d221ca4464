"""Lets torchvision be imported when its compiled extension does not match the installed torch.

The torchvision wheel on PyPI is built for CUDA. Beside a CPU-only torch its extension cannot load, the
operators it defines are missing, and ``import torchvision`` fails where it registers shape functions for
some. torch-fidelity imports torchvision, but calls no operator of it. Declaring those schemas is then
enough. Only torchvision knows how its extension is called and whether it loads, so it is asked first: an
operator declared before an extension that does load would end the process.
"""

from __future__ import annotations

import importlib
import warnings

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# The declarations live as long as this object does.
_declared: torch.library.Library | None = None


def import_torchvision() -> None:
    """Import torchvision, with its operators declared where its extension does not load.

    Raises:
        ImportError: it is not installed.
        RuntimeError: it does not fit torch in another way, in its own words.

    """
    global _declared
    with warnings.catch_warnings():
        # torchvision warns about its image codecs when its extension does not load; none is used here.
        warnings.filterwarnings("ignore", message="Failed to load image Python extension")
        try:
            importlib.import_module("torchvision")
        except RuntimeError:
            # Submodules that were imported stay so: the extension is not tried again.
            missing = [name for name in _SCHEMAS if not hasattr(torch.ops.torchvision, name)]
            if not missing:
                raise
            _declared = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
            for name in missing:
                _declared.define(_SCHEMAS[name])  # type: ignore[no-untyped-call]
            importlib.import_module("torchvision")
