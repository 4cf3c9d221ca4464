"""Measures experiments and protocols one after the other, each in a process of its own. No torch."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import baselines
from benchmark.engines import parent
from benchmark.engines.interrupts import terminable
from benchmark.errors import UserError
from benchmark.evaluation import protocols
from benchmark.evaluation.protocol import CRITIC, NEAREST, WINDOW
from benchmark.training import numerics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NO_NETWORK = {
    WINDOW: "no network: every image is compared with every test image",
    NEAREST: "no network: every image is compared with every test image",
    CRITIC: "critics of finished runs are what is scored",
}


def extractors() -> tuple[dict[tuple[str, str], list[str]], dict[str, str]]:
    """Protocols by the network and weights that score for them, and why the others are left out."""
    measurable: dict[tuple[str, str], list[str]] = {}
    left_out: dict[str, str] = {}
    for name in protocols.names():
        protocol = protocols.get(name)
        if reason := _NO_NETWORK.get(protocol.extractor):
            left_out[name] = reason
            continue
        try:
            key = (protocol.extractor, protocol.resolved().weights_digest or "")
            measurable.setdefault(key, []).append(name)
        except UserError:  # names a path, which no file that is passed on should have
            left_out[name] = f"no usable weights of {protocol.extractor} here: `ganbench verify-weights`"
    return measurable, left_out


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """What `worker` says.

    Raises:
        UserError: its process fails; with what it printed last.

    """
    with terminable():
        done = subprocess.run(
            parent.python("-m", "benchmark.engines.benching.worker", json.dumps(request)),
            env={**numerics.child_environment(), **parent.announced()},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode:
        what = request.get("experiment") or request["extractor"][0]
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise UserError(f"cannot be measured ({last[0]})", where=str(what))
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def everything(
    names: Sequence[str], device: str, seconds: float, told: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Results by experiment, and by protocol (`left_out` with the reason of those that are not measured).

    Args:
        names: experiments.
        device: ``cpu`` or ``cuda``.
        seconds: of G-iterations for each experiment, at least.
        told: called with what is measured next.

    Raises:
        UserError: one of them fails.

    """
    common = {"device": device, "seconds": seconds}
    found = {}
    for name in names:
        told(name)
        found[name] = measure({"experiment": name, "variant": baselines.variant(name), **common})
    networks, left_out = extractors()
    scored: dict[str, Any] = {name: {"left_out": reason} for name, reason in left_out.items()}
    for (network, digest), of in networks.items():
        told(network)
        result = measure({"extractor": [network, digest], **common})
        scored |= {name: {"extractor": network, **result} for name in of}
    return found, scored
