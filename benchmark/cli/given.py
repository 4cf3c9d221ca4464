"""What `ganbench evaluate` is given: a run, a checkpoint, bare weights, TorchScript, a folder of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark.evaluation.generation import Source
    from benchmark.evaluation.protocol import Protocol


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is said beside the path; None where it is left to what is there.

    Attributes:
        dataset: what to compare with.
        experiment: what a checkpoint, or bare weights, are of.
        seed: of the latents.
        trust_torchscript: whether code in a file may be executed.
        latent: dimension of the latents, for TorchScript.
        prior: of the latents, for TorchScript.
        value_range: outputs that are black and white, for TorchScript.

    """

    dataset: str | None = None
    experiment: str | None = None
    seed: int | None = None
    trust_torchscript: bool = False
    latent: int = 128
    prior: str = "normal"
    value_range: tuple[float, float] = (-1.0, 1.0)


def dataset_of(path: Path, asked: Asked) -> str:
    """The data set that the images at PATH are compared with."""
    if is_checkpoint(path):
        import baselines

        spec, name = _spec(path), experiment_name(path, asked)
        trained_on = (spec or {}).get("dataset", {}).get("name") or baselines.described(name)["dataset"]
        return str(asked.dataset or trained_on)
    if not path.is_dir() and not asked.trust_torchscript:
        raise UserError(
            "a TorchScript file is a program and would be executed",
            where=str(path),
            do="Add --trust-torchscript if you trust it",
        )
    if asked.dataset is None:
        raise UserError("what are the images to be compared with?", where=str(path), do="Add --data NAME")
    return str(asked.dataset)


def check(
    of_images: list[Protocol], dataset: str, of_critics: list[Protocol], path: Path, asked: Asked
) -> None:
    """Refuse what cannot be scored, before torch is imported for it."""
    from benchmark import data
    from benchmark.evaluation import fit
    from benchmark.evaluation.protocol import WINDOW

    if of_images:
        fit.check_known(data.info(dataset))
    for protocol in of_images:
        if protocol.extractor == WINDOW:
            protocol.check_data(data.info(dataset), data.info(dataset).shape)
        else:
            fit.check(protocol, data.info(dataset), fit.CHANNELS[protocol.extractor])
    if of_critics and not is_checkpoint(path):
        names = ", ".join(p.name for p in of_critics)
        raise UserError(f"there is no critic for {names}", where=str(path), do="Name a run or a checkpoint")
    if of_critics:
        experiment_name(path, asked)


def source(path: Path, device: str, asked: Asked) -> Source:
    """The images at PATH."""
    import torch

    import baselines
    from benchmark.evaluation import generation

    on = torch.device(device)
    if is_checkpoint(path):
        spec, experiment = _spec(path), baselines.get(experiment_name(path, asked))
        seed = asked.seed if asked.seed is not None else spec["seed"] if spec else 0
        return generation.of_checkpoint(checkpoint_file(path), experiment, seed, on)
    if path.is_dir():
        return generation.of_folder(path)
    seed = asked.seed or 0
    return generation.of_torchscript(path, asked.prior, asked.latent, asked.value_range, seed, on)


def is_checkpoint(path: Path) -> bool:
    """A run directory, or any file that is no TorchScript."""
    return (path / "spec.json").exists() if path.is_dir() else path.suffix not in (".pt", ".pth")


def _spec(path: Path) -> dict[str, Any] | None:
    """The spec of a run, or of the run that a checkpoint file lies in, if it does."""
    from benchmark.records import store

    return store.read_spec(path if path.is_dir() else path.parent.parent)


def checkpoint_file(path: Path) -> Path:
    """The last checkpoint file of a run, or the file itself."""
    from benchmark.training import checkpoint

    if not path.is_dir():
        return path
    files = checkpoint.available(path / "checkpoints")
    if not files:
        raise NothingToJudge("the run has no checkpoint", where=str(path))
    return files[0]


def experiment_name(path: Path, asked: Asked) -> str:
    """What a checkpoint is of; raises `UserError` where nothing says it, and for an unknown name."""
    from benchmark.suites import experiments

    spec = _spec(path)
    name = asked.experiment or (spec["experiment"]["name"] if spec else "")
    if not name:
        raise UserError(
            "no spec.json says what it is a checkpoint of", where=str(path), do="Add --experiment NAME"
        )
    experiments.describe(name, where="--experiment")
    return str(name)
