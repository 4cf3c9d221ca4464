"""What Ray is asked for: a connection, places, actors, and that nothing is left on any machine."""

from __future__ import annotations

import os
import re
import socket
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from benchmark.data.places import DIRECTORY_VARIABLE, OFFLINE_VARIABLE
from benchmark.engines.base import default_jobs, runs_per_gpu
from benchmark.engines.ray import node
from benchmark.errors import UserError
from benchmark.evaluation.weights import VARIABLE as WEIGHTS_VARIABLE
from benchmark.records import devices
from benchmark.records.devices import Choice
from benchmark.records.places import CACHE_VARIABLE

if TYPE_CHECKING:
    from benchmark.engines.base import Wish

_VARIABLES = (DIRECTORY_VARIABLE, OFFLINE_VARIABLE, WEIGHTS_VARIABLE, CACHE_VARIABLE)
"""Of the driver's environment, for machines that have none of that name."""
_SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it warns
    "RAY_worker_niceness": "0",  # of a cluster made here: as the local engine's children
}
_CONNECT_S = 10.0
_LOOK_S = 5.0
"""How often the cluster is asked for its machines."""


def module() -> Any:
    """Ray; `UserError` where it is not installed."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        do = "pip install 'ganbench[ray]', or in a checkout: pip install -e '.[ray]'"
        raise UserError(f"Ray is not installed ({error})", where="--engine ray", do=do) from error
    return ray


def connect(ray: Any, address: str | None) -> None:
    """Connect as `ray.init` does: to the address, to ``$RAY_ADDRESS``, to a cluster here, else to a new one.

    Raises:
        UserError: there is none, or it has another version of Ray or Python.

    """
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "CRITICAL"}
    own = {"num_cpus": default_jobs("cpu")} if address == "local" else {}
    try:
        if found := re.fullmatch(r"([^/]+):(\d{1,5})", address or ""):  # Ray itself would try for minutes
            socket.create_connection((found[1], int(found[2])), timeout=_CONNECT_S).close()
        ray.init(address=address, **own, **quiet)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        where = f"--address {address}" if address else "--engine ray"
        do = (
            "Start one with `ray start --head`, or say --address local; "
            "where one is protected by a token, export RAY_AUTH_MODE=token"
        )
        raise UserError(f"no Ray cluster to work on ({said})", where=where, do=do) from error


def choice(ray: Any, asked: str) -> Choice:
    """What `--device` means on a cluster; `UserError` for a GPU by number, since Ray deals them out."""
    if asked != "auto":
        chosen = devices.choose(asked)
        if chosen.indices is not None:
            do = "Use --device cuda; CUDA_VISIBLE_DEVICES of `ray start` chooses the GPUs of a machine"
            raise UserError("on a cluster, Ray chooses the GPUs", where=f"--device {asked}", do=do)
        return chosen
    if ray.cluster_resources().get("GPU"):
        return Choice("cuda")
    return Choice("cpu", why_cpu="the Ray cluster has no GPU")


class Cluster:
    """A cluster that is connected, for runs of one kind of device.

    Attributes:
        ray: the module.
        kind: ``cpu``, where a run takes a core, or ``cuda``, where it takes its share of a GPU and of a core.

    """

    def __init__(self, ray: Any, kind: str, wish: Wish) -> None:
        self.ray, self.kind = ray, kind
        self._share, self._jobs = wish.gpus_per_run, wish.jobs
        self._per_gpu = runs_per_gpu(wish.gpus_per_run)
        self._name = f"driver-{uuid.uuid4().hex[:12]}"
        self._looked, self._places = float("-inf"), 0

    @property
    def places(self) -> int:
        """As many as asked for, else what there are now; at least one, which a cluster may grow for."""
        if self._jobs:
            return self._jobs
        if time.monotonic() > self._looked + _LOOK_S:
            self._looked = time.monotonic()
            machines = [machine["Resources"] for machine in self._alive()]
            if self.kind == "cpu":
                found = [int(has.get("CPU", 0)) for has in machines]
            else:
                found = [int(has.get("GPU", 0)) * self._per_gpu for has in machines]
            self._places = max(sum(found), 1)
        return self._places

    def share(self, *, alone: bool) -> float:
        """Of a GPU, for a run."""
        return 1.0 if alone else self._share

    def seat(self, *, alone: bool) -> Any:
        """An actor that waits for its place: a `node.Seat`, of which nothing outlives this driver."""
        share = self.share(alone=alone)
        actor = self.ray.remote(node.Seat).options(
            num_cpus=1 if self.kind == "cpu" else share,
            num_gpus=0 if self.kind == "cpu" else share,  # without it a process would see every GPU
            max_restarts=0,
            max_task_retries=0,
        )
        return actor.remote(self._name, {name: os.environ[name] for name in _VARIABLES if name in os.environ})

    def clear(self) -> None:
        """Have every machine remove what this driver's seats left there; they must have been ended before."""
        with suppress(self.ray.exceptions.RayError, OSError):  # a cluster that is gone needs no sweeping
            clear = self.ray.remote(num_cpus=0, max_retries=0)(node.clear)
            there = self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
            cleared = [
                clear.options(scheduling_strategy=there(machine["NodeID"], soft=False)).remote(self._name)
                for machine in self._alive()
            ]
            self.ray.wait(cleared, num_returns=len(cleared), timeout=node.GRACE_S)

    def _alive(self) -> list[dict[str, Any]]:
        return [machine for machine in self.ray.nodes() if machine["Alive"]]
