"""The spec of a run, `spec.json`: what of a suite, an experiment and the code decides its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import fit, protocols
from benchmark.records import devices, identity, spec_schema
from benchmark.suites import experiments
from benchmark.training.policies import MIXED, POLICIES

if TYPE_CHECKING:
    from benchmark.suites import Suite


def spec_without_seed(suite: Suite, name: str, device: str) -> dict[str, Any]:
    """Everything that decides the numbers of a run, but for its seed.

    Raises:
        UserError: the experiment, its data, the protocols, the profile and the device do not go together,
            or the paper prints no budget.

    """
    experiment = experiments.describe(name)
    dataset = _dataset(suite.dataset or experiment["dataset"], experiment)
    chosen = [protocols.get(protocol) for protocol in suite.protocols]
    for protocol in chosen:
        protocol.check_data(dataset, tuple(experiment["image_shape"]), experiment["classes"])
        if protocol.extractor in fit.CHANNELS:
            fit.check(protocol.resolved(), dataset, fit.CHANNELS[protocol.extractor])
    numerics = POLICIES[suite.numerics]
    if identity.is_portable(numerics):
        _check_portable(chosen, device)
    elif suite.numerics == MIXED:
        devices.check_bfloat16(device)
    return {
        "spec_version": spec_schema.SPEC_VERSION,
        "suite": suite.name,
        "experiment": experiment,
        "dataset": {
            "name": dataset.name,
            "title": dataset.title,
            "digest": dataset.digest,
            "official": data.is_official(suite.dataset or experiment["dataset"]),
        },
        "gen_iters": suite.budget(name),
        "evaluate_at": suite.evaluate_at(name),
        "protocols": [protocol.resolved().as_dict() for protocol in chosen],
        "numerics": numerics,
        "device": device,
        "sources": identity.sources(experiment, numerics),
    }


def _check_portable(chosen: list[protocols.Protocol], device: str) -> None:
    """Refuse what would not have the same bits on every machine, or was never shown to have."""
    if device != "cpu":
        do = "Use --device cpu, or --numerics faithful"
        raise UserError("the profile portable has its bits on CPUs, on GPUs not yet", where="--device", do=do)
    for protocol in chosen:
        if not protocol.has_portable_scores:
            do = "Train without it (protocols = []) and use `ganbench evaluate`, or --numerics faithful"
            raise UserError("its scores are not portable", where=f"protocol '{protocol.name}'", do=do)


def _dataset(name: str, experiment: dict[str, Any]) -> data.DatasetInfo:
    """The data set a run is trained on; `UserError` if it is not there or does not fit the networks."""
    if not name.startswith("folder") and name not in data.names():
        raise UserError(
            f"needs the data set '{name}', which ganbench does not have",
            where=f"experiment '{experiment['name']}'",
            do=f"Choose folder:PATH for a folder of images, or {', '.join(data.names())}",
        )
    try:
        data.require(name)
    except UserError as error:
        where = f"experiment '{experiment['name']}'" + (f", {error.where}" if error.where else "")
        raise UserError(error.what, where=where, do=error.do) from None
    found = data.info(data.name_in_results(name))
    if data.is_drawn(name) and name != experiment["dataset"]:
        raise UserError(
            f"there are no images of '{name}': its points are drawn by its own experiments",
            where=f"experiment '{experiment['name']}'",
        )
    batch, n_images = experiment["settings"]["batch"]["value"], found.n_train
    n_images = min(n_images, experiment["train_images"] or n_images)
    if n_images < batch and not data.is_drawn(name):
        raise UserError(
            f"a minibatch has {batch} images, '{name}' has {n_images} to train on",
            where=f"experiment '{experiment['name']}'",
            do="Choose more images, or an experiment with a smaller minibatch",
        )
    channels, height, width = experiment["image_shape"]
    if found.shape[0] != channels or found.shape[1] > height or found.shape[2] > width:
        raise UserError(
            f"its networks see {channels}x{height}x{width}, '{name}' has {'x'.join(map(str, found.shape))}",
            where=f"experiment '{experiment['name']}'",
            do=f"Choose images with as many channels, no larger (folder:PATH@{height} converts a folder), or "
            "other experiments (--experiment)",
        )
    return found
