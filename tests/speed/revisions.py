"""G-iterations of an earlier commit beside this code's: `python tests/speed/revisions.py REV`.

Each turn is a process of either code, one after the other, with the environment and switches of a run, on
drawn images. What counts is CPU time per G-iteration; the ratio is the earlier code's ÷ this code's, the
median of the turns (smallest..largest). `--write` puts the table into docs/speed.md.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import baselines
from benchmark.training import numerics

sys.path.append(str(Path(__file__).parents[1] / "reliability"))
import document

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "speed.md"
HEAD = ["| experiment | before, CPU ms | now | ratio |", "|---|---:|---:|---|"]
FIRST = 1000
"""G-iteration to begin with: WGAN's first 25 have a hundred critic updates."""
SECONDS, FEWEST = 4.0, 2
COST = f"""
import json, sys, time
import torch
import baselines
from benchmark.training import numerics, trainer
from benchmark.training.draws import SeededDraws

numerics.apply()
experiment = baselines.get(sys.argv[1])
shape = (max(256, experiment.settings.batch), *experiment.image_shape)
images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
players = trainer.build(experiment, 0, images)
draws = SeededDraws(experiment, 0, images)
def step(k):
    begun = time.process_time()
    experiment.iterate(experiment.settings, players, k, draws.at(k))
    return time.process_time() - begun
k, found = {FIRST} + 1, []
step({FIRST})
while len(found) < {FEWEST} or sum(found) < {SECONDS}:
    found.append(step(k))
    k += 1
print(json.dumps(sum(found) / len(found)))
"""


def cost(tree, name):
    """CPU seconds per G-iteration of the code in a folder."""
    environment = {**numerics.child_environment(), "PYTHONPATH": str(tree)}
    command = [sys.executable, "-c", COST, name]
    done = subprocess.run(command, env=environment, cwd=tree, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def row(name, before, after):
    """A line of the table."""
    ratios = sorted(b / a for b, a in zip(before, after, strict=True))
    middle = [statistics.median(costs) * 1000 for costs in (before, after)]
    ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}..{ratios[-1]:.2f})"
    return f"| {name} | {middle[0]:.0f} | {middle[1]:.0f} | {ratio} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision")
    parser.add_argument("experiments", nargs="*")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    names = given.experiments or [
        n for n in baselines.names() if n.endswith("/digits") or baselines.get(n).headline
    ]
    lines, middles = [], []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), given.revision], check=True)
        try:
            for name in names:
                costs = [(cost(tree, name), cost(ROOT, name)) for _ in range(given.turns)]
                before, after = zip(*costs, strict=True)
                lines.append(row(name, before, after))
                middles.append(statistics.median(b / a for b, a in costs))
                print(lines[-1], flush=True)
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
    lines.append(f"| geometric mean | | | {statistics.geometric_mean(middles):.2f} |")
    print(lines[-1])
    if given.write:
        document.replace("revisions", "\n".join([*HEAD, *lines]), PAGE)


if __name__ == "__main__":
    main()
