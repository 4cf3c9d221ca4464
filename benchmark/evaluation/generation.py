"""Images to score, in batches as they are made or read: of a run, a checkpoint, a TorchScript file, a folder.

Nothing here holds all images at once. A TorchScript file is a program; the others are data, read without
executing anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from benchmark.errors import UserError
from benchmark.training import checkpoint, sampling, trainer
from benchmark.training.draws import latents, stream
from benchmark.training.quantise import Generated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import nn

    from baselines.spec import Experiment

SUFFIXES = (".png", ".jpg", ".jpeg")
_BATCH = 500


@dataclass(frozen=True)
class Source:
    """Where images to score come from.

    Attributes:
        batches: gives the first n images, a batch at a time.
        image_size: their height and width, where they are square.
        described: what a reader must know about them, as JSON data.

    """

    batches: Callable[[int], Iterator[Generated]]
    image_size: int | None
    described: dict[str, Any] = field(default_factory=dict)


def of_checkpoint(file: Path, experiment: Experiment[Any], seed: int, device: torch.device) -> Source:
    """Images of the generator in a checkpoint of ours, or of its weights alone, whoever trained them.

    Args:
        file: the safetensors file; see `network`.
        experiment: what it is a checkpoint of.
        seed: of the latents.
        device: where the generator runs.

    Raises:
        UserError: the file is damaged or belongs to another experiment.

    """
    generator, described = network(file, experiment, "generator", device)
    return Source(
        lambda n: sampling.batches(experiment, generator, seed, n),
        experiment.image_shape[1],
        {**described, "seed": seed},
    )


def network(
    file: Path, experiment: Experiment[Any], part: Literal["generator", "critic"], device: torch.device
) -> tuple[nn.Module, dict[str, Any]]:
    """A network out of a safetensors file, on `device`, and what a reader must know of it; needs no data.

    The file is a checkpoint of ours, or the `state_dict` of the experiment's network and nothing else. Such
    a one has no digest of ours to be checked by.

    Raises:
        UserError: the file is damaged or belongs to another experiment.

    """
    black = torch.zeros((1, *experiment.image_shape), dtype=torch.uint8)  # all weights are replaced
    try:
        weights = _weights_alone(file)
        state, tensors = ({}, {}) if weights else checkpoint.read(file)
        players = trainer.build(experiment, 0, black, device)
        found: nn.Module = getattr(players, part)
        found.load_state_dict(weights or checkpoint.part(tensors, part))
    except checkpoint.DamagedCheckpoint as error:
        raise UserError("the checkpoint is damaged", where=str(file), do=str(error)) from error
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        what = "weights" if weights else "a checkpoint"
        raise UserError(f"not {what} of '{experiment.name}' ({reason})", where=str(file)) from error
    return found, {"experiment": experiment.name, "gen_iters": state.get("gen_iters")}


def _weights_alone(file: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file that is no checkpoint of ours; none of any other file."""
    try:
        with safe_open(file, framework="pt") as opened:
            if "ganbench" in (opened.metadata() or {}):
                return {}
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no iterator
    except (OSError, SafetensorError):
        return {}  # the reader of checkpoints says what is wrong


