"""G-iterations per second and memory of experiments on this GPU: `python tests/gpu/throughput.py FILE.json`.

At the paper's minibatch and width, without evaluations; the median of five blocks of 20 G-iterations after 20
to warm up.
"""

import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path

import torch

import baselines
from benchmark.training import numerics

spec = importlib.util.spec_from_file_location("short", Path(__file__).with_name("short.py"))
short = importlib.util.module_from_spec(spec)
spec.loader.exec_module(short)

BLOCK, BLOCKS = 20, 5


def measured(name):
    """G-iterations/s: slowest, median, fastest block; and MiB of the GPU at most."""
    experiment = baselines.get(name)
    torch.cuda.reset_peak_memory_stats()
    players, draws = short.start(experiment, "cuda")
    rates, k = [], 0
    for _ in range(BLOCKS + 1):
        torch.cuda.synchronize()
        before = time.perf_counter()
        for _ in range(BLOCK):
            experiment.iterate(experiment.settings, players, k, draws.at(k))
            k += 1
        torch.cuda.synchronize()
        rates.append(BLOCK / (time.perf_counter() - before))
    mib = torch.cuda.max_memory_allocated() / 2**20
    return {
        "gen_iters_per_s": [min(rates[1:]), statistics.median(rates[1:]), max(rates[1:])],
        "peak_mib": mib,
    }


def main():
    default = [n for n in baselines.names() if n.endswith("/digits") or baselines.get(n).headline]
    names = sys.argv[2:] or [*default, "gan/mnist", "dcgan/mnist-conditional"]
    found = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "experiments": {}}
    with numerics.applied():
        for name in names:
            found["experiments"][name] = one = measured(name)
            low, middle, high = one["gen_iters_per_s"]
            mib = one["peak_mib"]
            print(
                f"{name:32} {middle:8.1f} ({low:.1f} to {high:.1f}) G-iterations/s {mib:8.0f} MiB",
                flush=True,
            )
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
