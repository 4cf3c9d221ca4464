"""How time and memory grow: ``python tests/speed/growth.py --write`` puts the table into docs/scale.md.

Each size is measured in a process of its own, in CPU time and in memory above what the process had before.
The exponent is the slope of log(cost) against log(size) between the two largest: 1 is linear. Where a part
does not grow, as the networks beside their losses, it is below 1.
"""

import argparse
import copy
import importlib.util
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def of_budget(n):
    """Train n G-iterations, with the checkpoint at their end."""
    from benchmark.training.trainer import Trainer

    experiment, images, watcher = small(4000)
    folder = Path(tempfile.mkdtemp())
    arguments = {"seed": 0, "evaluate_at": [], "images": images, "evaluator": None, "directory": folder}
    trainer = Trainer(experiment, budget=n, watcher=watcher, started=time.perf_counter(), **arguments)
    return lambda: trainer.run(lambda: False)


def of_samples(n):
    """Generate and score n images by IS and FID."""
    from benchmark.evaluation import protocols
    from benchmark.evaluation.evaluator import Evaluator
    from benchmark.training import sampling, trainer

    experiment, images, _ = small(4000)
    generator = trainer.build(experiment, 0, images).generator
    evaluator = Evaluator([protocols.replace(protocols.get("digits-2k"), n_generated=n)], "digits")
    return lambda: evaluator.scores_of(sampling.image_batches(experiment, generator, 0, n))


def of_images(n):
    """What a run does with n training images before it trains: their mean, and the order of an epoch."""
    from benchmark.training import trainer
    from benchmark.training.draws import SeededDraws

    experiment, images, _ = small(n)

    def begin():
        trainer.build(experiment, 0, images)
        SeededDraws(experiment, 0, images).images()

    return begin


def of_points(n):
    """Write the report of five runs that were scored at n points."""
    return report(1, n)


def of_runs(n):
    """Write the report of 5 n runs of nine points each."""
    return report(n, 9)


AXES = {
    "budget, G-iterations": (of_budget, (50, 100, 200, 400)),
    "generated images scored": (of_samples, (2000, 8000, 32000)),
    "training images": (of_images, (16000, 64000, 256000)),
    "points of a curve, in a report": (of_points, (9, 90, 900)),
    "seeds of five experiments, in a report": (of_runs, (3, 9, 27)),
}


class Silent:
    """A watcher that says nothing."""

    def progress(self, phase, gen_iters):
        pass

    def event(self, name, **details):
        pass


def small(n):
    """dcgan/digits, n drawn images of its shape, a watcher."""
    import torch

    import baselines
    from benchmark.training import numerics

    numerics.apply()
    experiment = baselines.get("dcgan/digits")
    images = torch.randint(0, 256, (n, *experiment.image_shape), dtype=torch.uint8)
    return experiment, images, Silent()


def report(seeds, points):
    """Write the report of the accepted runs, as if they had so many seeds and points; gives its bytes."""
    from benchmark.records.loaded import LoadedRecord
    from benchmark.report import write_report
    from benchmark.report.content import compose  # noqa: F401 - imports are not what is measured

    accepted = json.loads((ROOT / "results" / "reference" / "quick.json").read_text(encoding="utf-8"))
    first = {r["experiment"]: r for r in accepted["records"]}
    runs = []
    for record in first.values():
        for seed in range(seeds):
            one = copy.deepcopy(record) | {"seed": seed, "samples": [], "gen_iters": points - 1}
            one["curve"] = [
                {**record["curve"][1 + i % (len(record["curve"]) - 1)], "gen_iters": i} for i in range(points)
            ]
            one["spec"] |= {"evaluate_at": list(range(points)), "seed": seed}
            one["final"] = {"gen_iters": points - 1, "scores": one["curve"][-1]["scores"]}
            runs.append(LoadedRecord(one, Path("nowhere")))
    folder = Path(tempfile.mkdtemp())

    def write():
        files = write_report(runs, folder, suite="growth", command="none")
        return sum(file.stat().st_size for file in files)

    return write


def resident_mib(key):
    """VmRSS or VmHWM of this process."""
    return int(re.search(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def measure(axis, size):
    """In this process: CPU seconds, MiB more than before at most, and MiB written if the work says so."""
    work = AXES[axis][0](size)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
    before_s, before_mib = time.process_time(), resident_mib("VmRSS")
    made = work()
    seconds = time.process_time() - before_s
    written = made / 2**20 if axis.endswith("report") else 0.0
    return {
        "cpu_s": seconds,
        "mib": max(resident_mib("VmHWM") - before_mib, 0.0),
        "written_mib": written,
    }


def exponent(sizes, costs):
    """Slope between the last two; none where less than can be told was used."""
    if min(costs[-2:]) <= 0.05:
        return "–"
    return f"{math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2]):.2f}"


def main():
    """Measure, print and perhaps write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=2, metavar=("AXIS", "SIZE"), help="measure this, in this process")
    parser.add_argument("--write", action="store_true", help="put the table into docs/scale.md")
    arguments = parser.parse_args()
    if arguments.one:
        axis, size = arguments.one
        print(json.dumps(measure(axis, int(size))))
        return
    from benchmark.training import numerics

    rows = []
    for axis, (_, sizes) in AXES.items():
        command = [sys.executable, __file__, "--one", axis]
        found = [
            json.loads(
                subprocess.run(
                    [*command, str(size)],
                    env=numerics.child_environment(),
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                ).stdout.splitlines()[-1]
            )
            for size in sizes
        ]
        cells = [axis, ", ".join(f"{size:,}".replace(",", " ") for size in sizes)]
        for key, decimals in (("cpu_s", 1), ("mib", 0), ("written_mib", 1)):
            costs = [one[key] for one in found]
            shown = ", ".join(f"{cost:.{decimals}f}" for cost in costs) if any(costs) else "–"
            cells += [shown, exponent(sizes, costs)]
        rows.append(cells)
        print(*cells, sep=" | ", file=sys.stderr)
    spec = importlib.util.spec_from_file_location("document", ROOT / "tests" / "reliability" / "document.py")
    document = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(document)
    headers = ("what grows", "sizes", "CPU s", "exponent", "more MiB", "exponent", "MiB written", "exponent")
    text = document.table(headers, rows)
    print(text)
    if arguments.write:
        document.replace("growth", text, ROOT / "docs" / "scale.md")


if __name__ == "__main__":
    main()
