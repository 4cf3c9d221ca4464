"""One probe: the product's own trainer on drawn images, in each of the numerics, as digests and as numbers.

Nothing here repeats what a run does. Networks, draws, loop, checkpoints and sampling are the trainer's; this
chooses settings and starting points and looks at what comes out.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import baselines
from baselines.spec import SUITE
from benchmark.data.framing import frame
from benchmark.engines.probing.plan import narrow
from benchmark.engines.probing.plan import plan as planned
from benchmark.errors import UserError
from benchmark.evaluation import digits_lenet, extractors, fidelity
from benchmark.records import identity
from benchmark.training import checkpoint, initial, trainer
from benchmark.training.numerics import POLICIES
from benchmark.training.portable import selftest
from benchmark.training.trainer import Cadence, State, Trainer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from baselines.spec import Experiment, Players
    from benchmark.training.quantise import Generated
    from benchmark.training.trainer import Scores

NUMERICS = ("portable", "float32", "float64")
_NO_CHECKPOINTS = Cadence(wall_s=math.inf)
_STATE_SCALE = 1e-4
"""Of drawn optimiser states: about a squared gradient, so that steps are neither lost nor enormous."""


def compute(name: str, given: Mapping[str, Any] | None, numerics: Iterable[str]) -> dict[str, Any]:
    """The probe of an experiment by its plan, or by `plan.plan`, as JSON data.

    `bits` has a digest over everything that was computed, by numerics, to be compared in one environment; the
    rest is what can be compared between environments.
    """
    experiment = baselines.get(name)
    plan = dict(given or planned(experiment))
    found: dict[str, Any] = {
        "experiment": name,
        "plan": plan,
        "sources": {
            profile: identity.sources(baselines.described(name), policy)
            for profile, policy in POLICIES.items()
        },
        "settings": identity.digest(experiment.settings.values()),
        "bits": {},
    }
    inexact = inexact_start(name)
    for one in numerics:
        try:
            if one == "portable":
                selftest.check()
            result = _Probe(experiment, plan, one).result()
        except UserError as error:
            if one != "portable":
                raise
            found[one] = {"refused": error.what}
            continue
        found["bits"][one] = result.pop("bits")
        if one == "float32":
            found |= {key: result.pop(key) for key in ("initial_weights", "resumes")}
            if inexact:
                del found["initial_weights"]
        found[one] = result
    return found


def reduced(experiment: Experiment[Any], settings: Mapping[str, Any]) -> Experiment[Any]:
    """The experiment with other values of some settings."""
    cited = {name: (value, "the probe's plan", SUITE) for name, value in settings.items()}
    return replace(experiment, settings=experiment.settings.revised(**cited))


def inexact_start(name: str) -> str:
    """The first operation of the library that makes initial weights and is not exact; empty if all are."""
    experiment = baselines.get(name)
    small, used = reduced(experiment, narrow(experiment)), _Operations()
    with used:
        trainer.build(small, 0, _black(small))
    return next((name for name in used.names if name.startswith(initial.INEXACT)), "")


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes their names."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute one operation."""
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


