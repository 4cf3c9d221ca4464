"""`record.json`: what a finished run leaves. Keys: `results/README.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmark.records import identity, schema
from benchmark.records.bounded import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA_VERSION = 3

TIMING_KEYS = ("timing", "peak_memory_mib", "provenance", "record_sha256")
"""Parts of a record that may differ between two runs with equal `run_id` and `env_id`."""
_WHO = ("schema_version", "run_id", "env_id", "spec")
"""Parts of a record that say who it is, not what came out."""


def build(
    spec: Mapping[str, Any],
    *,
    env_id: str,
    state: Mapping[str, Any],
    real_data: Mapping[str, Mapping[str, float]],
    weights: Mapping[str, str],
    losses: str,
    first_losses: Sequence[Mapping[str, float | None]],
    peak_memory_mib: float,
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """The record of a run that reached its budget or diverged.

    Args:
        spec: the run's `spec.json`.
        env_id: hash of the environment.
        state: the trainer's final state as a dictionary.
        real_data: scores of real images under the protocols.
        weights: SHA-256 of the networks' tensors, by part; not recorded of a diverged run, whose last chunk
            of G-iterations went on for a while with numbers that mean nothing.
        losses: `loss_file.digest` of all losses; up to the one that diverged.
        first_losses: those of the first ten G-iterations.
        peak_memory_mib: most memory the process held.
        provenance: where the run was made.

    """
    diverged = state["diverged_at"] is not None
    curve = state["curve"]
    content = {
        "schema_version": SCHEMA_VERSION,
        "status": "diverged" if diverged else "done",
        "run_id": identity.run_id(dict(spec)),
        "cell_id": identity.cell_id(dict(spec)),
        "env_id": env_id,
        "suite": spec["suite"],
        "experiment": spec["experiment"]["name"],
        "baseline": spec["experiment"]["baseline"],
        "seed": spec["seed"],
        "gen_iters": spec["gen_iters"],
        "spec": dict(spec),
        "curve": curve,
        "final": None if diverged else {"gen_iters": spec["gen_iters"], "scores": curve[-1]["scores"]},
        "real_data": real_data,
        "diverged_at": state["diverged_at"],
        "digests": {
            **(dict.fromkeys(weights) if diverged else weights),
            "losses": losses,
            "samples": dict(state["samples"]),
        },
        "first_losses": list(first_losses),
        "samples": list(state["samples"]),
        "timing": {
            **{name: round(seconds, 3) for name, seconds in state["seconds"].items()},
            "sessions": state["sessions"],
            "checkpoints": state["checkpoints"],
            "checkpoint_bytes": state["checkpoint_bytes"],
        },
        "peak_memory_mib": round(peak_memory_mib, 1),
        "provenance": dict(provenance),
    }
    return sealed(content)


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The record with `record_sha256`, the SHA-256 of the canonical JSON of everything else in it."""
    rest = {key: value for key, value in content.items() if key != "record_sha256"}
    return {**rest, "record_sha256": identity.digest(rest)}


def check(content: Any) -> None:
    """Whether something read is a record as ganbench wrote it, of this schema.

    Raises:
        Unreadable: it is not; says why.

    """
    if not isinstance(content, dict):
        raise Unreadable("is no record")
    if (version := content.get("schema_version")) != SCHEMA_VERSION:
        raise Unreadable(f"has schema {version!s:.20}; this version reads {SCHEMA_VERSION}")
    if sealed(content)["record_sha256"] != content.get("record_sha256"):
        raise Unreadable("was altered or damaged: it does not have its own SHA-256")
    schema.check(content, schema.Record)


def inconsistent(record: Mapping[str, Any]) -> str:
    """What of a record does not follow from its own spec, by name; empty where everything does."""
    spec = dict(record["spec"])
    try:
        cell = identity.cell_id(spec)
        if record["cell_id"] != cell:
            return "cell_id"
        if record["run_id"] != identity.run_id(spec, cell):
            return "run_id"
    except (KeyError, TypeError, AttributeError):
        return "cell_id"
    points = [point["gen_iters"] for point in record["curve"]]
    if record["status"] == "done" and points != list(spec["evaluate_at"]):
        return "curve"
    wanted = [(protocol["name"], set(protocol["metrics"])) for protocol in spec["protocols"]]
    scores = (point["scores"] for point in record["curve"])  # one that is not finite is null, but there
    return (
        "" if all(metrics <= s.get(name, {}).keys() for s in scores for name, metrics in wanted) else "curve"
    )


def comparable_part(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without timing and provenance: equal bits for equal `run_id` and `env_id`."""
    rest = {key: value for key, value in record.items() if key not in TIMING_KEYS}
    rest["curve"] = [{k: v for k, v in point.items() if k != "wall_s"} for point in record["curve"]]
    rest["spec"] = {key: value for key, value in record["spec"].items() if key != "suite"}
    del rest["suite"]
    return rest


def differing_results(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """The parts of two records that differ although the computation may have been the same."""
    one, other = comparable_part(a), comparable_part(b)
    return [k for k in {**one, **other} if k not in _WHO and one.get(k) != other.get(k)]
