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
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import Timeout

from benchmark.engines import parent
from benchmark.engines.stopping import Stop, Stoppable
from benchmark.errors import Stopped, UserError
from benchmark.records import atomic, environment, equivalence, identity, locks, places, provenance, store

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


class Log:
    """Appends events to `events.jsonl` and keeps `progress.json` fresh. Implements `trainer.Watcher`."""

    def __init__(self, directory: Path, budget: int) -> None:
        self._directory, self._budget = directory, budget
        self._next = 0.0
        self._first: tuple[float, int] | None = None
        path = directory / "events.jsonl"
        self._events = open(path, "a+b", opener=places.unlinked)  # noqa: SIM115 - closed with the process
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
    log, stop = Log(directory, spec["gen_iters"]), Stop(started_by)
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


def _train(directory: Path, spec: dict[str, Any], cadence: dict[str, Any], log: Log, stop: Stop) -> int:
    started_utc = now_utc()
    log.progress("start", 0)
    import torch

    import baselines
    from benchmark.engines import inputs, result
    from benchmark.training import numerics, policies, sampling
    from benchmark.training.mixed import MixedTrainer
    from benchmark.training.trainer import Cadence, Trainer

    numerics.apply()
    # Backward passes run in this thread on a GPU too, as on a CPU. Each thread numbers the nodes it makes;
    # where a gradient is differentiated again, the order in which gradients are added would depend on what
    # the process did before.
    torch.autograd.set_multithreading_enabled(False)
    device, profile = spec["device"], identity.profile(spec["numerics"])
    described = environment.describe(device)
    _check_code(spec)
    if os.environ.get(FETCH_VARIABLE):
        _fetch(spec, log)
    inputs.check_device(spec)
    env_id = identity.env_id(described, spec["numerics"])
    log.event("started", pid=os.getpid(), env_id=env_id)
    baselines.revive(spec["experiment"])
    experiment = baselines.get(spec["experiment"]["name"])
    images, labels = inputs.training_data(spec["dataset"], experiment)
    if len(images):
        sampling.save_grid(images[: sampling.GRID**2].cpu(), directory / "samples" / "real.png")
    if device == "cuda":
        images, labels = inputs.on_gpu(images, labels, float(os.environ.get(SHARE_VARIABLE, "1")))
    evaluator = inputs.evaluator(spec, experiment.image_shape[1])
    real_data = evaluator.real_data_floor() if evaluator else {}
    trainer = (MixedTrainer if profile == policies.MIXED else Trainer)(
        experiment,
        seed=spec["seed"],
        budget=spec["gen_iters"],
        evaluate_at=spec["evaluate_at"],
        images=images,
        labels=labels,
        device=torch.device(device),
        pretrained=inputs.first_stage(directory, spec, env_id),
        evaluator=Stoppable(evaluator, stop, evaluator.protocols) if evaluator else None,
        portable=identity.is_portable(spec["numerics"]),
        directory=directory,
        watcher=log,
        cadence=Cadence(**cadence),
        started=STARTED,
    )
    stop.at_once = False
    if trainer.run(stop.asked) == "stopped":
        log.event("interrupted", gen_iters=trainer.state.gen_iters)
        return STOPPED

    launch = json.loads(os.environ.get(LAUNCH_VARIABLE, "{}"))
    made = result.provenance_of(launch, described, device)
    finished_utc = max(started_utc, now_utc())  # a clock may be set back
    made |= {"started_utc": started_utc, "finished_utc": finished_utc}
    if files := baselines.plugin_files(spec["experiment"]["module"]).values():
        made["plugin_git"] = provenance.git_of(files)
    status = result.write(directory, spec, trainer, env_id=env_id, real_data=real_data, made=made)
    log.event("finished", status=status)
    (directory / "progress.json").unlink(missing_ok=True)
    return 0


def _fetch(spec: dict[str, Any], log: Log) -> None:
    """Bring the run's data set and weights here, if they are not."""
    from benchmark.suites import prepare

    log.progress("fetch", 0)
    named = [protocol["name"] for protocol in spec["protocols"]]
    prepare.make_ready([spec["dataset"]["name"]], named, lambda what: log.event("fetch", what=what))


def _check_code(spec: dict[str, Any]) -> None:
    """The spec was written for these very sources, or for equivalent ones; else its run_id would lie."""
    here = identity.sources(spec["experiment"], spec["numerics"])
    if not equivalence.same(here, spec["sources"], spec["experiment"]["name"]):
        raise UserError("the code changed after this run was planned", do="Start the command again")


def now_utc() -> str:
    """The time in ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