class _Probe:
    """An experiment's probe in one of the numerics."""

    def __init__(self, experiment: Experiment[Any], plan: Mapping[str, Any], numerics: str) -> None:
        self._experiment, self._plan, self._numerics = experiment, plan, numerics
        self._seed = plan["seed"]

    def result(self) -> dict[str, Any]:
        """`full`, a digest of all bits, and `late` by start; in float32 what needs computing once instead.

        Without `full` where the plan has no G-iterations of it.
        """
        with tempfile.TemporaryDirectory(prefix="ganbench-probe-") as temporary, _dtype(self._numerics):
            folder = Path(temporary)
            found: dict[str, Any] = {}
            all_bits: list[str] = []
            if self._plan["full"]["gen_iters"][self._numerics]:
                found, bits = self._full(folder / "full")
                all_bits.append(bits)
            if self._numerics == "float32":
                return {**found, "bits": _digest(all_bits), "resumes": self._resumes(folder / "resumed")}
            found["late"] = late = {}
            for start, n in self._plan["late"]["starts"].items():
                run = self._late(folder / start, int(start), n)
                late[start] = self._shown(run)
                all_bits.append(run.bits())
        return {**found, "bits": _digest(all_bits)}

    def _full(self, folder: Path) -> tuple[dict[str, Any], str]:
        """At full width, with an evaluation at the end; and a digest of all bits."""
        plan = self._plan["full"]
        start, n = plan["start"], plan["gen_iters"][self._numerics]
        images = FewImages(plan["generated"])
        run = self._run("full", folder, start + n, [start + n], images, writes=False)
        run.trainer.state.gen_iters = start
        found = {"initial_weights": run.weights_digest()} if self._numerics == "float32" else {}
        run.go()
        numbers = images.numbers()
        all_bits = _digest([run.bits(), images.digest(), numbers])
        if self._numerics == "float64":  # the score's network computes in float32
            del numbers["inception_score"]
        looked_at = images.digest() if self._numerics == "portable" else numbers
        return {**found, "full": {**self._shown(run), "images": looked_at}}, all_bits

    def _late(self, folder: Path, k: int, n: int, cadence: Cadence = _NO_CHECKPOINTS) -> _Run:
        """Narrow, from a checkpoint of k with drawn optimiser states."""
        self._write_start(folder, k)
        run = self._run("late", folder, k + n, [], None, cadence=cadence)
        if run.trainer.state.gen_iters != k:
            raise RuntimeError(f"the checkpoint of G-iteration {k} was not read")
        run.go()
        return run

    def _resumes(self, folder: Path) -> bool:
        """Whether a run that is continued before its last G-iteration ends like one that is not."""
        k, n = max(((int(k), n) for k, n in self._plan["late"]["starts"].items()), key=lambda pair: pair[1])
        whole = self._late(folder, k, n, Cadence(wall_s=math.inf, gen_iters=n - 1))
        newest, *before = checkpoint.available(folder / "checkpoints")
        if not before:
            return False
        newest.unlink()
        rest = self._run("late", folder, k + n, [], None)
        rest.go()
        last = {name: values[-1:] for name, values in whole.losses.items()}
        return rest.losses == last and rest.weights_digest() == whole.weights_digest()

    def _run(
        self,
        part: str,
        folder: Path,
        budget: int,
        evaluate_at: list[int],
        evaluator: FewImages | None,
        *,
        cadence: Cadence = _NO_CHECKPOINTS,
        writes: bool = True,
    ) -> _Run:
        settings, n = self._plan[part]["settings"], self._plan["images"][part]
        experiment = reduced(self._experiment, settings)
        run = _Run()
        changed = run.recording(experiment, self._numerics)
        folder.mkdir(exist_ok=True)
        kind = Trainer if writes else _WithoutCheckpoints
        run.trainer = kind(
            changed,
            seed=self._seed,
            budget=budget,
            evaluate_at=evaluate_at,
            images=pictures(n, experiment.image_shape),
            labels=_labels(n, experiment.classes),
            pretrained=self._first_stage(settings),
            evaluator=evaluator,
            portable=self._numerics == "portable",
            directory=folder,
            watcher=_Nobody(),
            cadence=cadence,
            started=time.perf_counter(),
        )
        return run

    def _first_stage(self, settings: Mapping[str, Any]) -> dict[str, Tensor] | None:
        """Initial weights of the generator that the experiment starts from, if any."""
        if not self._experiment.starts_from:
            return None
        first = reduced(baselines.get(self._experiment.starts_from), settings)
        with _dtype("float32"):
            return trainer.build(first, self._seed + 1, _black(first)).generator.state_dict()

    def _write_start(self, folder: Path, k: int) -> None:
        """A checkpoint as if k G-iterations were done: initial weights, optimiser states drawn."""
        plan = self._plan["late"]
        experiment = reduced(self._experiment, plan["settings"])
        images = pictures(self._plan["images"]["late"], experiment.image_shape)
        with _dtype("float32"):
            players = trainer.build(experiment, self._seed, images)
            if (first := self._first_stage(plan["settings"])) is not None:
                players.generator.get_submodule("pretrained").load_state_dict(first)
            updates = {"generator": k, "critic": experiment.critic_updates(experiment.settings, k)}
            for player, n in updates.items():
                _draw_state(getattr(players, player), getattr(players, f"{player}_optimiser"), player, n)
            folder.mkdir(exist_ok=True)
            profile = "portable" if self._numerics == "portable" else "faithful"
            checkpoint.write(folder / "checkpoints", players, asdict(State(gen_iters=k, numerics=profile)))

    def _shown(self, run: _Run) -> dict[str, Any]:
        if self._numerics == "portable":
            return {"losses": _digest(run.losses), "weights": run.weights_digest()}
        return {"losses": run.losses, "weights": run.norms()}


class _Run:
    """A trainer, and every loss of its G-iterations as it was computed (a record keeps them in float32)."""

    trainer: Trainer

    def __init__(self) -> None:
        self.losses: dict[str, list[float | None]] = {}

    def recording(self, experiment: Experiment[Any], numerics: str) -> Experiment[Any]:
        """The experiment in the numerics, whose losses are kept here too."""

        def iterate(s: Any, players: Players, k: int, draws: Any) -> dict[str, Tensor]:
            losses = experiment.iterate(s, players, k, draws)
            for name, value in losses.items():
                x = float(value)
                self.losses.setdefault(name, []).append(x if math.isfinite(x) else None)
            return losses

        build = _in_double(experiment) if numerics == "float64" else experiment.build
        return replace(experiment, iterate=iterate, build=build)

    def go(self) -> None:
        """Train to the end."""
        self.trainer.run(lambda: False)

    def weights_digest(self) -> str:
        """Over all weights, buffers and optimiser states."""
        return checkpoint.digest(checkpoint.tensors_of(self.trainer.players))

    def bits(self) -> str:
        """Digest of losses and weights."""
        return _digest([self.losses, self.weights_digest()])

    def norms(self) -> dict[str, float]:
        """Euclidean norm of each network's weights, summed in float64."""
        players = self.trainer.players
        return {name: _norm(getattr(players, name)) for name in ("generator", "critic")}


