"""What `ganbench evaluate` is given (`benchmark.evaluation.kinds`), and what is said beside it."""

from __future__ import annotations

import math
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import NothingToJudge, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmark.evaluation.protocol import Protocol
    from benchmark.evaluation.source import Source
    from benchmark.training.quantise import Generated

_NETWORKS = ("run", "checkpoint", "weights")
_MEANT_FOR = {
    "key": ("weights", "samples"),
    "experiment": _NETWORKS,
    "seed": (*_NETWORKS, "torchscript"),
    "value_range": ("samples", "torchscript"),
    "latent": ("torchscript",),
    "prior": ("torchscript",),
}
"""What is said beside the path, by what of it means something: elsewhere it would be passed over."""


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
        value_range: values that are black and white, for TorchScript and arrays of floating-point values.
        key: which of several state dictionaries or arrays in a file.
        reference: statistics to compare with, in place of the data set.
        save: where to write the statistics of the images to.

    """

    dataset: str | None = None
    experiment: str | None = None
    seed: int | None = None
    trust_torchscript: bool = False
    latent: int = 128
    prior: str = "normal"
    value_range: tuple[float, float] | None = None
    key: str | None = None
    reference: Path | None = None
    save: Path | None = None


def dataset_of(path: Path, asked: Asked) -> str:
    """The data set that the images at PATH are compared with; empty where it is a file with statistics.

    Raises:
        UserError: nothing says it, PATH cannot be scored, or something said beside it means nothing for it.

    """
    from benchmark.evaluation import kinds

    what = kinds.kind(path)
    _refuse_idle(path, what, asked)
    low, high = asked.value_range or (0.0, 1.0)
    if not (low < high and math.isfinite(high - low)):
        raise UserError("the first value must be below the second, both finite", where="--range")
    if what == "torchscript" and not asked.trust_torchscript:
        raise UserError(
            "is a TorchScript program, which is not executed",
            where=str(path),
            do="Give its weights alone (torch.save(generator.state_dict(), FILE)) with --experiment NAME, or "
            "images it made; --trust-torchscript executes it with your rights",
        )
    if asked.reference:
        if kinds.kind(asked.reference) != "statistics":
            raise UserError("has no statistics (an .npz file with mu and sigma)", where=str(asked.reference))
        return ""
    if asked.dataset is None and what in ("run", "checkpoint", "weights"):
        return trained_on(path, asked)
    if asked.dataset is None:
        raise UserError(
            "it is not said what the images are to be compared with", where=str(path), do="Add --data NAME"
        )
    return asked.dataset


def _refuse_idle(path: Path, what: str, asked: Asked) -> None:
    """Refuse what would be passed over without a word."""
    usual = Asked()
    for name, kinds in _MEANT_FOR.items():
        if getattr(asked, name) != getattr(usual, name) and what not in kinds:
            option = {"value_range": "--range"}.get(name, f"--{name}")
            raise UserError(f"means nothing for {what} ({path})", where=option, do="Leave it out")
    if asked.reference and asked.dataset:
        raise UserError("both say what to compare with", where="--data and --reference", do="Give one")


def own_protocols(path: Path) -> list[str]:
    """The protocols of the run that PATH is or lies in, by name.

    Raises:
        UserError: it is of no run, or of one that is not scored.

    """
    from benchmark.evaluation import kinds

    kinds.kind(path)
    names = [protocol["name"] for protocol in (_spec(path) or {}).get("protocols", [])]
    if not names:
        do = "Add --protocol NAME, of `ganbench list protocols`"
        raise UserError("nothing says how to score it", where=str(path), do=do)
    return names


def trained_on(path: Path, asked: Asked) -> str:
    """The data set that a network of ours has seen: of the run, else of the experiment."""
    import baselines

    spec = _spec(path)
    known = (spec or {}).get("dataset", {}).get("name")
    return str(known or baselines.described(experiment_name(path, asked))["dataset"])


def check(
    of_images: list[Protocol], dataset: str, of_critics: list[Protocol], path: Path, asked: Asked
) -> None:
    """Refuse what cannot be scored, before torch is imported for it."""
    from benchmark import data
    from benchmark.evaluation import fit, kinds
    from benchmark.evaluation.protocol import OF_PIXELS

    if asked.save and (asked.save.suffix != ".npz" or asked.save.exists() or len(of_images) != 1):
        do = "Name a new file that ends in .npz, and one protocol"
        raise UserError("cannot be written", where=f"--save-statistics {asked.save}", do=do)
    if asked.save and not asked.save.absolute().parent.is_dir():
        raise UserError("there is no such folder", where=f"--save-statistics {asked.save}")
    if dataset:
        fit.check_known(data.info(dataset))
    for protocol in of_images if dataset else ():
        if protocol.extractor in OF_PIXELS:
            protocol.check_data(data.info(dataset), data.info(dataset).shape)
        else:
            fit.check(protocol, data.info(dataset), fit.CHANNELS[protocol.extractor])
    if of_critics and kinds.kind(path) not in _NETWORKS:
        names = ", ".join(p.name for p in of_critics)
        raise UserError(f"there is no critic for {names}", where=str(path), do="Name a run or a checkpoint")
    if of_critics:
        experiment_name(path, asked)


def scored(
    chosen: list[Protocol],
    path: Path,
    dataset: str,
    device: str,
    asked: Asked,
    note: Callable[[str], None],
) -> tuple[dict[str, Any], dict[str, Protocol], dict[str, dict[str, float]]]:
    """What is known of the images at PATH, the protocols as they were used, and the scores.

    Args:
        chosen: protocols of images, `resolved`, after `check`.
        path: what to score.
        dataset: from `dataset_of`.
        device: where generators and extractors run.
        asked: what is said beside.
        note: gets lines for a person.

    Raises:
        UserError: PATH, the data and the protocols do not fit, or there is nothing finite to score.

    """
    from benchmark.data import mirrors
    from benchmark.evaluation import kinds, scoring, statistics_file

    is_statistics = kinds.kind(path) == "statistics"
    files = [file for file in (path if is_statistics else None, asked.reference) if file]
    if not files and not asked.save:
        images = source(path, device, asked)
        with _metered(images) as told:
            scores = scoring.scores_of_images(chosen, told, dataset, device, note)
        return images.described, {p.name: p for p in chosen}, scores
    used = statistics_file.protocols(tuple(chosen), [file.name for file in files], note)
    of = path if is_statistics else source(path, device, asked)
    real = asked.reference or dataset
    with nullcontext(of) if isinstance(of, Path) else _metered(of) as told:
        fids = {p.name: {"fid": statistics_file.fid(p, told, real, device, note, asked.save)} for p in used}
    described = {"statistics": path.name} if isinstance(of, Path) else of.described
    digests = {f"sha256 of {file.name}": mirrors.file_digest(file) for file in files}
    return {**described, **digests}, {p.name: p for p in used}, fids


@contextmanager
def _metered(images: Source) -> Iterator[Source]:
    """The same images; stderr tells how many have been taken, and the time that the others still take."""
    from benchmark.data.meter import Meter

    meters = []

    def batches(n: int) -> Iterator[Generated]:
        meter, seen = Meter("scoring", "images", 1), 0
        meters.append(meter)
        for batch in images.batches(n):
            yield batch
            seen += len(batch.images)
            meter(min(seen, n), n)

    try:
        yield replace(images, batches=batches)
    finally:
        for meter in meters:
            meter.end()


def source(path: Path, device: str, asked: Asked) -> Source:
    """The images at PATH."""
    import torch

    import baselines
    from benchmark.evaluation import generation, kinds, samples
    from benchmark.records import identity

    on, what = torch.device(device), kinds.kind(path)
    if what in _NETWORKS:
        spec, experiment = _spec(path), baselines.get(experiment_name(path, asked))
        seed = asked.seed if asked.seed is not None else spec["seed"] if spec else 0
        seen = trained_on(path, asked)
        file = checkpoint_file(path)
        images = generation.of_checkpoint(file, experiment, seed, on, key=asked.key, trained_on=seen)
        if spec and identity.is_portable(spec.get("numerics", {})):
            images.notes.append("the run is portable, and so are the scores in its record; these are not")
        return images
    if what == "folder":
        return samples.of_folder(path)
    if what == "samples":
        return samples.of_file(path, asked.key, asked.value_range)
    if what == "statistics":
        raise UserError("has statistics, not images", where=str(path), do="Score it by FID alone")
    seed = asked.seed or 0
    return generation.of_torchscript(path, asked.prior, asked.latent, asked.value_range, seed, on)


def _spec(path: Path) -> dict[str, Any] | None:
    """The spec of a run, or of the run that a file of weights or a checkpoint lies in, if it does."""
    from benchmark.records import revived, store

    folders = (path,) if path.is_dir() else (path.parent, path.parent.parent)
    spec = next(filter(None, map(store.read_spec, folders)), None)
    if spec:
        revived.revive(spec, path)
    return spec


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
    if not name and spec is None and (path / "spec.json").exists():
        raise UserError("its spec.json is damaged", where=str(path), do="Add --experiment NAME")
    if not name:
        raise UserError(
            "no spec.json says what experiment it is of", where=str(path), do="Add --experiment NAME"
        )
    experiments.describe(name, where="--experiment" if asked.experiment else str(path))
    return str(name)
