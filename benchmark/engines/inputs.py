"""What a run begins with: its images, the generator it starts from, and what scores it. Imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from benchmark import data
from benchmark.data.framing import frame
from benchmark.errors import UserError
from benchmark.evaluation import protocols
from benchmark.evaluation.evaluator import Evaluator
from benchmark.records import devices, identity, store
from benchmark.training import checkpoint, policies
from benchmark.training.portable import selftest

if TYPE_CHECKING:
    from pathlib import Path

_MOST_ON_GPU = 0.5
"""Of a run's part of the free memory of its GPU; larger sets of images stay on the CPU or in their file."""


def check_device(spec: dict[str, Any]) -> None:
    """Refuse a device that has not the arithmetic of the run's profile.

    Raises:
        UserError: it has not.

    """
    if identity.is_portable(spec["numerics"]):
        selftest.check(spec["device"])
    elif identity.profile(spec["numerics"]) == policies.MIXED:
        devices.check_bfloat16(spec["device"])


def training_data(dataset: dict[str, Any], experiment: Any) -> tuple[Any, Any]:
    """Images uint8 [N, C, H, W] as large as the experiment's, and classes int64 [N] or None; on the CPU.

    Raises:
        UserError: the data are not there, or are not those of the plan.

    """
    name = dataset["name"]
    if data.info(name).digest != dataset["digest"]:
        raise UserError("the data changed after this run was planned", where=f"data set '{name}'")
    images = data.load(name, "train")
    labels = data.load_labels(name, "train") if experiment.classes else None
    if n := experiment.train_images:
        images, labels = images[:n], labels if labels is None else labels[:n]
    if images.shape[1:] != experiment.image_shape:  # else no copy: a large set stays in its file
        images = frame(images, experiment.image_shape[1])
    return images, labels


def on_gpu(images: Any, labels: Any, share: float) -> tuple[Any, Any]:
    """The same in the memory of the GPU, of which the run may take this share, if there is room for them."""
    free, total = torch.cuda.mem_get_info()
    if images.nbytes < _MOST_ON_GPU * min(free, total * share):
        images, labels = images.to("cuda"), labels if labels is None else labels.to("cuda")
    return images, labels


def evaluator(spec: dict[str, Any], image_size: int) -> Evaluator | None:
    """What scores the run, whose networks see images of this size; None without protocols.

    Raises:
        UserError: the protocols are not those of the plan, or what they need is not there.

    """
    chosen = [protocols.get(protocol["name"]).resolved() for protocol in spec["protocols"]]
    now = {**spec, "protocols": [protocol.as_dict() for protocol in chosen]}
    if identity.cell_id(now) != identity.cell_id(spec):  # titles and notes are only words
        raise UserError("the protocols or their weights changed after this run was planned")
    if not chosen:
        return None
    name = spec["dataset"]["name"]
    framed = image_size if image_size != data.info(name).shape[1] else None
    return Evaluator(chosen, name, spec["device"], framed, portable=identity.is_portable(spec["numerics"]))


def first_stage(directory: Path, spec: dict[str, Any], env_id: str) -> dict[str, Any] | None:
    """The trained generator of the run that this one starts from, beside it in the results folder.

    Raises:
        UserError: that run is not done, or its generator is lost or not the recorded one.

    """
    if "starts_from" not in spec:
        return None
    before = spec["starts_from"]
    first = store.run_directory(directory.parents[3], before["experiment"], before["run_id"], env_id)
    finished = store.read_record(first)
    if finished is None or finished["status"] != "done":
        raise UserError("the run it starts from is not done", where=str(first), do="Run both experiments")
    try:
        _, tensors = checkpoint.read(checkpoint.available(first / "checkpoints")[0])
    except (IndexError, checkpoint.DamagedCheckpoint) as error:
        raise UserError(f"the generator it starts from is lost ({error})", where=str(first)) from error
    generator = checkpoint.part(tensors, "generator")
    if checkpoint.digest(generator) != finished["digests"]["generator_weights"]:
        raise UserError("the generator it starts from is not the recorded one", where=str(first))
    return generator
