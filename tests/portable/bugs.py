"""Plant one bug at a time: does it change a portable run? `python tests/portable/bugs.py FOLDER --write`

Bugs are those of `tests/ci/planted_bugs.py`, in copies of this tree; `arms.py` trains a few G-iterations of
seeds 0 and 1 there. What is in FOLDER/found.json is not run again; `--write` puts it into docs/portable.md.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tests" / name) for name in ("ci", "reliability")]

import document  # noqa: E402
from planted_bugs import BUGS  # noqa: E402
from planted_trees import copy, make, python  # noqa: E402

ELSEWHERE = {
    "sngan.train-mode-sampling": "samples only",
    "training.optimiser-lost": "continued runs only",
    "training.position-lost": "continued runs only",
    "draws.epoch-end": "no run on digits: 16 divides 4 000",
    "evaluation.quantisation": "samples only",
    "evaluation.splits": "scores only",
    "evaluation.ddof": "scores only",
    "evaluation.sampling-batch": "samples only",
    "data.conversion": "converted pictures only",
    "dcgan.library": "not ours: the library's softplus is not used",
}
"""What reaches no weight or loss of a run in one go; docs/planted-bugs.md says what sees it."""
FIRST = {"draws.permutation": 499, "sngan.decay-end": 49_999}
"""Bugs that act late: the G-iteration to begin with."""
WHERE = {"evaluation.resize": "dcgan/digits"}
"""Another experiment than the probe's, where the bug reaches training: images smaller than the network's."""
NOT_RUN = ("wgan.schedule-500", "data.conversion")
"""The first takes too long: hundreds of critic steps at 64 pixels."""


def digests(tree, experiment, first=0, faithful=False):
    """SHA-256 of seeds 0 and 1 after two G-iterations in that tree."""
    arguments = [experiment, "--gen-iters", 2, "--seeds", 0, 1, "--first", first]
    saved = tree / "saved.jsonl"
    saved.unlink(missing_ok=True)
    done = python(tree, "tests/portable/arms.py", *arguments, "--save", saved, *["--faithful"] * faithful)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [json.loads(line)[-1] for line in saved.read_text(encoding="utf-8").splitlines()]


def planted(folder, bug):
    """The tree with a bug. A library's takes effect in `arms.py`."""
    new = bug.new.replace("benchmark.engines", "arms.py")
    return make(ROOT, folder / "planted", bug=dataclasses.replace(bug, new=new))


def outcome(folder, bug, clean):
    """`differs`, or what is equal; `clean` remembers the digests of the tree without a bug."""
    key = (WHERE.get(bug.name, bug.experiment), FIRST.get(bug.name, 0))
    if key not in clean:
        if not (folder / "clean").exists():
            copy(ROOT, folder / "clean")
        clean[key] = digests(folder / "clean", *key)
    changed = [a != b for a, b in zip(digests(planted(folder, bug), *key), clean[key], strict=True)]
    return "**differs**" if all(changed) else "**differs** (seed 1)" if changed[1] else "equal"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    saved, clean = args.folder / "found.json", {}
    found = json.loads(saved.read_text(encoding="utf-8")) if saved.exists() else {}
    for bug in BUGS:
        if bug.name in (*NOT_RUN, *found) or (args.only and bug.name not in args.only):
            continue
        found[bug.name] = outcome(args.folder, bug, clean)
        print(bug.name, found[bug.name], flush=True)
        saved.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if args.write:
        rows = [
            (
                f"`{bug.name}`",
                WHERE.get(bug.name, bug.experiment),
                found.get(bug.name, "not run"),
                ELSEWHERE.get(bug.name, ""),
            )
            for bug in BUGS
        ]
        table = document.table(("bug", "in", "run", "reaches"), rows)
        document.replace("bugs", table, ROOT / "docs" / "portable.md")
    return int(any((said == "equal") != (name in ELSEWHERE) for name, said in found.items()))


if __name__ == "__main__":
    sys.exit(main())
