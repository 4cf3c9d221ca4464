"""Can a record be believed? Re-hash what it says, then compute a part of it again.

What lies on disk is compared with itself (digests, ids, checkpoint, sample grids) and with the code here.
Then a worker goes from the checkpoint before the last, or from the beginning, to the end again, in a folder
of its own: in the run's environment, and anywhere if the run is portable, every bit has to be the same. In
another environment bits of other runs differ, so the first G-iterations from the seed are computed there and
compared within `TOLERANCE`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark import data
from benchmark.data.meter import Meter
from benchmark.engines import parent
from benchmark.errors import NothingToJudge, UserError
from benchmark.records import atomic, bounded, environment, equivalence, identity, loss_file, record, store
from benchmark.records.bounded import Unreadable
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

TOLERANCE = 1e-3
"""Relative difference of losses and scores that another environment may make in `FIRST_GEN_ITERS`."""
FIRST_GEN_ITERS = 10
"""As many as the record keeps losses of."""
_POLL_S = 0.2

Subject = Literal["record", "file", "data", "code", "environment", "bits"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what it was, whether it is as it should be, and what was found."""

    subject: Subject
    ok: bool
    message: str


def runs_at(path: Path) -> list[Path]:
    """The run directory itself, or all finished ones below a folder.

    Raises:
        NothingToJudge: there is none.

    """
    if (path / "record.json").is_file() or (path / "spec.json").is_file():
        return [path]
    found = [p.parent for p in sorted(path.rglob("record.json")) if not store.is_set_aside(p.parent)]
    if not found:
        raise NothingToJudge(
            "no finished run", where=str(path), do="Name a run directory or a results folder"
        )
    return found


def checks(directory: Path, *, rerun: bool = True) -> Iterator[Check]:
    """Everything that can be checked of a finished run, in order, until one makes the rest pointless.

    Raises:
        NothingToJudge: the run has no record.

    """
    try:
        content = store.load_record(directory)
    except FileNotFoundError:
        do = "Finish the run first"
        raise NothingToJudge("there is no record.json", where=str(directory), do=do) from None
    except Unreadable as error:
        yield Check("record", False, f"record.json {error}")
        return
    for check in _record_checks(directory, content):
        yield check
        if not check.ok:
            return
    for check in (*_file_checks(directory, content), _data_check(content["spec"], needed=rerun)):
        yield check
        rerun &= check.ok
    code = _code_check(content["spec"])
    yield code
    if not code.ok or not rerun:
        return
    try:
        here = environment.describe(content["spec"]["device"])
    except UserError:
        here = environment.describe("cpu")
    then = content["provenance"]["environment"]
    if here == then or identity.is_portable(content["spec"]["numerics"]):
        yield _again_to_the_end(directory, content)
    else:
        changed = "; ".join(f"{k}: {then.get(k)} then, {v} now" for k, v in here.items() if v != then.get(k))
        yield Check(
            "environment", False, f"made in another environment, so bits cannot be compared ({changed})"
        )
        yield _first_again(directory, content, "cuda" if here["cuda"] else "cpu")


def _record_checks(directory: Path, content: dict[str, Any]) -> Iterator[Check]:
    spec = content["spec"]
    ids = {
        "run_id": identity.run_id(spec),
        "cell_id": identity.cell_id(spec),
        "env_id": identity.env_id(content["provenance"]["environment"], spec["numerics"]),
    }
    wrong = [name for name, value in ids.items() if content[name] != value]
    called, own = directory.absolute().name, f"{content['run_id'][:12]}-{content['env_id'][:8]}"
    if wrong:
        yield Check("record", False, f"record.json was forged: {' and '.join(wrong)} is of another run")
    elif called != own:
        why = "it was renamed or copied, or the record is another run's. Give it that name to verify it"
        yield Check(
            "record", False, f"the directory is called {called}, that of this record's run {own}: {why}"
        )
    else:
        yield Check("record", True, "record.json has its SHA-256 and the ids of its spec")


