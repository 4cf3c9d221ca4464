"""Plant one bug at a time in a copy of ganbench and write down what notices it.

``python tests/ci/planted.py --folder FOLDER --write`` makes docs/planted-bugs.md and docs/start-band.svg. The
clean copy makes what is accepted. Then, on another machine than that (simulated, `planted_trees.OTHER`):

    start    trains the first G-iterations; `ganbench check` compares them; without any bug in all of `ARMS`
    probe    computes the probes of the experiment in question and judges each half

and where asked for (--steps), on the same machine as the accepted runs,

    tests    runs the test files about the edited code, up to the first failure
    runs     trains the baseline with `--seeds`, as a pull request's run would
    verify   lets `ganbench verify` judge an accepted run
    gate     lets `ganbench check` compare the runs by value

Every step that is done is a line of FOLDER/planted.jsonl and is not done again.
"""

import argparse
import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from threading import Lock

from planted_bugs import BUGS
from planted_starts import PROBED, SPREAD, rows
from planted_trees import ARMS, OTHER, copy, make, python

ROOT = Path(__file__).parents[2]
DOCUMENT, PICTURE = ROOT / "docs" / "planted-bugs.md", ROOT / "docs" / "start-band.svg"
STEPS = ("start", "probe", "tests", "runs", "verify", "gate")
AFFORDABLE = ("start", "probe")


