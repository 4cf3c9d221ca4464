"""The policies of numerics by profile: those of `numerics`, and mixed precision."""

from __future__ import annotations

from typing import Any

from benchmark.training import numerics

MIXED = "bf16-mixed"
BF16_MIXED: dict[str, Any] = {
    **numerics.FAITHFUL,
    "profile": MIXED,
    "precision": "bfloat16 by torch.autocast in forward passes of training, else fp32",
}
"""`benchmark.training.mixed`."""
POLICIES = {**numerics.POLICIES, MIXED: BF16_MIXED}
"""All that a run may have. Probes compute those of `numerics` only, so nothing is proven about others."""