def _file_checks(directory: Path, content: dict[str, Any]) -> Iterator[Check]:
    same = store.read_spec(directory) == content["spec"]
    yield Check("file", same, "spec.json is the record's" if same else "spec.json was altered or damaged")
    damaged = _damaged_grids(directory, content["digests"]["samples"])
    grids = f"{len(content['samples'])} sample grids have the recorded pixels"
    yield Check("file", not damaged, f"altered or missing: {', '.join(damaged)}" if damaged else grids)
    yield _losses_check(directory, content)
    yield _checkpoint_check(directory, content)
    if (directory / store.GENERATOR).exists():
        yield _generator_check(directory / store.GENERATOR, content)


def _damaged_grids(directory: Path, digests: dict[str, str]) -> list[str]:
    from benchmark.data import pixels
    from benchmark.training.sampling import grid_digest

    damaged = []
    for name, expected in digests.items():
        try:
            with pixels.opened(bounded.read(directory / name, bounded.PICTURE_BYTES)) as grid:
                if grid_digest(grid) != expected:
                    damaged.append(name)
        except (FileNotFoundError, Unreadable, pixels.BrokenImage):
            damaged.append(name)
    return damaged


def _losses_check(directory: Path, content: dict[str, Any]) -> Check:
    try:
        losses = loss_file.read(directory, content)
    except loss_file.UnusableLosses as error:
        return Check("file", False, str(error))
    k = max(map(len, losses.values()), default=0)
    return Check("file", True, f"{loss_file.NAME} has the recorded losses of {k} G-iterations")


def _checkpoint_check(directory: Path, content: dict[str, Any]) -> Check:
    from benchmark.training import checkpoint, loss_history

    available = checkpoint.available(directory / "checkpoints")
    if not available:
        return Check("file", False, "there is no checkpoint, so nothing stands behind the record")
    try:
        for path in reversed(available):
            state, tensors = checkpoint.read(path)
    except checkpoint.DamagedCheckpoint as error:
        return Check("file", False, f"checkpoint {error}")
    weights = {
        name: checkpoint.digest(checkpoint.part(tensors, name.removesuffix("_weights")))
        for name in ("generator_weights", "critic_weights")
    }
    differs = [name for name, digest in weights.items() if content["digests"][name] not in (None, digest)]
    differs += [key for key in ("curve", "diverged_at") if state.get(key) != content[key]]
    columns = checkpoint.part(tensors, "losses")
    if loss_history.rows(columns, 0, len(content["first_losses"])) != content["first_losses"]:
        differs.append("first_losses")
    losses = {name: column.numpy() for name, column in columns.items()}
    if loss_file.digest(losses) != content["digests"]["losses"]:
        differs.append("losses")
    if differs:
        what = f"record.json contradicts {available[0].name}: {', '.join(differs)}"
        return Check("record", False, what)
    return Check("file", True, f"{available[0].name} holds the recorded weights, curve and losses")


def _generator_check(path: Path, content: dict[str, Any]) -> Check:
    """Of a published run: the weights that others load."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from benchmark.training import checkpoint

    try:
        bounded.check_regular(path, checkpoint.MOST_BYTES)
        found = checkpoint.digest(load_file(path))
        same = found in (content["digests"]["generator_weights"], _digest_of_sampler(path.parent))
    except (OSError, SafetensorError, Unreadable) as error:
        return Check("file", False, f"{path.name} cannot be read ({error})")
    what = "holds the recorded weights" if same else "was altered: it does not have the recorded SHA-256"
    return Check("file", same, f"{path.name} {what}")


def _digest_of_sampler(directory: Path) -> str | None:
    """Of the weights in the last checkpoint that are scored in place of the generator's, if any are."""
    from benchmark.training import checkpoint

    for file in checkpoint.available(directory / "checkpoints")[:1]:
        with suppress(checkpoint.DamagedCheckpoint):
            if tensors := checkpoint.part(checkpoint.read(file)[1], "sampler"):
                return checkpoint.digest(tensors)
    return None