def of_torchscript(
    file: Path, prior: str, latent: int, value_range: tuple[float, float], seed: int, device: torch.device
) -> Source:
    """Images of a TorchScript module that maps latents [N, latent] to images [N,C,H,W]. Executes its code.

    Raises:
        UserError: no TorchScript file, or one whose outputs are not images.

    """
    try:
        generator = torch.jit.load(str(file), map_location=device)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"not a TorchScript file ({reason})", where=str(file)) from error
    generator.eval()
    source = of_callable(generator, prior, latent, value_range, seed, device, str(file))
    return replace(source, described={"torchscript": file.name, **source.described})


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

    It is called without gradients on 500 latents at a time; `where` is what messages call it.

    Raises:
        UserError: when the images are read: it fails, or its outputs are not images.

    """

    def batches(n: int) -> Iterator[Generated]:
        for z in torch.split(latents(prior, stream(seed, "evaluate", 0), n, latent), _BATCH):
            try:
                with torch.no_grad():
                    outputs = generator(z.to(device))
            except RuntimeError as error:
                reason = str(error).strip().splitlines()[-1]
                raise UserError(f"cannot generate from {latent} values ({reason})", where=where) from error
            if not isinstance(outputs, Tensor) or outputs.dim() != 4 or not outputs.is_floating_point():
                raise UserError("its output is no floating-point tensor [N,C,H,W]", where=where)
            if len(outputs) != len(z):
                raise UserError(f"gives {len(outputs)} images for {len(z)} latents", where=where)
            yield Generated.of(outputs, value_range, len(outputs))

    return Source(batches, None, {"prior": prior, "latent": latent, "seed": seed})


def of_array(images: Any, value_range: tuple[float, float]) -> Source:
    """Images [N,C,H,W] that are there: uint8 as they are, floating-point from `value_range` (black, white).

    Raises:
        UserError: another shape or type; or, when they are read, too few.

    """
    tensor = torch.as_tensor(images)
    if tensor.dim() != 4 or tensor.shape[1] not in (1, 3):
        shape = "x".join(map(str, tensor.shape))
        raise UserError(f"is {shape}, not [N,C,H,W] with one channel or three", where="the array")
    if tensor.dtype != torch.uint8 and not tensor.is_floating_point():
        raise UserError(f"holds {tensor.dtype}", where="the array", do="Give uint8 or floating-point values")

    def batches(n: int) -> Iterator[Generated]:
        if len(tensor) < n:
            raise UserError(f"holds {len(tensor)} images, but {n} are needed", where="the array")
        for part in torch.split(tensor[:n], _BATCH):
            uint8 = part.dtype == torch.uint8
            yield Generated(part.cpu()) if uint8 else Generated.of(part, value_range, len(part))

    height, width = tensor.shape[2:]
    return Source(batches, height if height == width else None, {"array_images": len(tensor)})


def of_folder(folder: Path) -> Source:
    """The PNG and JPEG files of a folder in the order of their names, all of one size; grey or coloured.

    Raises:
        UserError: too few images, one that cannot be read, or images of different sizes or kinds.

    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"no image ({', '.join(SUFFIXES)})", where=str(folder))
    first = _read(files[0])

    def batches(n: int) -> Iterator[Generated]:
        if len(files) < n:
            raise UserError(
                f"holds {len(files)} images, but {n} are needed",
                where=str(folder),
                do="Add images or choose a protocol with fewer",
            )
        for start in range(0, n, _BATCH):
            images = []
            for file in files[start : min(start + _BATCH, n)]:
                image = _read(file)
                if image.shape != first.shape:
                    raise UserError(
                        f"is {_size(image)}, but {files[0].name} is {_size(first)}",
                        where=str(file),
                        do="Give images of one size and kind",
                    )
                images.append(image)
            yield Generated(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous())

    height, width, _ = first.shape
    return Source(batches, height if height == width else None, {"folder_images": len(files)})


def _read(file: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pixels [H,W,C] with C = 1 for grey images and 3 for all others of 8 bits without transparency."""
    try:
        with Image.open(file, formats=("PNG", "JPEG")) as image:
            if image.mode not in ("L", "RGB", "P", "1"):
                raise UserError(
                    f"has pixels of kind {image.mode}, not grey or RGB of 8 bits", where=str(file)
                )
            pixels = np.asarray(image.convert("L" if image.mode in ("L", "1") else "RGB"))
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise UserError(f"cannot be read as an image ({error})", where=str(file)) from error
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _size(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    height, width, channels = pixels.shape
    return f"{height} x {width} and {'grey' if channels == 1 else 'coloured'}"
