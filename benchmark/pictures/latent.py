"""Pictures of a trained generator: grids, walks and arithmetic in latent space, closest training images.

Latents are those of the run's evaluations, so that number i is cell i of its `samples/*.png`, row by row. A
grid is computed as those are (`sampling.evaluation_images`) and has their pixels. Every other picture is a
function of its latent alone: with batch statistics, in which an image depends on its batch, it takes the
first place in the run's first evaluation batch, the rest of which stays. So it costs a whole batch, and where
a latent of the grid is shown again it may differ a little from its cell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

import baselines
from benchmark import data
from benchmark.data.framing import frame
from benchmark.errors import NothingToJudge, UserError, did_you_mean
from benchmark.evaluation.neighbours import Neighbours, nearest
from benchmark.records import equivalence, identity, revived, store
from benchmark.training import checkpoint, sampling, trainer
from benchmark.training.draws import latents, stream, uniform
from benchmark.training.quantise import NonFiniteImages

if TYPE_CHECKING:
    from pathlib import Path

    from baselines.spec import Experiment

NOISE = 0.25
"""Half-width of the uniform noise around the result of vector arithmetic (DCGAN 2015, Figure 7)."""
MOST = 4096
"""Most images of a grid, and so the first latent that has no number."""


@dataclass(frozen=True)
class Trained:
    """A run's generator at its last checkpoint.

    Attributes:
        experiment: what was trained.
        generator: with the checkpoint's weights, on the run's device where there is one, else on the CPU.
        seed: the run's.
        gen_iters: G-iterations behind the weights.
        dataset: name and digest of the training images.
        stale: whether code that decides numbers changed since the run; its samples may then look different.

    """

    experiment: Experiment[Any]
    generator: nn.Module
    seed: int
    gen_iters: int
    dataset: dict[str, str]
    stale: bool


def trained(directory: Path) -> Trained:
    """Build a run's generator again and load the last checkpoint; needs neither the data nor a record.

    Raises:
        NothingToJudge: no run, or none with a checkpoint.
        UserError: the checkpoint is damaged, or the experiment or its networks are not those of this code.

    """
    spec, where = store.read_spec(directory), str(directory)
    if spec is None:
        raise NothingToJudge("there is no readable spec.json", where=where, do="Name a run directory")
    revived.revive(spec, directory)
    name, names = spec["experiment"]["name"], baselines.names()
    if name not in names:
        raise UserError(f"unknown experiment '{name}'", where=where, do=did_you_mean(name, names))
    files = checkpoint.available(directory / "checkpoints")
    if not files:
        raise NothingToJudge("there is no checkpoint", where=where, do="Let the run reach its first one")
    experiment = baselines.get(name)
    if experiment.points:
        do = "See samples/ in the run's directory"
        raise UserError("its samples are points of the plane, not images", where=where, do=do)
    device = torch.device("cuda" if spec["device"] == "cuda" and torch.cuda.is_available() else "cpu")
    black = torch.zeros((1, *experiment.image_shape), dtype=torch.uint8, device=device)
    players = trainer.build(experiment, 0, black)
    try:
        state, tensors = checkpoint.read(files[0])
        generator = checkpoint.load_scored(players, tensors)
    except checkpoint.DamagedCheckpoint as error:
        raise UserError(f"checkpoint {error}", where=where, do="Train the run again") from error
    except RuntimeError as error:
        raise UserError("its generator is another one than in this code", where=where) from error
    here = identity.sources(spec["experiment"], spec["numerics"])
    stale = not equivalence.same(here, spec["sources"], spec["experiment"]["name"])
    return Trained(experiment, generator, spec["seed"], state["gen_iters"], spec["dataset"], stale)


# --- Images -------------------------------------------------------------------------------------------


def samples(model: Trained, n: int, seed: int, label: int | None = None) -> Tensor:
    """The first n images of the evaluation stream, uint8 [n, C, H, W]; all of one class if `label` is given.

    Without it, a conditional generator gets the classes of the run's evaluations.

    Raises:
        NothingToJudge: the generator's output is not finite.
        UserError: `label` is not one of the experiment's classes.

    """
    if label is None:
        return _finite(model, model.generator, seed, n)
    return images_at(model, evaluation_latents(model, range(n), seed), seed, label)


def images_at(model: Trained, z: Tensor, seed: int, label: int | None = None) -> Tensor:
    """The images at latents [n, latent], float32: uint8 [n, C, H, W], each independent of the others.

    Raises:
        NothingToJudge: the generator's output is not finite.
        UserError: a conditional generator without a `label`, or one that it does not have.

    """
    classes = model.experiment.classes
    if classes and label is None:
        raise UserError(
            "a conditional generator needs a class", where="--class", do=f"Choose 0 to {classes - 1}"
        )
    if label is not None and not 0 <= label < classes:
        do = f"Choose 0 to {classes - 1}" if classes else "Leave it out: the generator is unconditional"
        raise UserError(f"there is no class {label}", where="--class", do=do)
    settings = model.experiment.settings
    alone = settings.sampling_statistics == "batch"
    n_asked = len(z) * settings.sampling_batch if alone else len(z)
    return _finite(model, _At(model.generator, z, label, alone=alone), seed, n_asked)


class _At(nn.Module):
    """A generator that gets other latents in place of the evaluation's, so that `sampling` can be used.

    One per batch if `alone`, in the first place of the first batch; else as many as a batch has. Gives the
    images of those only.
    """

    def __init__(self, generator: nn.Module, z: Tensor, label: int | None, *, alone: bool) -> None:
        super().__init__()
        self.generator, self.z, self.label, self.alone = generator, z, label, alone
        self.at, self.first = 0, tuple[Tensor, ...]()

    def forward(self, *drawn: Tensor) -> Tensor:
        """Evaluation latents [B, latent], and classes if conditional → images [k, C, H, W]."""
        if self.alone:
            self.first = self.first or drawn
            drawn = self.first
        chosen = self.z[self.at : self.at + (1 if self.alone else len(drawn[0]))]
        self.at, k = self.at + len(chosen), len(chosen)
        inputs = [part.clone() for part in drawn]
        inputs[0][:k] = chosen
        if self.label is not None:
            inputs[1][:k] = self.label
        images: Tensor = self.generator(*inputs)
        return images[:k]


def _finite(model: Trained, generator: nn.Module, seed: int, n: int) -> Tensor:
    try:
        return sampling.evaluation_images(model.experiment, generator, seed, n)
    except NonFiniteImages as error:
        raise NothingToJudge(f"the run has diverged ({error})", where=model.experiment.name) from error


# --- Latents ------------------------------------------------------------------------------------------


def evaluation_latents(model: Trained, numbers: range | list[int], seed: int) -> Tensor:
    """Latents of the evaluation stream by number, float32 [n, latent] on the CPU."""
    settings = model.experiment.settings
    drawn = latents(settings.prior, stream(seed, "evaluate", 0), max(numbers) + 1, settings.latent)
    return drawn[list(numbers)]


def walk(points: Tensor, steps: int) -> Tensor:
    """Straight lines from each of the points [m, latent] to the next: [(m − 1)·steps, latent], line by line.

    z = (1 − t)·a + t·b for t = 0, 1/(steps − 1), …, 1 (GAN 2014, Figure 3; DCGAN 2015, Figure 4): linear, so
    that the middle of a line is nearer to 0 than the prior's latents are.
    """
    t = torch.linspace(0, 1, steps)[:, None]
    return torch.cat([(1 - t) * a + t * b for a, b in pairwise(points)])


class Term(NamedTuple):
    """The mean of some latents, added (`sign` 1) or subtracted (−1)."""

    sign: int
    numbers: list[int]


def terms(text: str) -> list[Term]:
    """What ``a,b,c - d,e,f + g,h,i`` says.

    Raises:
        UserError: it says something else, or has a number of `MOST` or above.

    """
    compact = re.sub(r"\s*([+,-])\s*", r"\1", text.strip())
    if not re.fullmatch(r"[+-]?\d{1,9}(,\d{1,9})*([+-]\d{1,9}(,\d{1,9})*)*", compact, re.ASCII):
        do = "Write numbers of samples like 3,8,12 - 0,5,7 + 1,9,30"
        raise UserError(f"cannot read '{text}'", where="--arithmetic", do=do)
    found = [
        Term(-1 if sign == "-" else 1, [int(number) for number in numbers.split(",")])
        for sign, numbers in re.findall(r"([+-]?)([\d,]+)", compact)
    ]
    if (most := max(number for term in found for number in term.numbers)) >= MOST:
        raise UserError(f"there is no sample {most}", where="--arithmetic", do=f"Name 0 to {MOST - 1}")
    return found


class Arithmetic(NamedTuple):
    """Latents of Figure 7: the mean of each term [t, latent]; the result and 8 around it, [9, latent].

    The result is number 4, the middle of a 3 × 3 grid.
    """

    means: Tensor
    results: Tensor


def arithmetic(model: Trained, expression: list[Term], seed: int) -> Arithmetic:
    """Latent z = Σ ± mean(latents of a term), and z + U(−.25, .25) in each coordinate (DCGAN 2015, §6.3.2).

    Nothing is cut to the prior's range. The noise is a function of the seed.
    """
    means = torch.stack([evaluation_latents(model, term.numbers, seed).mean(0) for term in expression])
    result = sum(term.sign * mean for term, mean in zip(expression, means, strict=True))
    noise = NOISE * (2 * uniform(stream(seed, "evaluate", 2), 9, means.shape[1]) - 1)
    noise[4] = 0
    return Arithmetic(means, result + noise)


# --- Neighbours ---------------------------------------------------------------------------------------


def training_neighbours(model: Trained, images: Tensor) -> tuple[Tensor, Neighbours]:
    """The closest training images, uint8 [n, C, H, W], and which they are (`neighbours.nearest`).

    Raises:
        UserError: the data set is not there, or not the one that the run was trained on.

    """
    name = model.dataset["name"]
    training = data.load(name, "train")
    if data.info(name).digest != model.dataset["digest"]:
        raise UserError(f"the data set '{name}' is not the one that the run was trained on")
    if training.shape[1:] != images.shape[1:]:
        training = frame(training, images.shape[2])
    found = nearest(images, training)
    return training[found.indices], found