def _data_check(spec: dict[str, Any], *, needed: bool) -> Check:
    """Hash the images again that the run was trained on and compared with, if they are here."""
    name, expected = spec["dataset"]["name"], spec["dataset"]["digest"]
    try:
        if not data.is_ready(name):
            what = f"the data set '{name}' is not here, so its content was not hashed"
            return Check("data", not needed, what)
        meter = Meter(f"hashing {name}")
        try:
            actual = data.check(name, meter)
        finally:
            meter.end()
    except UserError as error:
        return Check("data", False, str(error))
    if actual != expected:
        return Check("data", False, f"the data set '{name}' has SHA-256 {actual}, the run's had {expected}")
    if data.is_drawn(name):
        return Check("data", True, f"'{name}' is drawn, from the settings of the run")
    return Check("data", True, f"the data set '{name}' has the recorded SHA-256")


def _code_check(spec: dict[str, Any]) -> Check:
    try:
        here = identity.sources(spec["experiment"], spec["numerics"])
    except (ModuleNotFoundError, FileNotFoundError) as error:
        return Check("code", False, f"the experiment's code is not here ({error})")
    changed = sorted(n for n in {**here, **spec["sources"]} if here.get(n) != spec["sources"].get(n))
    proofs = equivalence.chain(spec["sources"], here, spec["experiment"]["name"])
    if proofs:
        return Check("code", True, f"{equivalence.said(proofs)}; changed: {', '.join(changed)}")
    if changed:
        what = f"changed since the run: {', '.join(changed)}"
        return Check("code", False, f"{what}. Check out the revision in its provenance to compute it again")
    return Check("code", True, f"{len(here)} source files are those of the run")


def _again_to_the_end(directory: Path, content: dict[str, Any]) -> Check:
    from benchmark.training import checkpoint

    last, *earlier = checkpoint.available(directory / "checkpoints")
    start = int(earlier[0].stem) if earlier else 0
    again, losses = _work(content["spec"], earlier[:1], directory)
    span = f"G-iterations {start} to {int(last.stem)}"
    if record.comparable_part(again) == record.comparable_part(content):
        return Check("bits", True, f"{span} computed again: equal bit for bit")
    loss = loss_file.first_difference(loss_file.read(directory, content), losses)
    return Check("bits", False, f"{span} computed again differ: {_first_difference(content, again, loss)}")


def _first_again(directory: Path, content: dict[str, Any], device: str) -> Check:
    n = min(FIRST_GEN_ITERS, content["gen_iters"])
    spec = {**content["spec"], "gen_iters": n, "evaluate_at": sorted({0, n}), "device": device}
    again, _ = _work(spec, [], directory)
    then, now = (_numbers(r) for r in (content, again))
    off = [name for name, x in then.items() if name not in now or not _close(x, now[name])]
    if off:
        name = off[0]
        return Check("bits", False, f"{name} was {then[name]} and is {now.get(name)} here")
    what = f"the first {n} losses, the scores at 0 and those of real data agree within {TOLERANCE:g}"
    return Check("bits", True, what)


def _numbers(content: dict[str, Any]) -> dict[str, float | None]:
    """What does not depend on a long training, by a name to show."""
    found: dict[str, float | None] = {}
    scores = [("real data", content["real_data"])]
    scores += [("untrained", point["scores"]) for point in content["curve"] if point["gen_iters"] == 0]
    for what, by_protocol in scores:
        for protocol, values in by_protocol.items():
            found.update({f"{metric} ({protocol}) of {what}": x for metric, x in values.items()})
    for k, row in enumerate(content["first_losses"][:FIRST_GEN_ITERS]):
        found.update({f"loss '{name}' of G-iteration {k + 1}": x for name, x in row.items()})
    return found


def _close(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1.0)


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
                [sys.executable, "-m", "benchmark.engines.worker", str(folder)],
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
