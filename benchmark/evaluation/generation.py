"""Images to score, in batches as they are made: of a run, a checkpoint, somebody's weights, a program.

Nothing here holds all images at once. A TorchScript file is a program; the others are data, read without
executing anything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeGuard

import torch
from torch import Tensor

from benchmark.errors import UserError
from benchmark.evaluation import kinds, state_dicts
from benchmark.evaluation.source import Source
from benchmark.training import checkpoint, sampling, trainer
from benchmark.training.draws import latents, stream, torch_seed
from benchmark.training.quantise import Generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import nn

    from baselines.spec import Experiment

_BATCH = 500
_FIRST_SEED = 2
"""Index of the first batch's seed; those before it belong to latents and classes."""


def of_checkpoint(
    file: Path,
    experiment: Experiment[Any],
    seed: int,
    device: torch.device,
    *,
    key: str | None = None,
    trained_on: str = "",
) -> Source:
    """Images of the generator in a checkpoint of ours, or of its weights alone, whoever trained them.

    Args:
        file: see `network`.
        experiment: what it is a checkpoint of.
        seed: of the latents.
        device: where the generator runs.
        key: which of several state dictionaries in the file.
        trained_on: the data set that it has seen.

    Raises:
        UserError: the file is damaged or belongs to another experiment.

    """
    generator, described = network(file, experiment, "generator", device, key)
    inside, diverged_at = described.get("key"), described.get("diverged_at")
    notes = [f"{file}: the weights under '{inside}' are taken"] if inside else []
    if diverged_at is not None:
        notes.append(f"{file}: the run diverged at G-iteration {diverged_at}, so this is no result of it")
    return Source(
        lambda n: sampling.batches(experiment, generator, seed, n),
        {**described, "seed": seed},
        str(file),
        trained_on=trained_on,
        notes=notes,
    )


def network(
    file: Path,
    experiment: Experiment[Any],
    part: Literal["generator", "critic"],
    device: torch.device,
    key: str | None = None,
) -> tuple[nn.Module, dict[str, Any]]:
    """A network out of a file, on `device`, and what a reader must know of it; needs no data.

    `weights_sha256` is what a run's record has in ``digests`` as ``generator_weights`` or ``critic_weights``,
    unless an average of generators is what is scored.

    The file is a checkpoint of ours, or has the `state_dict` of the experiment's network (`state_dicts`),
    which has no digest of ours to be checked by.

    Raises:
        UserError: the file is damaged or belongs to another experiment.

    """
    black = torch.zeros((1, *experiment.image_shape), dtype=torch.uint8)  # all weights are replaced
    players = trainer.build(experiment, 0, black, device)
    found: nn.Module = getattr(players, part)
    described: dict[str, Any] = {"experiment": experiment.name, "gen_iters": None}
    try:
        if kinds.kind(file) == "checkpoint":
            state, tensors = checkpoint.read(file)
            described["gen_iters"] = state.get("gen_iters")
            described |= {"diverged_at": at} if (at := state.get("diverged_at")) is not None else {}
            if part == "generator":
                found = checkpoint.load_scored(players, tensors)
            else:
                found.load_state_dict(checkpoint.part(tensors, part))
        else:
            whose = f"the {part} of '{experiment.name}'"
            fit = state_dicts.fitting(state_dicts.read(file), found.state_dict(), key, str(file), whose)
            found.load_state_dict(fit.tensors)
            described |= {"key": fit.key} if fit.key else {}
    except checkpoint.DamagedCheckpoint as error:
        raise UserError("the checkpoint is damaged", where=str(file), do=str(error)) from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"not a checkpoint of '{experiment.name}' ({reason})", where=str(file)) from error
    return found, described | {"weights_sha256": checkpoint.digest(found.state_dict())}


def of_torchscript(
    file: Path,
    prior: str,
    latent: int,
    value_range: tuple[float, float] | None,
    seed: int,
    device: torch.device,
) -> Source:
    """Images of a TorchScript module that maps latents to images, as `of_callable`. Executes its code.

    Args:
        file: the program.
        prior: of the latents.
        latent: their dimension.
        value_range: outputs that are black and white; -1 and 1 if nobody says it.
        seed: of the latents, and of torch's own generators.
        device: where it runs.

    Raises:
        UserError: no TorchScript file, or one whose outputs are not images.

    """
    try:
        generator = torch.jit.load(str(file), map_location=device)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"not a TorchScript file ({reason})", where=str(file)) from error
    generator.eval()
    source = of_callable(generator, prior, latent, value_range or (-1.0, 1.0), seed, device, str(file))
    source.described["torchscript"] = file.name
    return replace(source, range_is_said=value_range is not None)


def of_callable(
    generator: Callable[[Tensor], Any],
    prior: str,
    latent: int,
    value_range: tuple[float, float],
    seed: int,
    device: torch.device,
    where: str,
) -> Source:
    """Images of anything that maps latents [N, latent], float32 on `device`, to floating-point [N,C,H,W].

    It is called without gradients on 500 latents at a time; with [N, latent, 1, 1], as convolutional
    generators want them, if it fails. torch's own generators are seeded for each call, and left as they were:
    noise inside is the same for one seed. `where` is what messages call it.

    Raises:
        UserError: when the images are read: it fails, or its outputs are not images.

    """
    described: dict[str, Any] = {"prior": prior, "latent": latent, "seed": seed}
    shapes: list[tuple[int, ...]] = [(latent,), (latent, 1, 1)]
    devices = [device] if device.type == "cuda" else []

    def outputs_of(z: Tensor, index: int) -> Any:
        failure: Exception | None = None
        for shape in tuple(shapes):
            try:
                with torch.no_grad(), torch.random.fork_rng(devices=devices):
                    torch.manual_seed(torch_seed(seed, "evaluate", _FIRST_SEED + index))
                    outputs = generator(z.reshape(len(z), *shape).to(device))
            except Exception as error:  # somebody's code raises anything
                failure = failure or error
                continue
            shapes[:] = [shape]
            described["latent"] = latent if len(shape) == 1 else list(shape)
            return outputs
        reason = (str(failure).strip().splitlines() or [type(failure).__name__])[-1]
        raise UserError(f"cannot generate from {latent} values ({reason})", where=where) from failure

    def batches(n: int) -> Iterator[Generated]:
        for index, z in enumerate(
            torch.split(latents(prior, stream(seed, "evaluate", 0), n, latent), _BATCH)
        ):
            outputs = outputs_of(z, index)
            if not _are_images(outputs):
                raise UserError("its output is no floating-point tensor [N,C,H,W]", where=where)
            if len(outputs) != len(z):
                raise UserError(f"gives {len(outputs)} images for {len(z)} latents", where=where)
            yield Generated.of(outputs, value_range, len(outputs))

    return Source(batches, described, where)


def _are_images(outputs: object) -> TypeGuard[Tensor]:
    """Values of a common type, of at least one pixel, that are there."""
    return (
        isinstance(outputs, Tensor)
        and outputs.dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
        and outputs.layout == torch.strided
        and outputs.dim() == 4
        and outputs.numel() > 0
        and not outputs.is_meta
    )
