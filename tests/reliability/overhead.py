"""What checkpoints cost: the five baselines trained with one every second and with none, in turns.

``python tests/reliability/overhead.py --write`` puts the table into docs/reliability.md. A checkpoint every
second makes the cost large enough to measure; at the default cadence it is a sixtieth.
"""

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import document

import baselines
from benchmark import data
from benchmark.data.framing import frame
from benchmark.training import numerics
from benchmark.training.trainer import Cadence, Trainer

EXPERIMENTS = ("gan/digits", "dcgan/digits", "wgan/digits", "wgan_gp/digits", "sngan/digits")


class Silent:
    """A watcher that notes how long checkpoints take."""

    def __init__(self):
        self.write_s = []

    def progress(self, phase, gen_iters):
        pass

    def event(self, name, **details):
        if name == "checkpoint":
            self.write_s.append(details["write_s"])


def train(name, gen_iters, every_s, folder):
    """Seconds of training and checkpoints, the checkpoints' own seconds, bytes of one."""
    experiment, watcher = baselines.get(name), Silent()
    trainer = Trainer(
        experiment,
        seed=0,
        budget=gen_iters,
        evaluate_at=[],
        images=frame(data.load("digits", "train"), experiment.image_shape[1]),
        evaluator=None,
        directory=Path(tempfile.mkdtemp(dir=folder)),
        watcher=watcher,
        cadence=Cadence(wall_s=every_s),
        started=time.perf_counter(),
    )
    begin = time.perf_counter()
    trainer.run(lambda: False)
    total_s, last_s = time.perf_counter() - begin, watcher.write_s[-1]
    # Both arms write a last one; only those in between are asked about.
    return total_s - last_s, watcher.write_s[:-1], trainer.state.checkpoint_bytes


def main():
    """Measure, print and perhaps write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of training per arm and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    arguments = parser.parse_args()
    numerics.apply()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in EXPERIMENTS:
            pace_s = train(name, 20, math.inf, folder)[0] / 20
            gen_iters = max(20, round(arguments.seconds / pace_s))
            with_s, without_s, writes = [], [], []
            for _ in range(arguments.rounds):
                without_s.append(train(name, gen_iters, math.inf, folder)[0])
                seconds, write_s, size = train(name, gen_iters, 1.0, folder)
                with_s.append(seconds)
                writes += write_s
            ratio = median(with_s) / median(without_s)
            own = sum(writes) / sum(with_s)
            rows.append(
                (
                    name,
                    f"{size / 2**20:.1f} MiB",
                    f"{1000 * median(writes):.0f} ms",
                    f"{ratio:.3f}",
                    f"{100 * own:.1f} %",
                    f"{100 * median(writes) / Cadence().wall_s:.2f} %",
                )
            )
            print(*rows[-1], file=sys.stderr)
    headers = (
        "experiment",
        "size of a checkpoint",
        "time to write one",
        "wall time, one a second ÷ none",
        "of it inside the writing",
        f"share at the default, one every {Cadence().wall_s:.0f} s",
    )
    text = document.table(headers, rows)
    print(text)
    if arguments.write:
        document.replace("overhead", text)


if __name__ == "__main__":
    main()