class Bench:
    """A folder with the clean tree, what it accepts, the copies with a bug, and what was found so far."""

    def __init__(self, given):
        self.folder, self.jobs = given.folder.absolute(), given.jobs
        self.suite, self.start_suite = given.suite.absolute(), given.start_suite.absolute()
        self.seeds, self.reference_seeds, self.start_seeds = (
            given.seeds,
            given.reference_seeds,
            given.start_seeds,
        )
        self.log, self.lock = self.folder / "planted.jsonl", Lock()
        self.clean = self.folder / "tree"
        if not self.clean.exists():
            copy(given.tree, self.clean)
        self.once("clean", "tree", lambda: {"revision": given.revision or revision(given.tree)})

    def found(self):
        """Everything in the log, by bug and step; the bug of the clean tree is called `clean`."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return {(entry["bug"], entry["step"]): entry for entry in map(json.loads, lines)}

    def once(self, bug, step, do):
        """Do a step that is not in the log yet."""
        if (bug, step) in self.found():
            return
        begin = time.monotonic()
        entry = {"bug": bug, "step": step, **do(), "wall_s": round(time.monotonic() - begin, 1)}
        with self.lock, self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry, ensure_ascii=False) + "\n")
        print(json.dumps(entry, ensure_ascii=False)[:300], flush=True)

    def out(self, name):
        return self.folder / "results" / name

    # --- What is accepted -------------------------------------------------------------------------------

    def accept(self, suite, out, seeds):
        """Clean runs of a suite and `ganbench accept`."""
        self.once("clean", f"runs of {out}", lambda: self.run(self.clean, suite, self.out(out), seeds))
        arguments = ("accept", suite, "--seeds", seeds, "--out", self.out(out), "--yes", "--allow-dirty")
        self.once("clean", f"accept {out}", lambda: done(python(self.clean, "-m", "benchmark", *arguments)))

    def accept_probes(self, bugs):
        """Probes of every experiment that a bug is looked for in."""
        names = sorted({bug.experiment for bug in bugs})
        options = ("--accept", "--reference", self.folder / "probes.json")
        command = ("-m", "benchmark", "probe", *names, *options)
        self.once("clean", "accept probes", lambda: done(python(self.clean, *command)))

    def spread(self):
        """Mean and sd over seeds of what the gate compares, of the accepted runs."""
        found = checked(python(self.clean, "-c", SPREAD, self.out("clean"), self.suite))
        return {"rows": json.loads(found.stdout)}

    def run(self, tree, suite, out, seeds, *patterns, env=None, jobs=None):
        narrowed = [part for pattern in patterns for part in ("--experiment", pattern)]
        options = ("--seeds", seeds, "--device", "cpu", "--jobs", jobs or self.jobs, "--no-report")
        command = ("-m", "benchmark", "run", suite, *narrowed, *options, "--out", out)
        return done(python(tree, *command, env=env), 0, 3)

    def check(self, tree, suite, reference, out, seeds, *patterns, env=None):
        """What `ganbench check` says, with the decisions of its gate."""
        narrowed = [part for pattern in patterns for part in ("--experiment", pattern)]
        options = (
            "--against",
            "reference",
            "--json",
            "--seeds",
            seeds,
            "--out",
            out,
            "--reference",
            reference,
        )
        command = ("-m", "benchmark", "check", suite, *narrowed, *options)
        found = checked(python(tree, *command, env=env), 0, 1, 3)
        said = json.loads(found.stdout)
        return {
            "exit": found.returncode,
            "conclusion": said["conclusion"],
            "gate": said.get("gate", {"decisions": []}),
        }

    def accepted(self, suite, out):
        return self.out(out) / "reference" / f"{suite.stem}.json"

    # --- On another machine -----------------------------------------------------------------------------

    def start(self, bug, tree):
        """Seeds one after the other until one departs, as more change nothing about that."""
        seeds = numbers(self.start_seeds)
        for n in dict.fromkeys((1, len(seeds))):
            asked = ",".join(map(str, seeds[:n]))
            entry = self.started(tree, self.out(f"{bug.name}-start"), asked, bug.experiment, arm=OTHER)
            if entry["exit"] == 3 or any(d["outcome"] == "departed" for d in entry["gate"]["decisions"]):
                break
        return entry

    def started(self, tree, out, seeds, *patterns, arm):
        self.run(tree, self.start_suite, out, seeds, *patterns, env=arm.env, jobs=1)
        reference = self.accepted(self.start_suite, "clean-start")
        entry = self.check(tree, self.start_suite, reference, out, seeds, *patterns, env=arm.env)
        return {**entry, "seeds": seeds, "starts": rows(self.out("clean-start"), out)}

    def alarms(self, arm):
        """Of the clean code in an arm."""
        tree = make(self.clean, self.folder / "trees" / arm.name, arm)
        return self.started(tree, self.out(arm.name), self.start_seeds, arm=arm)

    def probe(self, bug, tree):
        return self.probed(tree, [bug.experiment])

    def probed(self, tree, names):
        reference = self.folder / "probes.json"
        found = checked(python(tree, "-c", PROBED, reference, *names, "scores", env=OTHER.env))
        return {"findings": json.loads(found.stdout)}

    def probe_clean(self, bugs):
        tree = make(self.clean, self.folder / "trees" / "probe", OTHER)
        return self.probed(tree, sorted({bug.experiment for bug in bugs}))

    # --- On the same machine ----------------------------------------------------------------------------

    def tests(self, bug, tree):
        found = python(tree, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *bug.test_files)
        lines = checked(found, 0, 1).stdout.splitlines()
        failed = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
        return {"failed": failed[0].split()[1] if failed else "", "files": len(bug.test_files)}

    def runs(self, bug, tree):
        return self.run(tree, self.suite, self.out(bug.name), self.seeds, bug.experiment, jobs=1)

    def verify(self, bug, tree):
        """What `verify` says first against an accepted run."""
        return {"accepted_run": first_complaint(tree, record_of(self.out("clean"), bug.experiment))}

    def gate(self, bug, tree):
        reference = self.accepted(self.suite, "clean")
        return self.check(tree, self.suite, reference, self.out(bug.name), self.seeds, bug.experiment)

    # --- All of it --------------------------------------------------------------------------------------

    def do(self, bugs, steps, arms):
        """Everything that is asked for, `jobs` at a time."""
        if {"runs", "verify", "gate"} & set(steps):
            self.accept(self.suite, "clean", self.reference_seeds)
            self.once("clean", "spread", self.spread)
        if "start" in steps:
            self.accept(self.start_suite, "clean-start", self.start_seeds)
        if "probe" in steps:
            self.accept_probes(bugs)
        tasks = [lambda bug=bug: self.ask(bug, steps) for bug in bugs]
        if "start" in steps:
            tasks += [lambda arm=arm: self.once(arm.name, "start", lambda: self.alarms(arm)) for arm in arms]
        if "probe" in steps:
            tasks.append(lambda: self.once(OTHER.name, "probe", lambda: self.probe_clean(bugs)))
        with ThreadPoolExecutor(self.jobs) as threads:
            running = [threads.submit(task) for task in tasks]
            for one in as_completed(running):
                if one.exception():
                    threads.shutdown(wait=False, cancel_futures=True)
                one.result()

    def ask(self, bug, steps):
        trees = (
            self.folder / "trees" / f"{bug.name}-{os.getpid()}"
        )  # of one process: another may do other steps

        @cache
        def tree(arm):
            return make(self.clean, trees / (arm.name if arm else "same machine"), arm, bug)

        for step in STEPS:
            if step in steps and (bug.runs or step in ("probe", "tests")):
                arm = OTHER if step in AFFORDABLE else None
                do = getattr(self, step)
                self.once(bug.name, step, lambda do=do, arm=arm: do(bug, tree(arm)))
        shutil.rmtree(trees, ignore_errors=True)


def checked(process, *codes):
    """A process that ended with one of the exit codes, 0 unless given."""
    if process.returncode not in (codes or (0,)):
        raise RuntimeError(f"exit {process.returncode}: {process.stdout[-2000:]}{process.stderr[-2000:]}")
    return process


def done(process, *codes):
    return {"exit": checked(process, *codes).returncode}


def numbers(seeds):
    """Seeds as `0-2` or `0,3` has them."""
    parts = [part.partition("-") for part in seeds.split(",")]
    return [n for first, _, last in parts for n in range(int(first), int(last or first) + 1)]


def record_of(out, experiment):
    """The directory of the first finished run."""
    return sorted((out / "runs" / experiment).glob("*/record.json"))[0].parent


def first_complaint(tree, directory):
    """The first check of `ganbench verify` that is not well; empty if all are."""
    found = checked(python(tree, "-m", "benchmark", "verify", directory, "--json"), 0, 1)
    bad = next((check for check in json.loads(found.stdout) if not check["ok"]), None)
    return f"{bad['subject']}: {bad['message']}" if bad else ""


def revision(tree):
    asked = ["git", "-C", tree, "describe", "--always", "--dirty"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no git checkout"


def main():
    """Do what is not done, then print or write the table."""
    here = Path(__file__)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="for trees, runs and the log")
    parser.add_argument("--tree", type=Path, default=ROOT, help="copied once, at the beginning")
    parser.add_argument("--revision", default="", help="what the table calls the tree")
    parser.add_argument("--suite", type=Path, default=here.with_name("planted.toml"), help="of `runs`")
    parser.add_argument("--start-suite", type=Path, default=here.with_name("planted-start.toml"))
    parser.add_argument("--seeds", default="0-2", help="of the runs with a bug that are compared by value")
    parser.add_argument("--reference-seeds", default="0-4", help="of the accepted ones")
    parser.add_argument("--start-seeds", default="0-2", help="of short runs, accepted ones and others")
    parser.add_argument("--jobs", type=int, default=1, help="processes that compute")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=AFFORDABLE)
    parser.add_argument("--only", nargs="+", default=[bug.name for bug in BUGS], metavar="BUG")
    arms = [arm.name for arm in ARMS]
    parser.add_argument("--arms", nargs="*", choices=arms, default=arms, help="machines without a bug")
    parser.add_argument("--write", action="store_true", help=f"{DOCUMENT.relative_to(ROOT)} and the picture")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(given)
    bench.do(
        [bug for bug in BUGS if bug.name in given.only],
        given.steps,
        [arm for arm in ARMS if arm.name in given.arms],
    )
    from planted_picture import band
    from planted_table import markdown

    text = markdown(bench.found(), vars(given))
    if given.write:
        DOCUMENT.write_text(text, encoding="utf-8")
        PICTURE.write_text(band(bench.found()), encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