class _WithoutCheckpoints(Trainer):
    """Writing those of wide networks would take longer than training them."""

    def _write_checkpoint(self) -> None:
        pass


class FewImages:
    """Looks at the few images of an evaluation. Implements `trainer.Evaluator`."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._images, self._outputs = torch.empty(0, dtype=torch.uint8), torch.empty(0)
        self._scores: Scores = {}

    @property
    def n_generated(self) -> int:
        """Images that are generated."""
        return self._n

    def scores_of(self, batches: Iterable[Generated]) -> Scores:
        """The Inception score of digits-lenet, whatever the images are of."""
        all_of_them = list(batches)
        self._images = torch.cat([batch.images for batch in all_of_them])
        self._outputs = torch.cat([b.outputs for b in all_of_them if b.outputs is not None])
        size = digits_lenet.IMAGE_SIZE
        small = frame(self._images[:, :1, :size, :size], size)
        net = extractors.load(digits_lenet.NAME)
        _, logits = extractors.extract(net, small, torch.device("cpu"))
        self._scores = {"probe": {"is": fidelity.inception_score(logits, splits=1)}}
        return self._scores

    def digest(self) -> str:
        """Of the uint8 images."""
        return checkpoint.digest({"images": self._images})

    def numbers(self) -> dict[str, float]:
        """Of the images before they were quantised, of the uint8 images, and the score."""
        outputs, images = self._outputs.double(), self._images.double()
        return {
            "outputs_mean_square": float(outputs.square().mean()),
            "pixels_mean": float(images.mean()),
            "inception_score": self._scores["probe"]["is"],
        }


class _Nobody:
    """Watches nothing. Implements `trainer.Watcher`."""

    def progress(self, phase: str, gen_iters: int) -> None:
        """Nobody is told."""

    def event(self, name: str, **details: Any) -> None:
        """A checkpoint that cannot be read has to be heard of."""
        if name == "checkpoint_unusable":
            raise RuntimeError(f"{details['file']}: {details['reason']}")


def pictures(n: int, shape: tuple[int, int, int]) -> Tensor:
    """Drawn images, uint8 [n, C, H, W], the same everywhere."""
    count = n * math.prod(shape)
    return torch.from_numpy((_raw("images", count) & np.uint64(255)).astype(np.uint8)).view(n, *shape)


def _labels(n: int, classes: int) -> Tensor | None:
    if not classes:
        return None
    return torch.from_numpy((_raw("labels", n) % np.uint64(classes)).astype(np.int64))


def _black(experiment: Experiment[Any]) -> Tensor:
    return torch.zeros((1, *experiment.image_shape), dtype=torch.uint8)


def _raw(purpose: str, n: int) -> Any:
    """Words of a counter-based generator, which no version of NumPy may change."""
    key = hashlib.sha256(f"ganbench probe|{purpose}".encode()).digest()
    return np.random.Philox(key=int.from_bytes(key[:16], "little")).random_raw(n)


def _draw_state(network: nn.Module, optimiser: torch.optim.Optimizer, player: str, updates: int) -> None:
    """Give every slot that the optimiser has after a step a drawn value; weights stay as they are."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for p in parameters:
        p.grad = torch.zeros_like(p)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    network.load_state_dict(kept)
    for i, p in enumerate(parameters):
        for slot, tensor in optimiser.state[p].items():
            if not isinstance(tensor, Tensor):
                continue
            if tensor.dim() == 0:
                tensor.fill_(max(1, updates))
            else:
                words = _raw(f"{player} {i} {slot}", tensor.numel()) >> np.uint64(40)
                values = (words.astype(np.float32) + 1) * np.float32(_STATE_SCALE * 2.0**-24)
                tensor.copy_(torch.from_numpy(values).view(tensor.shape))


def _in_double(experiment: Experiment[Any]) -> Any:
    """Its `build`, with the same initial weights in float64."""

    def build(s: Any, shape: tuple[int, int, int], mean_image: Tensor) -> Players:
        with _dtype("float32"):
            players = experiment.build(s, shape, mean_image)
        for network in (players.generator, players.critic):
            network.double()
            network.register_forward_pre_hook(_to_double)
        return players

    return build


def _to_double(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x.double() if isinstance(x, Tensor) and x.is_floating_point() else x for x in given)


@contextmanager
def _dtype(numerics: str) -> Iterator[None]:
    """Torch's default dtype, which decides what uint8 images become."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if numerics == "float64" else torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _norm(network: nn.Module) -> float:
    squares = (p.detach().double().square().sum() for p in network.parameters())
    return math.sqrt(float(torch.stack(list(squares)).sum()))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
