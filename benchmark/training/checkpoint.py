"""Checkpoints: every tensor of a run as safetensors, everything else as JSON in the same file's header.

One file ``checkpoints/<gen_iters>.safetensors`` holds every tensor of `Players.parts`, the losses of all
G-iterations so far, and a JSON text with the iteration, the curve so far, what is no tensor in the parts
(`packing`) and a SHA-256 over names, shapes and bytes of the tensors; the text has a SHA-256 of its own
beside it. The run that it is of is named by its id, where the folder is a run's. Nothing is unpickled.
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

from benchmark.records import atomic, bounded, identity, places, schema, store
from benchmark.training import packing
from benchmark.training.packing import part as part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from baselines.spec import Players

KEEP = 2
MOST_BYTES = 1 << 36
"""It is mapped, not read at once; 64 GiB are more than a GPU holds."""


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
    tensors, plain = packing.packed(players)
    tensors |= {f"losses.{name}": column for name, column in (losses or {}).items()}
    content = {**state, "players": plain, "tensors_sha256": digest(tensors), "run_id": _run_of(folder)}
    text = json.dumps(content, allow_nan=False)
    header = {"ganbench": text, "ganbench_sha256": _sha256(text)}
    path = folder / f"{state['gen_iters']:09d}.safetensors"
    atomic.write_bytes(path, save(tensors, metadata=header))
    kept = [file for file in available(folder) if int(file.stem) <= state["gen_iters"]][:KEEP]
    for file in available(folder):
        if file not in kept:
            file.unlink()
    return path


def _run_of(folder: Path) -> str:
    """The id of the run whose checkpoints lie there; empty in a folder that is no run's."""
    spec = store.read_spec(folder.parent)
    return identity.run_id(spec) if spec else ""


def available(folder: Path) -> list[Path]:
    """Checkpoint files, newest first."""
    return places.checkpoints(folder)


def restore(path: Path, players: Players) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Load a checkpoint into `players` and return its state and the `losses` it was written with.

    Raises:
        DamagedCheckpoint: unreadable, altered, of another run than that of its folder, or of other networks
            or optimisers; `players` may then be partly overwritten and must not be used.

    """
    state, tensors = read(path)
    if (of := state.pop("run_id", "")) and of != (_run_of(path.parent) or of):
        raise DamagedCheckpoint(f"{path.name} is of another run ({of[:12]})")
    try:
        packing.load_into(players, tensors, state.pop("players", {}))
    except (LookupError, RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise DamagedCheckpoint(f"{path.name} belongs to other networks ({error})") from error
    return state, part(tensors, "losses")


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """State and tensors of a checkpoint.

    Raises:
        DamagedCheckpoint: unreadable or altered.

    """
    try:
        bounded.check_regular(path, MOST_BYTES)
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
            text, text_sha256 = header["ganbench"], header["ganbench_sha256"]
            state: dict[str, Any] = json.loads(text, object_pairs_hook=_once_each)
            schema.check(state, schema.Checkpointed)
            tensors_sha256 = state.pop("tensors_sha256")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iterator
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedCheckpoint(f"{path.name} cannot be read ({error})") from error
    if (_sha256(text), digest(tensors)) != (text_sha256, tensors_sha256):
        raise DamagedCheckpoint(f"{path.name} does not have its recorded SHA-256")
    return state, tensors


def tensors_of(players: Players) -> dict[str, Tensor]:
    """Every tensor of a run's state by name, contiguous on the CPU."""
    return packing.packed(players)[0]


def scored_part(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, in a checkpoint, of the network whose images are scored, by their own names."""
    return part(tensors, "sampler") or part(tensors, "generator")


def load_scored(players: Players, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network whose images are scored, with the weights of a checkpoint.

    Raises:
        RuntimeError: it is of another experiment.

    """
    players.scored.load_state_dict(part(tensors, "generator" if players.sampler is None else "sampler"))
    return players.scored


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) over name, dtype, shape and bytes of every tensor, in order of the names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}|{tensor.dtype}|{list(tensor.shape)}|".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
