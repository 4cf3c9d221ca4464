"""Runs a suite, half a GPU for each run, on a cluster whose GPUs are only counted: SUITE OUT ADDRESS."""

import sys
from pathlib import Path

import ray

from benchmark import suites
from benchmark.cli.verbosity import Quiet
from benchmark.engines import queue
from benchmark.engines.base import Wish
from benchmark.engines.ray import cluster, driver
from benchmark.records.devices import Choice
from benchmark.suites.plan import plan

suite, out, address = sys.argv[1:]
cluster.connect(ray, address)
engine = driver.Engine(ray, Choice("cuda"), Wish(gpus_per_run=0.5, launch={"argv": sys.argv}))
print(engine.places)
try:
    queue.execute(plan(suites.load(suite), Path(out), "cpu", elsewhere=True), engine, display=Quiet())
finally:
    engine.close()
    ray.shutdown()
