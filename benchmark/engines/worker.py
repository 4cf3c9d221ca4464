"""Executes one run directory: ``python -m benchmark.engines.worker RUN_DIR [CADENCE]``.

The unit of work of engines. Reads `spec.json`, trains and evaluates, writes `events.jsonl`, samples,
checkpoints, `losses.safetensors` and, last, `record.json`.
Its process is fresh and its environment prepared (`numerics.child_environment`). It stops at the next
G-iteration or within an evaluation, with a checkpoint, on SIGTERM, SIGINT or when the parent is gone
that announced itself (`benchmark.engines.parent`). CADENCE is the JSON of `trainer.Cadence`.

Exit codes: 0 the record is written; 1 failed, the reason is the last event; 75 stopped, can be continued;
76 another process works in this directory; 100 + errno the reason could not be written down, since the
directory cannot be written.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from benchmark.engines import parent
from benchmark.errors import Stopped, UserError
from benchmark.records import (
    atomic,
    devices,
    environment,
    equivalence,
    identity,
    locks,
    loss_file,
    provenance,
    record,
    store,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmark.evaluation.protocol import Protocol
    from benchmark.training.quantise import Generated
    from benchmark.training.trainer import Evaluator, Scores

STARTED = time.perf_counter()
STOPPED, BUSY, UNWRITABLE = 75, 76, 100
LAUNCH_VARIABLE = "GANBENCH_LAUNCH"
"""Environment variable with the JSON of `provenance.launch`, set by the engine."""
SHARE_VARIABLE = "GANBENCH_GPU_SHARE"
"""Environment variable with the share of its GPU that a run may count on; 1 without it."""
FETCH_VARIABLE = "GANBENCH_FETCH"
"""Environment variable that is set where nobody has fetched the run's data set and weights yet."""
SHORT = "out of GPU memory"
"""How the reason of a run begins that its GPU had no room for."""
_PROGRESS_EVERY_S = 0.25
_MOST_ON_GPU = 0.5
"""Of a run's part of the free memory of its GPU; larger sets of images stay on the CPU or in their file."""


