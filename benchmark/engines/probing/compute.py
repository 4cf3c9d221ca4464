"""One probe: the product's own trainer on drawn images, in each of the numerics, as digests and as numbers.

Nothing here repeats what a run does. Networks, draws, loop, checkpoints and sampling are the trainer's; this
chooses settings and starting points and looks at what comes out.
"""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils._python_dispatch import TorchDispatchMode

import baselines
from benchmark.engines.probing.drawn import black, draw_state, labels, pictures
from benchmark.engines.probing.plan import narrow, reduced
from benchmark.engines.probing.plan import plan as planned
from benchmark.engines.probing.precision import default_dtype
from benchmark.engines.probing.recorded import FewImages, Nobody, RecordedRun, WithoutCheckpoints, digest_of
from benchmark.errors import UserError
from benchmark.records import identity
from benchmark.training import checkpoint, initial, trainer
from benchmark.training.numerics import POLICIES
from benchmark.training.portable import selftest
from benchmark.training.trainer import Cadence, State, Trainer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from baselines.spec import Experiment

NUMERICS = ("portable", "float32", "float64")
_NO_CHECKPOINTS = Cadence(wall_s=math.inf)


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
        if one == "portable" and (reason := _machine_refuses()):
            found[one] = {"refused": reason, "by": "machine"}
            continue
        try:
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


def _machine_refuses() -> str:
    """Why portable numerics are not what they should be on this machine; nothing where they are."""
    try:
        selftest.check()
    except UserError as error:
        return error.what
    return ""


def inexact_start(name: str) -> str:
    """The first operation of the library that makes initial weights and is not exact; empty if all are."""
    experiment = baselines.get(name)
    small, used = reduced(experiment, narrow(experiment)), _Operations()
    with used:
        trainer.build(small, 0, black(small))
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
        with (
            tempfile.TemporaryDirectory(prefix="ganbench-probe-") as temporary,
            default_dtype(self._numerics),
        ):
            folder = Path(temporary)
            found: dict[str, Any] = {}
            all_bits: list[str] = []
            if self._plan["full"]["gen_iters"][self._numerics]:
                found, bits = self._full(folder / "full")
                all_bits.append(bits)
            if self._numerics == "float32":
                return {**found, "bits": digest_of(all_bits), "resumes": self._resumes(folder / "resumed")}
            found["late"] = late = {}
            for start, n in self._plan["late"]["starts"].items():
                run = self._late(folder / start, int(start), n)
                late[start] = self._shown(run)
                all_bits.append(run.bits())
        return {**found, "bits": digest_of(all_bits)}

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
        all_bits = digest_of([run.bits(), images.digest(), numbers])
        if self._numerics == "float64":  # the score's network computes in float32
            del numbers["inception_score"]
        looked_at = images.digest() if self._numerics == "portable" else numbers
        return {**found, "full": {**self._shown(run), "images": looked_at}}, all_bits

    def _late(self, folder: Path, k: int, n: int, cadence: Cadence = _NO_CHECKPOINTS) -> RecordedRun:
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
    ) -> RecordedRun:
        settings, n = self._plan[part]["settings"], self._plan["images"][part]
        experiment = reduced(self._experiment, settings)
        run = RecordedRun()
        changed = run.recording(experiment, self._numerics)
        folder.mkdir(exist_ok=True)
        kind = Trainer if writes else WithoutCheckpoints
        run.trainer = kind(
            changed,
            seed=self._seed,
            budget=budget,
            evaluate_at=evaluate_at,
            images=pictures(n, experiment.image_shape),
            labels=labels(n, experiment.classes),
            pretrained=self._first_stage(settings),
            evaluator=evaluator,
            portable=self._numerics == "portable",
            directory=folder,
            watcher=Nobody(),
            cadence=cadence,
            started=time.perf_counter(),
        )
        return run

    def _first_stage(self, settings: Mapping[str, Any]) -> dict[str, Tensor] | None:
        """Initial weights of the generator that the experiment starts from, if any."""
        if not self._experiment.starts_from:
            return None
        first = reduced(baselines.get(self._experiment.starts_from), settings)
        with default_dtype("float32"):
            return trainer.build(first, self._seed + 1, black(first)).generator.state_dict()

    def _write_start(self, folder: Path, k: int) -> None:
        """A checkpoint as if k G-iterations were done: initial weights, optimiser states drawn."""
        plan = self._plan["late"]
        experiment = reduced(self._experiment, plan["settings"])
        images = pictures(self._plan["images"]["late"], experiment.image_shape)
        with default_dtype("float32"):
            players = trainer.build(experiment, self._seed, images)
            if (first := self._first_stage(plan["settings"])) is not None:
                players.generator.get_submodule("pretrained").load_state_dict(first)
            updates = {"generator": k, "critic": experiment.critic_updates(experiment.settings, k)}
            for player, n in updates.items():
                draw_state(getattr(players, player), getattr(players, f"{player}_optimiser"), player, n)
            folder.mkdir(exist_ok=True)
            profile = "portable" if self._numerics == "portable" else "faithful"
            checkpoint.write(folder / "checkpoints", players, asdict(State(gen_iters=k, numerics=profile)))

    def _shown(self, run: RecordedRun) -> dict[str, Any]:
        if self._numerics == "portable":
            return {"losses": digest_of(run.losses), "weights": run.weights_digest()}
        return {"losses": run.losses, "weights": run.norms()}
