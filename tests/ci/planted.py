"""Plant one bug at a time in a copy of ganbench and write down what notices it: tests, `verify`, the gate.

``python tests/ci/planted.py --folder FOLDER --write`` makes docs/planted-bugs.md. It first makes and accepts
a reference with the clean copy; then, for every bug, in a copy of its own,

    tests    runs the test files about the baseline, up to the first failure
    runs     trains the baseline with `--seeds`, as a pull request's run would
    verify   lets `ganbench verify` judge an accepted run
    gate     lets `ganbench check` compare the runs with the reference

Every step that is done is a line of FOLDER/planted.jsonl and is not done again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from planted_bugs import BUGS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "planted-bugs.md"
STEPS = ("tests", "runs", "verify", "gate")


class Bench:
    """A folder with the clean tree, its reference, the copies with a bug, and what was found so far."""

    def __init__(self, folder, tree, suite, seeds, reference_seeds, jobs):
        self.folder, self.suite, self.jobs = folder.absolute(), suite.absolute(), jobs
        self.seeds, self.reference_seeds = seeds, reference_seeds
        self.log = self.folder / "planted.jsonl"
        self.clean = self.folder / "tree"
        if not self.clean.exists():
            copy(tree, self.clean)

    def found(self):
        """Everything in the log, by bug and step; the bug of the clean tree is called `clean`."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return {(entry["bug"], entry["step"]): entry for entry in map(json.loads, lines)}

    def once(self, bug, step, make):
        """Do a step that is not in the log yet."""
        if (bug, step) in self.found():
            return
        begin = time.monotonic()
        entry = {"bug": bug, "step": step, **make(), "wall_s": round(time.monotonic() - begin, 1)}
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry, ensure_ascii=False) + "\n")
        print(json.dumps(entry, ensure_ascii=False)[:300], flush=True)

    def out(self, bug):
        return self.folder / "results" / bug

    def planted(self, bug, step):
        """The tree with the bug in it, and with a catalogue made from it, as a commit would have it."""
        tree = self.folder / "trees" / f"{bug.name}-{step}"
        shutil.rmtree(tree, ignore_errors=True)
        copy(self.clean, tree)
        plant(bug, tree)
        done = python(tree, "-m", "baselines")
        if done.returncode:
            raise RuntimeError(f"{bug.name}: {done.stderr}")
        return tree

    def reference(self):
        """Clean runs, how far their seeds are apart, and `ganbench accept`."""
        self.once("clean", "runs", lambda: self.run(self.clean, self.out("clean"), self.reference_seeds))
        self.once("clean", "spread", self.spread)
        self.once("clean", "accept", self.accept)

    def accept(self):
        done = python(
            self.clean,
            *("-m", "benchmark", "accept", self.suite, "--seeds", self.reference_seeds),
            *("--out", self.out("clean"), "--yes", "--allow-dirty"),
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return {"exit": 0}

    def spread(self):
        """Mean and sd over seeds of what the gate compares, of the accepted runs."""
        done = python(self.clean, "-c", SPREAD, self.out("clean"), self.suite)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return {"rows": json.loads(done.stdout)}

    def run(self, tree, out, seeds, *patterns):
        narrowed = [part for pattern in patterns for part in ("--experiment", pattern)]
        done = python(
            tree,
            *("-m", "benchmark", "run", self.suite, *narrowed, "--seeds", seeds, "--device", "cpu"),
            *("--jobs", self.jobs, "--out", out),
        )
        if done.returncode not in (0, 3):
            raise RuntimeError(done.stderr)
        return {"exit": done.returncode}

    def step(self, bug, step):
        make = {"tests": self.tests, "runs": self.runs, "verify": self.verify, "gate": self.gate}[step]
        self.once(bug.name, step, lambda: make(bug, self.planted(bug, step)))

    def tests(self, bug, tree):
        done = python(tree, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *bug.test_files)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stdout + done.stderr)
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return {"failed": failed[0].split()[1] if failed else "", "files": len(bug.test_files)}

    def runs(self, bug, tree):
        return self.run(tree, self.out(bug.name), self.seeds, bug.experiment)

    def verify(self, bug, tree):
        """What `verify` says first against an accepted run; for one bug, also against a run of its own."""
        entry = {"accepted_run": first_complaint(tree, record_of(self.out("clean"), bug.experiment))}
        if bug is BUGS[0]:
            entry["own_run"] = first_complaint(tree, record_of(self.out(bug.name), bug.experiment))
        return entry

    def gate(self, bug, tree):
        done = python(
            tree,
            *("-m", "benchmark", "check", self.suite, "--against", "reference", "--json"),
            *("--experiment", bug.experiment, "--seeds", self.seeds, "--out", self.out(bug.name)),
            *("--reference", self.out("clean") / "reference" / f"{self.suite.stem}.json"),
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{bug.name}: exit {done.returncode}: {done.stderr}")
        found = json.loads(done.stdout)
        return {"exit": done.returncode, "conclusion": found["conclusion"], "gate": found["gate"]}


SPREAD = """
import json, sys
from pathlib import Path
from statistics import fmean, stdev
from benchmark.records import store
from benchmark import suites
from benchmark.judging.cell_test import run_value
from benchmark.suites.gate_table import EFFECTS
suite = suites.load(sys.argv[2])
records = [run.record for run in store.records_below(Path(sys.argv[1]) / "runs")[0]]
rows = []
for name in suite.experiments:
    own = [r for r in records if r["experiment"] == name]
    for protocol in own[0]["spec"]["protocols"]:
        for metric in (m for m in protocol["metrics"] if m in EFFECTS):
            values = [run_value(r, protocol["name"], metric) for r in own]
            mean, sd = fmean(values), stdev(values)
            rows.append((name, metric, f"{mean:.4g}", f"{sd:.2g}", f"{sd / mean:.1%}"))
print(json.dumps(rows))
"""


def copy(tree, to):
    """A source tree without what is no source."""
    ignored = shutil.ignore_patterns(".*", "__pycache__", "runs", "reports", "build", "dist", "*.egg-info")
    shutil.copytree(tree, to, ignore=ignored)


def plant(bug, tree):
    """Edit the file of the bug."""
    path = tree / bug.path
    text = path.read_text(encoding="utf-8") if bug.old else ""
    if bug.old and text.count(bug.old) != 1:
        raise ValueError(f"{bug.name}: the text to replace is {text.count(bug.old)} times in {bug.path}")
    path.write_text(text.replace(bug.old, bug.new) if bug.old else bug.new, encoding="utf-8")


def python(tree, *arguments):
    """Run Python with the packages of this tree."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def record_of(out, experiment):
    """The directory of the first finished run."""
    return sorted((out / "runs" / experiment).glob("*/record.json"))[0].parent


def first_complaint(tree, directory):
    """The first check of `ganbench verify` that is not well; empty if all are."""
    done = python(tree, "-m", "benchmark", "verify", directory, "--json")
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    bad = next((check for check in json.loads(done.stdout) if not check["ok"]), None)
    return f"{bad['subject']}: {bad['message']}" if bad else ""


def main():
    """Do what is not done, then print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="for trees, runs and the log")
    parser.add_argument("--tree", type=Path, default=ROOT, help="copied once, at the beginning")
    parser.add_argument("--revision", default="", help="what the table calls the tree")
    parser.add_argument(
        "--suite", type=Path, default=Path(__file__).with_name("planted.toml"), help="a .toml file"
    )
    parser.add_argument("--seeds", default="0-2", help="of the runs with a bug")
    parser.add_argument("--reference-seeds", default="0-4")
    parser.add_argument("--jobs", default="1")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    parser.add_argument("--only", nargs="+", default=[bug.name for bug in BUGS], metavar="BUG")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(ROOT)}")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.folder, given.tree, given.suite, given.seeds, given.reference_seeds, given.jobs)
    if "gate" in given.steps:
        bench.reference()
    for step in given.steps:
        for bug in BUGS:
            if bug.name in given.only:
                bench.step(bug, step)
    from planted_table import markdown

    text = markdown(bench.found(), given.revision or _revision(given.tree), vars(given))
    if given.write:
        DOCUMENT.write_text(text, encoding="utf-8")
    else:
        print(text)


def _revision(tree):
    done = subprocess.run(
        ["git", "-C", tree, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "no git checkout"


if __name__ == "__main__":
    main()
