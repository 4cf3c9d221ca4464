"""Can a record be believed? Re-hash what it says, then compute a part of it again.

What lies on disk is compared with itself (digests, ids, checkpoint, sample grids) and with the code here.
Then the end of the run is computed again (`recomputation`): in the run's environment, and anywhere if the run
is portable, every bit has to be the same. In another environment bits of other runs differ, so the first
G-iterations are computed there and compared within a tolerance.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import baselines
from benchmark import data
from benchmark.data.meter import Meter
from benchmark.errors import NothingToJudge, UserError
from benchmark.evaluation import protocols
from benchmark.judging import recomputation
from benchmark.records import bounded, environment, equivalence, identity, loss_file, store
from benchmark.records.bounded import Unreadable
from benchmark.training.policies import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COMPUTED = (
    *("baseline", "module", "dataset", "image_shape", "image_range", "classes", "train_images"),
    *("starts_from", "critic_loss", "parameters"),
)
"""Of an experiment's description, what is no word on it; `settings` besides."""
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
    if not (found := store.directories_with(path, "record.json")):
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
        for check in _checks(directory, rerun):
            if not check.ok and _is_gone(directory):
                break  # which is all that it says
            yield check
        else:
            return
    except Exception:
        if not _is_gone(directory):
            raise
    yield Check("record", False, "the run vanished while it was looked at")


def _is_gone(directory: Path) -> bool:
    return not any((directory / name).exists() for name in ("record.json", "spec.json"))


def _checks(directory: Path, rerun: bool) -> Iterator[Check]:
    try:
        content = store.load_record(directory)
    except FileNotFoundError:
        do = "Finish the run first"
        raise NothingToJudge("there is no record.json", where=str(directory), do=do) from None
    except Unreadable as error:
        yield Check("record", False, f"record.json {error}")
        return
    yield (own := _record_check(directory, content))
    if not own.ok:
        return
    for check in (*_file_checks(directory, content), _data_check(content["spec"], needed=rerun)):
        yield check
        rerun &= check.ok
    code = _code_check(content["spec"], content["provenance"].get("plugin_git"))
    yield code
    if not code.ok or not rerun:
        return
    try:
        here = environment.describe(content["spec"]["device"])
    except UserError:
        here = environment.describe("cpu")
    then = content["provenance"]["environment"]
    alike = here == then or identity.is_portable(content["spec"]["numerics"])
    if not alike:
        changed = "; ".join(f"{k}: {then.get(k)} then, {v} now" for k, v in here.items() if v != then.get(k))
        what = f"made in another environment, so bits cannot be compared ({changed})"
        yield Check("environment", False, what)
    try:
        if alike:
            found = recomputation.to_the_end(directory, content, _checkpoints(directory))
        else:
            found = recomputation.first(directory, content, "cuda" if here["cuda"] else "cpu")
    except UserError as error:
        found = False, str(error)  # other runs may wait for their turn
    yield Check("bits", *found)


def _record_check(directory: Path, content: dict[str, Any]) -> Check:
    spec = content["spec"]
    ids = {
        "run_id": identity.run_id(spec),
        "cell_id": identity.cell_id(spec),
        "env_id": identity.env_id(content["provenance"]["environment"], spec["numerics"]),
    }
    wrong = [name for name, value in ids.items() if content[name] != value]
    called, own = directory.absolute().name, f"{content['run_id'][:12]}-{content['env_id'][:8]}"
    if wrong:
        return Check("record", False, f"record.json was forged: {' and '.join(wrong)} is of another run")
    if called != own:
        why = "it was renamed or copied, or the record is another run's. Give it that name to verify it"
        what = f"the directory is called {called}, that of this record's run {own}: {why}"
        return Check("record", False, what)
    return Check("record", True, "record.json has its SHA-256 and the ids of its spec")


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

    available = _checkpoints(directory)
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
    differs += [] if state.get("run_id", "") in ("", content["run_id"]) else ["run_id"]
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


def _checkpoints(directory: Path) -> list[Path]:
    from benchmark.training import checkpoint

    return checkpoint.available(directory / "checkpoints")


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

    for file in _checkpoints(directory)[:1]:
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


def _misdescribed(spec: dict[str, Any]) -> list[str]:
    """What of a spec is not what this code computes, which goes by the names in it."""
    said, numerics = spec["experiment"], spec["numerics"]
    try:
        baselines.revive(said)
        own = baselines.described(said["name"])
    except (baselines.UnknownExperiment, baselines.BrokenVariant, TypeError):
        return ["experiments"]
    wrong = [name for name in _COMPUTED if (said.get(name) or None) != (own.get(name) or None)]
    theirs, ours = ({n: s["value"] for n, s in e["settings"].items()} for e in (said, own))
    wrong += [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    wrong += ["numerics"] if POLICIES.get(identity.profile(numerics)) != numerics else []
    return wrong + [p["name"] for p in spec["protocols"] if not _is_protocol(p)]


def _is_protocol(said: dict[str, Any]) -> bool:
    try:
        own = protocols.get(said["name"]).as_dict()
    except UserError:
        return False
    words = {"title", "note", "comparable_with_papers"}  # the last may be no where ours is yes: other weights
    there = {key for key, value in own.items() if value != ""} - words  # digests that are not known yet
    claims = said["comparable_with_papers"] and not own["comparable_with_papers"]
    return not claims and all(said.get(key) == own[key] for key in there)


def _code_check(spec: dict[str, Any], plugin_git: dict[str, Any] | None = None) -> Check:
    try:
        here = identity.sources(spec["experiment"], spec["numerics"])
    except (ModuleNotFoundError, FileNotFoundError) as error:
        return Check("code", False, f"the experiment's code is not here ({error})")
    changed = sorted(n for n in {**here, **spec["sources"]} if here.get(n) != spec["sources"].get(n))
    proofs = equivalence.chain(spec["sources"], here, spec["experiment"]["name"])
    if (not changed or proofs) and (wrong := _misdescribed(spec)):
        what = f"the spec has other {', '.join(wrong)} than this code has by these names"
        return Check("code", False, f"{what}: it was forged, or its plugin is another one here")
    if proofs:
        return Check("code", True, f"{equivalence.said(proofs)}; changed: {', '.join(changed)}")
    if changed:
        what = f"changed since the run: {', '.join(changed)}"
        where = "the revision in its provenance"
        if all(map(identity.is_plugins, changed)):
            where = "that of the plugin's own repository, which the record does not name,"
            if plugin_git:
                less = ", without changes that were not committed," if plugin_git["dirty"] else ""
                where = f"{plugin_git['sha'][:12]} of the plugin's own repository{less}"
        return Check("code", False, f"{what}. Check out {where} to compute it again")
    return Check("code", True, f"{len(here)} source files are those of the run")
