"""`python tests/portable/torch_1_13.py ...` is arms.py with names that Debian 12's torch lacks."""

import sys

import arms
import torch

from benchmark.training.portable import mode


def clamp_min(tensors, bound):
    """`torch._foreach_clamp_min_`."""
    for x in tensors:
        x.clamp_(min=bound)


def clamp_max(tensors, bound):
    """`torch._foreach_clamp_max_`."""
    for x in tensors:
        x.clamp_(max=bound)


if __name__ == "__main__":
    torch.Tensor.untyped_storage = lambda x: x.storage()
    torch.Tensor.nbytes = property(lambda x: x.numel() * x.element_size())
    torch._foreach_clamp_min_, torch._foreach_clamp_max_ = clamp_min, clamp_max
    mode.EXACT |= {"_record_function_enter"}
    sys.exit(arms.main())
