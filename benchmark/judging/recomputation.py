"""A part of a run computed again, by a worker in a folder of its own, and compared with its record."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.data.meter import Meter
from benchmark.engines import parent
from benchmark.errors import UserError
from benchmark.judging import starts
from benchmark.records import atomic, loss_file, record, store
from benchmark.training import numerics

if TYPE_CHECKING:
    import numpy as np

_POLL_S = 0.2


def to_the_end(directory: Path, content: dict[str, Any], checkpoints: list[Path]) -> tuple[bool, str]:
    """From the checkpoint before the last, or the beginning, to the end: whether every bit is the same.

    Args:
        directory: the run's.
        content: its record.
        checkpoints: the last one first.

    Raises:
        UserError: it cannot be computed here.

    """
    last, *earlier = checkpoints
    start = int(earlier[0].stem) if earlier else 0
    again, losses = _work(content["spec"], earlier[:1], directory)
    span = f"G-iterations {start} to {int(last.stem)}"
    if record.comparable_part(again) == record.comparable_part(content):
        return True, f"{span} computed again: equal bit for bit"
    loss = loss_file.first_difference(loss_file.read(directory, content), losses)
    return False, f"{span} computed again differ: {_first_difference(content, again, loss)}"


def first(directory: Path, content: dict[str, Any], device: str) -> tuple[bool, str]:
    """The first G-iterations from the seed on a device: `agreement` of what they come to with the record.

    Raises:
        UserError: they cannot be computed here.

    """
    n = min(starts.GEN_ITERS, content["gen_iters"])
    spec = {**content["spec"], "gen_iters": n, "evaluate_at": sorted({0, n}), "device": device}
    return agreement(content, _work(spec, [], directory)[0])


def agreement(then: dict[str, Any], now: dict[str, Any]) -> tuple[bool, str]:
    """Whether records of a run in two environments start alike, within the tolerances of `starts`."""
    if lacking := sorted(_scored(then) - _scored(now)):
        return False, f"{lacking[0]} is in the record, and not computed here"
    if departed := starts.departure(then, now):
        across = then["spec"]["device"].split(":")[0] != now["spec"]["device"].split(":")[0]
        where = "; it was made on another kind of device: see docs/gpu.md" if across else ""
        return False, departed.what + where
    n = len(then["first_losses"])
    scores = "the scores at 0 and those of real data agree within the tolerances of docs/gate.md"
    if n < starts.GEN_ITERS:
        return True, f"{scores}; {n} losses are too few to be compared"
    return True, f"the first {starts.GEN_ITERS} losses, {scores}"


def _scored(content: dict[str, Any]) -> set[str]:
    """What has a score before any training, by a name to show."""
    sides = [("real data", content["real_data"])]
    sides += [("untrained", point["scores"]) for point in content["curve"] if point["gen_iters"] == 0]
    return {
        f"{metric} ({protocol}) of {what}"
        for what, by_protocol in sides
        for protocol, values in by_protocol.items()
        for metric in values
    }


def _first_difference(
    then: dict[str, Any], now: dict[str, Any], loss: tuple[int, str, float, float] | None
) -> str:
    """The earliest evaluation or `loss` that differs, else the first part of the record that does."""
    unequal = (
        old["gen_iters"]
        for old, new in zip(then["curve"], now["curve"], strict=False)
        if {**old, "wall_s": 0} != {**new, "wall_s": 0}
    )
    evaluated = next(unequal, None)
    if loss and (evaluated is None or loss[0] <= evaluated):
        k, name, was, is_ = loss
        return f"from G-iteration {k} on, whose loss '{name}' was {was:.9g} and is {is_:.9g}"
    if evaluated is not None:
        return f"the evaluation at {evaluated}"
    old, new = record.comparable_part(then), record.comparable_part(now)
    return ", ".join(key for key in old if old[key] != new.get(key))


def _work(
    spec: dict[str, Any], checkpoints: list[Path], directory: Path
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Record and losses that a worker makes of `spec` in an empty folder, from a checkpoint if one is given.

    If the run starts from another one, that lies where it should: in the same place beside it. The run's own
    directory may lie anywhere.
    """
    with tempfile.TemporaryDirectory(prefix="ganbench-verify-") as temporary:
        runs = Path(temporary) / "runs"
        folder = runs / spec["experiment"]["name"] / "again"
        folder.mkdir(parents=True)
        if before := spec.get("starts_from"):
            beside = runs / before["experiment"]
            beside.mkdir(parents=True, exist_ok=True)
            for first in store.first_stages(directory, before):
                (beside / first.name).symlink_to(first, target_is_directory=True)
        atomic.write_json(folder / "spec.json", spec)
        (folder / "checkpoints").mkdir()
        for path in checkpoints:
            shutil.copy(path, folder / "checkpoints")
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
            process = subprocess.Popen(
                parent.python("-m", "benchmark.engines.worker", str(folder)),
                env={**numerics.child_environment(), **parent.announced()},
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
            try:
                _wait(process, folder)
            finally:
                process.kill()
            said.seek(0)
            last_words = said.read().strip().splitlines()[-1:]
        content = store.read_record(folder)
        if content is None:
            reason = store.last_event(folder).get("reason") or last_words
            raise UserError(
                f"the run could not be computed again ({reason})", where=spec["experiment"]["name"]
            )
        return content, loss_file.read(folder, content)


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for a worker, and say how far it is."""
    meter, first = Meter("computing again", "G-iterations", 1), None
    try:
        while True:
            try:
                process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                if (now := store.read_progress(folder)) and now["phase"] == "train":
                    first = now["gen_iters"] if first is None else first
                    meter(now["gen_iters"] - first, now["budget"] - first)
            else:
                return
    finally:
        meter.end()
