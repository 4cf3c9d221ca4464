"""What a trained run leaves beside checkpoints and samples: its losses and its record. Imports torch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch

from benchmark.records import atomic, environment, loss_file, provenance, record
from benchmark.training import checkpoint, numerics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmark.training.trainer import Trainer


def write(
    directory: Path,
    spec: dict[str, Any],
    trainer: Trainer,
    *,
    env_id: str,
    real_data: Mapping[str, Mapping[str, float]],
    made: Mapping[str, Any],
) -> str:
    """Write `losses.safetensors` and, last, `record.json`; the run's status.

    Args:
        directory: the run's.
        spec: its `spec.json`.
        trainer: that has run to the end, or diverged.
        env_id: hash of the environment.
        real_data: scores of real images under the protocols.
        made: the record's `provenance`.

    """
    players = trainer.players
    losses = {name: column.numpy() for name, column in trainer.losses.columns().items()}
    loss_file.write(directory, losses)
    content = record.build(
        spec,
        env_id=env_id,
        state=vars(trainer.state),
        real_data=real_data,
        weights={
            "generator_weights": checkpoint.digest(players.generator.state_dict()),
            "critic_weights": checkpoint.digest(players.critic.state_dict()),
        },
        losses=loss_file.digest(losses),
        first_losses=trainer.first_losses(),
        peak_memory_mib=_peak_memory_mib(spec["device"]),
        provenance=made,
    )
    atomic.write_json(directory / "record.json", content)
    return str(content["status"])


def provenance_of(launch: dict[str, Any], described: dict[str, Any], device: str) -> dict[str, Any]:
    """The record's `provenance`, without times: of a command, an environment and this process."""
    return {
        **launch,
        **provenance.machine(),
        "cpu": environment.cpu_model(),
        "threads": described["threads"],
        "gpu": described["device"] if device == "cuda" else None,
        "cuda": described["cuda"],
        "cudnn": described["cudnn"],
        "environment": described,
        "determinism": {
            **numerics.in_force(),
            "autograd_multithreading": torch.autograd.is_multithreading_enabled(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        },
    }


def _peak_memory_mib(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**10 if sys.platform != "darwin" else peak / 2**20
