"""Arms × experiments in docs/portable.md: `python tests/portable/arms_table.py SAVED...`

SAVED are files that `arms.py --save` made, or its tests with $PORTABLE_SAVED. The measure is `as it is`.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "reliability"))

import document  # noqa: E402

MEASURE = "as it is"
COLUMNS = {
    **{name: (f"{name}/digits",) for name in ("gan", "dcgan", "wgan", "wgan_gp", "sngan")},
    "CIFAR-10": (
        "dcgan/cifar10",
        "wgan/cifar10",
        "wgan_gp/cifar10-cnn",
        "wgan_gp/cifar10-resnet",
        "sngan/cifar10-cnn",
        "sngan/cifar10-resnet",
    ),
}


def read(paths):
    """Arm, torch and minibatch → experiment and G-iterations → seed → SHA-256."""
    arms = defaultdict(lambda: defaultdict(dict))
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            arm, version, label, seed, gen_iters, digest = json.loads(line)
            experiment, _, minibatch = label.partition(" minibatch ")
            arms[arm, version.partition("+")[0], minibatch][experiment, gen_iters][seed] = digest
    return arms


def cell(found, measure, experiments):
    """`= 100 × 3` for 100 G-iterations of three seeds; the longest that there is."""
    runs = []
    for (name, gen_iters), digests in found.items():
        seeds = digests.keys() & measure[name, gen_iters].keys()
        if name in experiments and seeds:
            runs.append((gen_iters, len(seeds)))
            if any(digests[seed] != measure[name, gen_iters][seed] for seed in seeds):
                return "**differs**"
    longest = max((gen_iters for gen_iters, _ in runs), default=0)
    counts = [seeds for gen_iters, seeds in runs if gen_iters == longest]
    if not counts:
        return "–"
    some = f" ({len(counts)} of {len(experiments)})" if len(counts) < len(experiments) else ""
    return f"= {longest} × {min(counts)}{some}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("saved", nargs="+", type=Path)
    arms = read(parser.parse_args().saved)
    measures = {minibatch: found for (arm, _, minibatch), found in arms.items() if arm == MEASURE}
    of_measure, minibatches = [key for key in arms if key[0] == MEASURE], {key[2] for key in arms}
    if len(measures) != len(of_measure) or measures.keys() != minibatches:
        parser.error(f"the arm '{MEASURE}', of one version of torch, is what the others are compared with")
    rows = []
    for (arm, version, minibatch), found in arms.items():
        cells = [cell(found, measures[minibatch], names) for names in COLUMNS.values()]
        if arm == MEASURE:
            cells = [text.removeprefix("= ") for text in cells]
        rows.append((f"{arm}, minibatches of {minibatch}" if minibatch else arm, version, *cells))
    table = document.table(("arm", "torch", *COLUMNS), rows)
    document.replace("arms", table, ROOT / "docs" / "portable.md")
    print(table)
    return int("**differs**" in table)


if __name__ == "__main__":
    sys.exit(main())
