"""10 000 runs on 1 000 GPUs, simulated: ``python tests/scale/simulation.py --write`` puts it in the docs.

Discrete events, seeded. A run is as long as its paper's G-iterations take at the speed measured on an H100
(docs/gpu-h100.json), without evaluations. GPUs fail and are preempted at exponentially distributed
times; what a run did since its last checkpoint is lost, and it goes on first on the next free GPU.
"""

import argparse
import heapq
import json
import math
import random
import sys
from collections import deque
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

from benchmark.suites import experiments

sys.path.append(str(Path(__file__).parents[1] / "reliability"))
import document

ROOT = Path(__file__).parents[2]
DAY = 86_400.0
FAILURE_EVERY_S = 16_384 * 54 * DAY / 419
"""Of one GPU: 419 unexpected interruptions of 16 384 in 54 days (The Llama 3 Herd of Models, §3.3.4)."""
START_S, AWAY_S = 30.0, 300.0
"""Assumed: until a process trains; until a GPU that failed or was taken away is there again."""
REPLY_EVERY_S, REPLY_BYTES, CHECKPOINT_S = 0.5, 135e3, 60.0
"""Of the Ray engine: between two messages, of the largest returned run (measured), of checkpoints."""
BYTES_OF_A_WEIGHT = 12
"""In a checkpoint: the weight and Adam's two moments, float32."""
SEED = 0


@dataclass(frozen=True)
class Cluster:
    """GPUs, and the mean seconds between two interruptions of one; infinity for none."""

    gpus: int
    interrupted_every_s: float = math.inf
    checkpoint_s: float = CHECKPOINT_S
    start_s: float = START_S
    away_s: float = AWAY_S


@dataclass
class Result:
    """Seconds until the last run ended, of GPUs in use, of work done twice; number of interruptions."""

    makespan_s: float = 0.0
    busy_s: float = 0.0
    lost_s: float = 0.0
    interruptions: int = 0


def simulate(lengths_s, cluster, rng):
    """Runs of these lengths, begun in this order; interrupted ones go before those that have not begun."""
    waiting, idle, result = deque(lengths_s), cluster.gpus, Result()
    events: list[tuple[float, int, int, float]] = []  # time, number, GPUs that are free again, rest of a run
    number = count()
    now = 0.0
    while True:
        while idle and waiting:
            idle -= 1
            work_s = waiting.popleft()
            needed_s, until_s = cluster.start_s + work_s, math.inf
            if cluster.interrupted_every_s < math.inf:
                until_s = rng.expovariate(1 / cluster.interrupted_every_s)
            result.busy_s += min(needed_s, until_s)
            if until_s >= needed_s:
                heapq.heappush(events, (now + needed_s, next(number), 1, 0.0))
                result.makespan_s = max(result.makespan_s, now + needed_s)
                continue
            done_s = max(0.0, until_s - cluster.start_s)
            lost_s = done_s % cluster.checkpoint_s
            result.lost_s += lost_s
            result.interruptions += 1
            heapq.heappush(events, (now + until_s, next(number), 0, work_s - done_s + lost_s))
            heapq.heappush(events, (now + until_s + cluster.away_s, next(number), 1, 0.0))
        if not events:
            return result
        now, _, freed, rest_s = heapq.heappop(events)
        idle += freed
        if rest_s:
            waiting.appendleft(rest_s)


def bound(lengths_s, cluster):
    """No schedule without interruptions is shorter: all GPUs busy to the end, or the longest run alone."""
    needed = [cluster.start_s + work_s for work_s in lengths_s]
    return max(sum(needed) / cluster.gpus, max(needed))


def measured():
    """Seconds of a run and bytes of its checkpoint, by experiment with a printed budget."""
    speeds = json.loads((ROOT / "docs" / "gpu-h100.json").read_text(encoding="utf-8"))["experiments"]
    found = {}
    for name, speed in speeds.items():
        described = experiments.describe(name)
        if budget := described["budget"]["gen_iters"]:
            n_bytes = BYTES_OF_A_WEIGHT * sum(described["parameters"].values())
            found[name] = (budget / speed["gen_iters_per_s"][1], n_bytes)
    return found


def hours(seconds):
    return f"{seconds / 3600:,.1f}".replace(",", " ")


def scenarios(gpus=1_000, n_runs=10_000):
    """Rows of the table."""
    runs = measured()
    lengths = [runs[name][0] for _, name in zip(range(n_runs), cycle(runs), strict=False)]
    longest_first = sorted(lengths, reverse=True)
    rows = []
    for said, every_s, checkpoint_s in (
        ("no interruption", math.inf, 60.0),
        ("GPUs fail as Llama 3's did", FAILURE_EVERY_S, 60.0),
        ("and each is preempted once a day", 1 / (1 / FAILURE_EVERY_S + 1 / DAY), 60.0),
        ("the same, a checkpoint every 600 s", 1 / (1 / FAILURE_EVERY_S + 1 / DAY), 600.0),
        ("and each is preempted once an hour", 1 / (1 / FAILURE_EVERY_S + 24 / DAY), 60.0),
        ("the same, a checkpoint every 600 s", 1 / (1 / FAILURE_EVERY_S + 24 / DAY), 600.0),
    ):
        cluster = Cluster(gpus, every_s, checkpoint_s)
        by_seed, by_length = (
            simulate(order, cluster, random.Random(SEED)) for order in (lengths, longest_first)
        )
        least = bound(lengths, cluster)
        rows.append(
            (
                said,
                f"{hours(by_seed.makespan_s)} h ({by_seed.makespan_s / least:.2f})",
                f"{hours(by_length.makespan_s)} h ({by_length.makespan_s / least:.2f})",
                f"{by_seed.interruptions:,}".replace(",", " "),
                f"{hours(by_seed.lost_s)} h ({by_seed.lost_s / by_seed.busy_s:.2%})",
            )
        )
    return rows, hours(bound(lengths, Cluster(gpus)))


def traffic(gpus=1_000):
    """Per second at the driver, all GPUs at work: messages, MB of checkpoints, records, MB of those."""
    runs = measured().values()
    total_s = sum(length_s for length_s, _ in runs)
    bytes_per_s = gpus * sum(length_s * n_bytes for length_s, n_bytes in runs) / total_s / CHECKPOINT_S
    records_per_s = gpus * len(runs) / total_s
    return gpus / REPLY_EVERY_S, bytes_per_s / 1e6, records_per_s, records_per_s * REPLY_BYTES / 1e6


def text():
    """What docs/scale.md says."""
    rows, least = scenarios()
    headers = (
        "interruptions",
        "seed by seed (÷ bound)",
        "longest first (÷ bound)",
        "number",
        "work done twice",
    )
    messages, checkpoints, records, of_records = traffic()
    return (
        f"{document.table(headers, rows)}\n\n"
        f"The lower bound is {least} h. While all GPUs work, the command that was started gets\n"
        f"{messages:.0f} messages of progress a second, {checkpoints:.0f} MB of checkpoints (one every "
        f"{CHECKPOINT_S:.0f} s), {records:.2f} records\nand {of_records:.3f} MB of those."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    found = text()
    print(found)
    if parser.parse_args().write:
        document.replace("simulation", found, ROOT / "docs" / "scale.md")


if __name__ == "__main__":
    main()
