"""`python tests/portable/torch_1_13.py ...` is arms.py with names that Debian 12's torch lacks."""

import sys

import arms
import torch

from benchmark.training.portable import elementwise, mode, tables


def clamp_min(tensors, bound):
    """`torch._foreach_clamp_min_`."""
    for x in tensors:
        x.clamp_(min=bound)


def clamp_max(tensors, bound):
    """`torch._foreach_clamp_max_`."""
    for x in tensors:
        x.clamp_(max=bound)


def upsample_backward(g, size, input_size, scales=None):
    """`aten.upsample_nearest2d_backward` where PyTorch gives factors in place of the size."""
    size = size or [int(n * factor) for n, factor in zip(input_size[2:], scales, strict=True)]
    return elementwise.upsample_backward(g, size, input_size)


if __name__ == "__main__":
    torch.Tensor.untyped_storage = lambda x: x.storage()
    torch.Tensor.nbytes = property(lambda x: x.numel() * x.element_size())
    torch._foreach_clamp_min_, torch._foreach_clamp_max_ = clamp_min, clamp_max
    tables.REPLACED["upsample_nearest2d_backward"] = upsample_backward
    mode.EXACT |= {"_record_function_enter"}
    sys.exit(arms.main())