class Log:
    """Appends events to `events.jsonl` and keeps `progress.json` fresh. Implements `trainer.Watcher`."""

    def __init__(self, directory: Path, budget: int) -> None:
        self._directory, self._budget = directory, budget
        self._next = 0.0
        self._first: tuple[float, int] | None = None
        self._events = (directory / "events.jsonl").open("a+b")
        if self._events.tell():
            self._events.seek(-1, os.SEEK_END)
            if self._events.read(1) != b"\n":  # a line that a crash cut off must not swallow the next one
                self._events.write(b"\n")

    def progress(self, phase: str, gen_iters: int) -> None:
        """Write where the run is, at most four times a second."""
        now = time.perf_counter()
        if phase == "train" and self._first is None:
            self._first = (now, gen_iters)
        if now < self._next and phase == "train":
            return
        self._next = now + _PROGRESS_EVERY_S
        begin, first = self._first or (now, gen_iters)
        rate = (gen_iters - first) / (now - begin) if now > begin else 0.0
        atomic.write_scratch_json(
            self._directory / "progress.json",
            {"phase": phase, "gen_iters": gen_iters, "budget": self._budget, "iters_per_s": round(rate, 3)},
        )

    def event(self, name: str, **details: Any) -> None:
        """Append one line and flush it."""
        line = {"event": name, "utc": now_utc(), **details}
        self._events.write(json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n")
        self._events.flush()


def main(argv: list[str]) -> int:
    """Run the directory named on the command line."""
    started_by = parent.follow()
    if parent.is_gone(started_by):
        return STOPPED
    directory = Path(argv[0])
    try:
        with locks.hold(directory):
            return execute(directory, json.loads(argv[1]) if argv[1:] else {}, started_by)
    except Timeout:
        return BUSY
    except OSError as error:
        traceback.print_exc()
        return UNWRITABLE + (error.errno or 0)


def execute(directory: Path, cadence: dict[str, Any], started_by: int | None = None) -> int:
    """Run a locked directory to its record, or to a stop or failure that is written down."""
    spec = store.read_spec(directory)
    if spec is None:
        print(f"{directory}: no readable spec.json", file=sys.stderr)  # noqa: T201
        return 1
    atomic.remove_litter(directory)
    log, stop = Log(directory, spec["gen_iters"]), _Stop(started_by)
    try:
        return _train(directory, spec, cadence, log, stop)
    except Stopped:
        return _stopped(directory, log)
    except UserError as error:
        log.event("failed", reason=str(error))
    except Exception as error:
        traceback.print_exc()
        if stop.asked():  # C code may have made another error of `Stopped`
            return _stopped(directory, log)
        log.event("failed", reason=_reason(error))
    return 1


def _stopped(directory: Path, log: Log) -> int:
    """The run was stopped before it began to train."""
    log.event("interrupted", gen_iters=store.checkpointed(directory))
    return STOPPED


def _gpu_bytes(free: int, total: int) -> float:
    """What this run may take of its GPU: its share, and no more than is free."""
    return min(free, total * float(os.environ.get(SHARE_VARIABLE, "1")))


def _reason(error: Exception) -> str:
    """What to tell of an unexpected error; torch has its own ways to say that memory is short."""
    if type(error).__name__ == "OutOfMemoryError":
        return SHORT
    if isinstance(error, MemoryError) or "not enough memory" in str(error) or "allocate memory" in str(error):
        return "out of memory"
    if isinstance(error, OSError) and error.errno:
        return (
            f"{error.strerror}: {atomic.target(Path(error.filename))}"
            if error.filename
            else str(error.strerror)
        )
    return repr(error)


def _train(directory: Path, spec: dict[str, Any], cadence: dict[str, Any], log: Log, stop: _Stop) -> int:
    started_utc = now_utc()
    log.progress("start", 0)
    import torch

    import baselines
    from benchmark import data
    from benchmark.evaluation import protocols
    from benchmark.evaluation.evaluator import Evaluator
    from benchmark.suites import prepare
    from benchmark.training import checkpoint, numerics, policies, sampling
    from benchmark.training.mixed import MixedTrainer
    from benchmark.training.portable import selftest
    from benchmark.training.trainer import Cadence, Trainer

    numerics.apply()
    # Backward passes run in this thread on a GPU too, as on a CPU. Each thread numbers the nodes it makes;
    # where a gradient is differentiated again, the order in which gradients are added would depend on what
    # the process did before.
    torch.autograd.set_multithreading_enabled(False)
    device = spec["device"]
    described = environment.describe(device)
    _check_code(spec)
    if os.environ.get(FETCH_VARIABLE):
        log.progress("fetch", 0)
        named = [protocol["name"] for protocol in spec["protocols"]]
        prepare.make_ready([spec["dataset"]["name"]], named, lambda what: log.event("fetch", what=what))
    portable = identity.is_portable(spec["numerics"])
    mixed = identity.profile(spec["numerics"]) == policies.MIXED
    if portable:
        selftest.check(device)
    elif mixed:
        devices.check_bfloat16(device)
    log.event("started", pid=os.getpid(), env_id=identity.env_id(described, spec["numerics"]))
    baselines.revive(spec["experiment"])
    experiment = baselines.get(spec["experiment"]["name"])
    dataset = spec["dataset"]["name"]
    images, labels = training_data(spec["dataset"], experiment)
    if len(images):
        sampling.save_grid(images[: sampling.GRID**2].cpu(), directory / "samples" / "real.png")
    if device == "cuda" and images.nbytes < _MOST_ON_GPU * _gpu_bytes(*torch.cuda.mem_get_info()):
        images, labels = images.to(device), labels if labels is None else labels.to(device)
    chosen = [protocols.get(protocol["name"]).resolved() for protocol in spec["protocols"]]
    now = {**spec, "protocols": [protocol.as_dict() for protocol in chosen]}
    if identity.cell_id(now) != identity.cell_id(spec):  # titles and notes are only words
        raise UserError("the protocols or their weights changed after this run was planned")
    framed = experiment.image_shape[1] if images.shape[2] != data.info(dataset).shape[1] else None
    evaluator = Evaluator(chosen, dataset, device, framed, portable=portable) if chosen else None
    env_id = identity.env_id(described, spec["numerics"])
    real_data = evaluator.real_data_floor() if evaluator else {}
    trainer = (MixedTrainer if mixed else Trainer)(
        experiment,
        seed=spec["seed"],
        budget=spec["gen_iters"],
        evaluate_at=spec["evaluate_at"],
        images=images,
        labels=labels,
        device=torch.device(device),
        pretrained=_first_stage(directory, spec, env_id),
        evaluator=_Stoppable(evaluator, stop, chosen) if evaluator else None,
        portable=portable,
        directory=directory,
        watcher=log,
        cadence=Cadence(**cadence),
        started=STARTED,
    )
    stop.at_once = False
    if trainer.run(stop.asked) == "stopped":
        log.event("interrupted", gen_iters=trainer.state.gen_iters)
        return STOPPED

    players = trainer.players
    losses = {name: column.numpy() for name, column in trainer.losses.columns().items()}
    loss_file.write(directory, losses)
    content = record.build(
        spec,
        env_id=env_id,
        state=vars(trainer.state),
        real_data=real_data,
        weights={
            "generator_weights": checkpoint.digest(players.generator.state_dict()),
            "critic_weights": checkpoint.digest(players.critic.state_dict()),
        },
        losses=loss_file.digest(losses),
        first_losses=trainer.first_losses(),
        peak_memory_mib=_peak_memory_mib(torch.cuda.max_memory_allocated() if device == "cuda" else None),
        provenance={
            **json.loads(os.environ.get(LAUNCH_VARIABLE, "{}")),
            **provenance.machine(),
            "cpu": environment.cpu_model(),
            "threads": described["threads"],
            "gpu": described["device"] if device == "cuda" else None,
            "cuda": described["cuda"],
            "cudnn": described["cudnn"],
            "environment": described,
            "determinism": {
                **numerics.in_force(),
                "autograd_multithreading": torch.autograd.is_multithreading_enabled(),
            },
            "started_utc": started_utc,
            "finished_utc": now_utc(),
        },
    )
    atomic.write_json(directory / "record.json", content)
    log.event("finished", status=content["status"])
    (directory / "progress.json").unlink(missing_ok=True)
    return 0


def training_data(dataset: dict[str, Any], experiment: Any) -> tuple[Any, Any]:
    """Images uint8 [N, C, H, W] as large as the experiment's, and classes int64 [N] or None; on the CPU.

    Raises:
        UserError: the data are not there, or are not those of the plan.

    """
    from benchmark import data
    from benchmark.data.framing import frame

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


def _first_stage(directory: Path, spec: dict[str, Any], env_id: str) -> dict[str, Any] | None:
    """The trained generator of the run that this one starts from, beside it in the results folder."""
    if "starts_from" not in spec:
        return None
    from benchmark.training import checkpoint

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


class _Stop:
    """Whether the run should stop: a signal came, or the parent process is gone.

    While `at_once`, a signal raises `Stopped` wherever the program is.
    """

    def __init__(self, started_by: int | None) -> None:
        self.at_once = True
        self._asked, self._parent = False, started_by
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self._asked = True
        if self.at_once:
            self.at_once = False
            raise Stopped

    def asked(self) -> bool:
        self._asked = self._asked or parent.is_gone(self._parent)
        return self._asked


class _Stoppable:
    """An evaluator that ends by `Stopped` when the run should stop: an evaluation may take minutes."""

    def __init__(self, evaluator: Evaluator, stop: _Stop, protocols: Sequence[Protocol] = ()) -> None:
        self._evaluator, self._stop, self._protocols = evaluator, stop, protocols

    @property
    def n_generated(self) -> int:
        return self._evaluator.n_generated

    def scores_of(self, batches: Iterable[Generated]) -> Scores:
        from benchmark.evaluation.source import gathered

        self._stop.at_once = True
        try:
            return self._evaluator.scores_of(gathered(self._watched(batches), self._protocols))
        finally:
            self._stop.at_once = False

    def _watched(self, batches: Iterable[Generated]) -> Iterator[Generated]:
        for batch in batches:
            if self._stop.asked():
                raise Stopped
            yield batch


def _check_code(spec: dict[str, Any]) -> None:
    """The spec was written for these very sources, or for equivalent ones; else its run_id would lie."""
    here = identity.sources(spec["experiment"], spec["numerics"])
    if not equivalence.same(here, spec["sources"], spec["experiment"]["name"]):
        raise UserError("the code changed after this run was planned", do="Start the command again")


def _peak_memory_mib(gpu_bytes: int | None) -> float:
    if gpu_bytes is not None:
        return gpu_bytes / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**10 if sys.platform != "darwin" else peak / 2**20


def now_utc() -> str:
    """The time in ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
