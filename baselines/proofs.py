"""How each experiment is tested, from `proofs.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Proof:
    """What stands behind an experiment's claim to be its paper's.

    Attributes:
        golden: files of `tests/golden/`, without ``_f32`` or ``_f64``: numbers of the papers' released code.
        covers: what of the experiment they cover.
        rest: what only structural tests and closed forms cover.

    """

    golden: tuple[str, ...]
    covers: str
    rest: str

    def text(self) -> str:
        """One or two sentences."""
        by_numbers = f"Against the released code's numbers ({', '.join(self.golden)}): {self.covers}. "
        return (
            by_numbers if self.golden else "No numbers of the released code. "
        ) + f"Otherwise: {self.rest}."


def of(experiment: str) -> Proof | None:
    """The proof of an experiment; None for a third party's."""
    return _proofs().get(experiment)


@cache
def _proofs() -> dict[str, Proof]:
    content = tomllib.loads(files("baselines").joinpath("proofs.toml").read_text(encoding="utf-8"))
    found: dict[str, Proof] = {}
    for entry in content["proof"]:
        for experiment in entry["experiments"]:
            if experiment in found:
                raise ValueError(f"proofs.toml has '{experiment}' twice")
            found[experiment] = Proof(tuple(entry["golden"]), entry["covers"], entry["rest"])
    return found
