"""A GPU's part on a machine without one: the device "meta", and what passes between it and the CPU.

Tensors there have shapes and no values, so whatever needs values is told apart: what a program reads from the
device is made up, and counted. Seen are the ops, which tensors they take, and every crossing. Not seen are
kernels and what they compute, cuDNN's choices, streams, and memory.
"""

from __future__ import annotations

import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEVICE = "meta"
_ATEN = torch.ops.aten
_FRAMEWORK = Path(torch.__file__).parent


class MixedDevices(RuntimeError):
    """An op takes a tensor of the CPU beside one of the device."""


class StandIn(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Plays the GPU inside a `with` block, for tensors on `DEVICE`.

    Raises `MixedDevices` where CUDA refuses an op, and also where it moves an index behind one's back; a CPU
    scalar without dimensions is allowed, as there.

    Attributes:
        ops: names of the ops on the device, as ``convolution_backward``.
        copies: tensors moved to the device.
        reads: how often the device is waited for, by the place that does: ``file.py: function``, the
            innermost outside of torch.

    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ops: set[str] = set()
        self.copies = 0
        self.reads: Counter[str] = Counter()
        self._random = torch.Generator().manual_seed(0)

    def __enter__(self) -> StandIn:
        """Begin; `Module.to` keeps parameters what they are, as it does between the CPU and CUDA."""
        self._swapped = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *raised: Any) -> None:
        """End."""
        super().__exit__(*raised)  # type: ignore[no-untyped-call]
        torch.__future__.set_swap_module_params_on_conversion(self._swapped)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do what the op does there."""
        kwargs = kwargs or {}
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        there = [x for x in tensors if x.device.type == DEVICE]
        packet = func.overloadpacket
        if packet in _PINNING:  # page-locked memory is CUDA's own
            return args[0]
        if not there:
            self.copies += bool(tensors) and str(kwargs.get("device")) == DEVICE
            return func(*args, **kwargs)
        if found := _READS.get(packet):
            answer = found(self, func, args, kwargs)
            if answer is not NotImplemented:
                self.reads[_place()] += 1
                return answer
        if packet is _ATEN.copy_:
            self.copies += len(there) < len(tensors)
        elif here := [x for x in tensors if x.device.type != DEVICE and x.dim()]:
            raise MixedDevices(
                f"{packet.__name__} takes a tensor of the CPU {list(here[0].shape)} at {_place()}"
            )
        self.ops.add(packet.__name__)
        return func(*args, **kwargs)

    def _made_up(self, like: Tensor) -> Tensor:
        """Values on the CPU: U[0, 1) for real numbers, True, 1."""
        if like.is_floating_point():
            return torch.rand(like.shape, dtype=like.dtype, generator=self._random)
        return torch.ones(like.shape, dtype=like.dtype)

    def _moved(self, _: Any, args: Any, kwargs: Any) -> Any:
        if str(kwargs.get("device", DEVICE)) == DEVICE:
            return NotImplemented
        return self._made_up(args[0]).to(kwargs.get("dtype") or args[0].dtype)

    def _copied(self, func: Any, args: Any, kwargs: Any) -> Any:
        target, source, *rest = args
        if target.device.type == DEVICE:
            return NotImplemented
        return func(target, self._made_up(source), *rest, **kwargs)

    def _number(self, _: Any, args: Any, __: Any) -> Any:
        return self._made_up(args[0]).item()

    def _everywhere(self, _: Any, args: Any, __: Any) -> Any:
        """Indices of all elements, as though none were zero."""
        return torch.empty(args[0].numel(), args[0].dim(), dtype=torch.int64, device=DEVICE)


_PINNING = {getattr(_ATEN, name) for name in ("_pin_memory", "pin_memory")}
_READS: dict[Any, Callable[..., Any]] = {
    _ATEN._to_copy: StandIn._moved,
    _ATEN.copy_: StandIn._copied,
    _ATEN._local_scalar_dense: StandIn._number,
    _ATEN.nonzero: StandIn._everywhere,
    _ATEN.equal: lambda *_: True,
}


def _place() -> str:
    for frame in reversed(traceback.extract_stack()):
        file = Path(frame.filename)
        if _FRAMEWORK not in file.parents and file != Path(__file__):
            return f"{file.name}: {frame.name}"
    return ""
