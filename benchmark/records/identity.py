"""Who a run is: canonical JSON hashed to `cell_id`, `run_id` and `env_id`.

cell = experiment × data × budget × evaluation schedule × protocols × numerics policy; run = cell × seed ×
code; env = what else the bits depend on: of the profile `portable`, nothing. Not hashed: time, host, paths,
engine, git commit, and every text that only explains (sources, titles, deviations).
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

import baselines
from baselines.source_code import code_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMERIC_SOURCES = (
    "training/draws.py",
    "training/exact_draws.py",
    "training/initial.py",
    "training/loss_history.py",
    "training/numerics.py",
    "training/quantise.py",
    "training/sampling.py",
    "training/trainer.py",
    "data/__init__.py",
    "data/converted.py",
    "data/digits.py",
    "data/framing.py",
    "evaluation/digits_lenet.py",
    "evaluation/evaluator.py",
    "evaluation/extractors.py",
    "evaluation/fidelity.py",
    "evaluation/frechet.py",
    "evaluation/inception.py",
    "evaluation/nearest_classifier.py",
    "evaluation/neighbours.py",
    "evaluation/parzen.py",
    "evaluation/reference.py",
    "evaluation/windows.py",
)
"""Files of `benchmark` that decide a number in a record."""
_PORTABLE_SOURCES = (
    "evaluation/portable_scores.py",
    *(
        f"training/portable/{name}.py"
        for name in (
            "__init__",
            "convolution",
            "elementwise",
            "functions",
            "mode",
            "norms",
            "optimisers",
            "slicing",
            "tables",
        )
    ),
)
_SOURCES_OF = {"portable": _PORTABLE_SOURCES, "bf16-mixed": ("training/mixed.py",)}
"""Those that do so in one profile only."""
_AS_THEY_ARE = frozenset({str, bool, type(None)})
_ONLY_TEXT = frozenset({str})
_WORD = 1 << 63
_LEAST = 1e-4
"""From here on `msgspec` writes fractions as `repr` does, without an exponent."""


def canonical(value: Any) -> str:
    """JSON text that is equal exactly when the data are: sorted keys, no spaces, 1.0 written as 1.

    Raises:
        ValueError: NaN or infinity, which have no JSON form.
        TypeError: not JSON data.

    """
    return msgspec.json.encode(_exact(value), order="deterministic").decode("utf-8")


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()


def cell_id(spec: dict[str, Any]) -> str:
    """What the seeds of a table row have in common. `spec` is a run's `spec.json`."""
    experiment = spec["experiment"]
    return digest(
        {
            "experiment": experiment["name"],
            "image_shape": experiment["image_shape"],
            "image_range": experiment["image_range"],
            "classes": experiment["classes"],
            **({"train_images": n} if (n := experiment.get("train_images")) else {}),
            "starts_from": experiment["starts_from"],
            **({"first_stage": cell} if (cell := (spec.get("starts_from") or {}).get("cell_id")) else {}),
            "settings": {name: entry["value"] for name, entry in experiment["settings"].items()},
            "dataset": {key: spec["dataset"][key] for key in ("name", "digest")},
            "gen_iters": spec["gen_iters"],
            "evaluate_at": spec["evaluate_at"],
            "protocols": [
                {key: value for key, value in protocol.items() if key not in ("title", "note")}
                for protocol in spec["protocols"]
            ],
            "numerics": spec["numerics"],
        }
    )


def run_id(spec: dict[str, Any], cell: str = "") -> str:
    """The cell, seed, code and the run it starts from: equal in equal environments means equal bits.

    `cell` is the spec's `cell_id`, where it is known.
    """
    before = {"starts_from": spec["starts_from"]["run_id"]} if "starts_from" in spec else {}
    return digest({"cell": cell or cell_id(spec), "seed": spec["seed"], "sources": spec["sources"], **before})


def is_plugins(source: str) -> bool:
    """Whether a name in `sources` is of somebody's plugin, and so of no commit of this repository."""
    return not source.startswith(("benchmark/", "baselines."))


def profile(numerics: Mapping[str, Any]) -> str:
    """Name of a policy of numerics (`training.policies`)."""
    return str(numerics.get("profile", "faithful"))


def is_portable(numerics: Mapping[str, Any]) -> bool:
    """Whether runs of this policy have the same bits on every machine."""
    return profile(numerics) == "portable"


def env_id(environment: dict[str, Any], numerics: Mapping[str, Any]) -> str:
    """What `benchmark.records.environment.describe` returns, hashed; one for all machines if portable."""
    return digest({"profile": "portable"} if is_portable(numerics) else environment)


def sources(experiment: dict[str, Any], numerics: Mapping[str, Any]) -> dict[str, str]:
    """Digest of the code of every source file that decides a number of this experiment, by name.

    SHA-256 of what `baselines.source_code` makes of a file: comments, docstrings and layout do not count.
    """
    return {**_own_sources(profile(numerics)), **baselines.sources(experiment["module"])}


@cache
def _own_sources(profile: str) -> dict[str, str]:
    return {
        f"benchmark/{name}": code_digest(files("benchmark").joinpath(name).read_bytes())
        for name in (*_NUMERIC_SOURCES, *_SOURCES_OF.get(profile, ()))
    }


def _exact(value: Any) -> Any:
    """The data with every number that `msgspec` would write in another way as the text it has to have.

    Thousands of records pass through here at a time, hence the order of the cases.
    """
    kind = type(value)
    if kind is float:
        if value.is_integer():
            return _exact(int(value))
        if _LEAST <= abs(value) < math.inf:
            return value
        if not math.isfinite(value):
            raise ValueError("NaN and infinity have no JSON form")
        return _number(value)
    if kind is dict:
        if not _ONLY_TEXT.issuperset(map(type, value)):
            raise TypeError("keys must be strings")
        return {key: x if type(x) in _AS_THEY_ARE else _exact(x) for key, x in value.items()}
    if kind is list:
        return [x if type(x) in _AS_THEY_ARE else _exact(x) for x in value]
    if kind is int:
        return value if -_WORD <= value < _WORD else _number(value)
    if kind in _AS_THEY_ARE:
        return value
    plain: Any
    for plain in (dict, list, tuple, str, int, float):
        if isinstance(value, plain):  # of a kind of its own, like NumPy's float64
            return _exact(list(value) if plain is tuple else plain(value))
    raise TypeError(f"{kind.__name__} is not JSON data")


def _number(value: float) -> msgspec.Raw:
    return msgspec.Raw(repr(value).encode())
