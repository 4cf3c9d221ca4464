"""Checkpoints: networks and optimisers as safetensors, everything else as JSON in the same file's header.

One file ``checkpoints/<gen_iters>.safetensors`` holds every tensor of `Players`, the losses of all
G-iterations so far, and a JSON text with the iteration, the curve so far and a SHA-256 over names, shapes and
bytes of the tensors; the text has a SHA-256 of its own beside it. Nothing is unpickled.
The last two are kept, so that a damaged one costs the time since the one before.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from benchmark.records import atomic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from baselines.spec import Players

KEEP = 2


class DamagedCheckpoint(ValueError):
    """A checkpoint file that cannot be read, or whose content does not have the recorded digest."""


def write(
    folder: Path, players: Players, state: Mapping[str, Any], losses: Mapping[str, Tensor] | None = None
) -> Path:
    """Write the checkpoint of `state["gen_iters"]` atomically, then remove all but it and the one before.

    A file of a later iteration is a damaged one that the run could not continue from; it is removed too.
    `losses` are those of `LossHistory.columns`.
    """
    folder.mkdir(exist_ok=True)
    tensors = tensors_of(players) | {f"losses.{name}": column for name, column in (losses or {}).items()}
    text = json.dumps({**state, "tensors_sha256": digest(tensors)}, allow_nan=False)
    header = {"ganbench": text, "ganbench_sha256": _sha256(text)}
    path = folder / f"{state['gen_iters']:09d}.safetensors"
    atomic.write_bytes(path, save(tensors, metadata=header))
    kept = [file for file in available(folder) if file.name <= path.name][:KEEP]
    for file in available(folder):
        if file not in kept:
            file.unlink()
    return path


def available(folder: Path) -> list[Path]:
    """Checkpoint files, newest first."""
    return sorted(folder.glob("[0-9]*.safetensors"), reverse=True)


def restore(path: Path, players: Players) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Load a checkpoint into `players` and return its state and the `losses` it was written with.

    Raises:
        DamagedCheckpoint: unreadable, altered, or of other networks or optimisers; `players` may then be
            partly overwritten and must not be used.

    """
    state, tensors = read(path)
    try:
        _load_into(players, tensors)
    except (KeyError, RuntimeError, ValueError) as error:
        raise DamagedCheckpoint(f"{path.name} belongs to other networks ({error})") from error
    return state, part(tensors, "losses")


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """State and tensors of a checkpoint.

    Raises:
        DamagedCheckpoint: unreadable or altered.

    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
            text, text_sha256 = header["ganbench"], header["ganbench_sha256"]
            state: dict[str, Any] = json.loads(text)
            tensors_sha256 = state.pop("tensors_sha256")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iterator
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DamagedCheckpoint(f"{path.name} cannot be read ({error})") from error
    if (_sha256(text), digest(tensors)) != (text_sha256, tensors_sha256):
        raise DamagedCheckpoint(f"{path.name} does not have its recorded SHA-256")
    return state, tensors


def part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors of ``generator``, ``critic``, one of their optimisers or ``losses``, by their own names."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def tensors_of(players: Players) -> dict[str, Tensor]:
    """Every tensor of a run's state by name, contiguous on the CPU."""
    named: dict[str, Tensor] = {}
    for player in ("generator", "critic"):
        for name, tensor in getattr(players, player).state_dict().items():
            named[f"{player}.{name}"] = tensor
        for index, slots in getattr(players, f"{player}_optimiser").state_dict()["state"].items():
            for slot, tensor in slots.items():
                named[f"{player}_optimiser.{index}.{slot}"] = tensor
    return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) over name, dtype, shape and bytes of every tensor, in order of the names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}|{tensor.dtype}|{list(tensor.shape)}|".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _load_into(players: Players, tensors: Mapping[str, Tensor]) -> None:
    for player in ("generator", "critic"):
        getattr(players, player).load_state_dict(part(tensors, player))
        optimiser = getattr(players, f"{player}_optimiser")
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part(tensors, f"{player}_optimiser").items():
            index, slot = name.split(".", 1)
            slots.setdefault(int(index), {})[slot] = tensor
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        for i, own_slots in slots.items():
            for slot, tensor in own_slots.items():
                if tensor.shape == parameters[i].shape:  # in the parameter's own memory layout
                    own_slots[slot] = torch.empty_like(parameters[i], device="cpu").copy_(tensor)
        optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})
