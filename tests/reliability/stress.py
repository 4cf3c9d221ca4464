"""Kill runs of the five baselines at random, let them go on, and compare every bit with a run left alone.

``python tests/reliability/stress.py --kills 100 --write`` puts the result into docs/reliability.md. A trial
is a new run that dies one to three times and is then left to finish. It may die of SIGKILL, SIGTERM or SIGINT
at a random line of ganbench's own code, of SIGKILL at a random time (inside torch, mostly), or of a power
cut at a random line or disk access: SIGKILL, and what had not been synced to the disk is lost in part.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import document

from benchmark.engines import worker
from benchmark.records import identity, loss_file, provenance, record, store
from benchmark.suites import Suite
from benchmark.suites.spec import spec_without_seed
from benchmark.training import numerics

EXPERIMENTS = tuple(f"{baseline}/digits" for baseline in ("gan", "dcgan", "wgan", "wgan_gp", "sngan"))
BUDGET = 24
SUITE = Suite("stress", "", EXPERIMENTS, (0,), BUDGET, 8, ("digits-2k",))
CADENCE = {"gen_iters": 5}
DEATHS = {
    "SIGKILL at a line": ("line", signal.SIGKILL),
    "SIGTERM at a line": ("line", signal.SIGTERM),
    "SIGINT at a line": ("line", signal.SIGINT),
    "SIGKILL at a time": ("time", signal.SIGKILL),
    "power cut at a line": ("line", signal.SIGKILL),
    "power cut at a disk access": ("io", signal.SIGKILL),
}


@dataclasses.dataclass(frozen=True)
class Whole:
    """A run left alone: what has to come out, and how much there is to interrupt."""

    spec: dict
    bits: tuple
    lines: int
    calls: int
    wall_s: float


def victim(directory, kind="never", at=0, number=signal.SIGKILL, kill_after_s=None):
    """Run the worker, which may die; returns its exit code and what it noted."""
    log = directory.with_name(directory.name + ".log")
    process = subprocess.Popen(
        [
            sys.executable,
            Path(__file__).with_name("victim.py"),
            kind,
            str(at),
            log,
            directory,
            json.dumps(CADENCE),
        ],
        env={**numerics.child_environment(), "SIGNAL": str(int(number))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        stderr = process.communicate(timeout=kill_after_s)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        stderr = process.communicate()[1]
    if process.returncode > 0 and process.returncode != worker.STOPPED:
        raise SystemExit(f"{directory}: {stderr.decode()}")
    return process.returncode, [line.split("\t") for line in log.read_text().splitlines()]


def bits(directory):
    """Everything that has to be equal: record, losses, the last checkpoint's tensors, grids, no litter."""
    from benchmark.training import checkpoint

    content = store.read_record(directory)
    _, tensors = checkpoint.read(checkpoint.available(directory / "checkpoints")[0])
    grids = {name: (directory / name).read_bytes() for name in content["samples"]}
    litter = [path.name for path in directory.rglob("*.tmp")]
    losses = (directory / loss_file.NAME).read_bytes()
    text = identity.canonical(record.comparable_part(content))
    return text, losses, checkpoint.digest(tensors), grids, litter


def start(folder, spec):
    """A run directory that no worker has seen."""
    directory = Path(tempfile.mkdtemp(dir=folder)) / "run"
    directory.mkdir()
    (directory / "spec.json").write_text(json.dumps(spec))
    return directory


def whole(folder, spec):
    """Make the run left alone."""
    directory, begin = start(folder, spec), time.monotonic()
    code, notes = victim(directory)
    assert code == 0
    ((_, lines, calls),) = (note for note in notes if note[0] == "counted")
    return Whole(spec, bits(directory), int(lines), int(calls), time.monotonic() - begin)


def cut_power(directory, notes, chance):
    """Take away what had not reached the disk: renames perhaps, unsynced content down to a random length."""
    synced = {int(note[1]): int(note[2]) for note in notes if note[0] == "file"}
    last_sync = max((i for i, note in enumerate(notes) if note[0] == "directory"), default=-1)
    for kind, *rest in reversed(notes[last_sync + 1 :]):
        if kind == "renamed" and chance.random() < 0.5:
            target, before = map(Path, rest)
            target.unlink()
            if before.exists():
                os.link(before, target)
    for path in directory.rglob("*"):
        if path.is_file() and path.name != "spec.json":
            status = path.stat()
            kept = synced.get(status.st_ino, 0)
            if status.st_size > kept:
                os.truncate(path, chance.randint(kept, status.st_size))
    # What is there now has survived the cut, so the next one cannot take it.
    with directory.with_name("run.log").open("a") as log:
        log.write("directory\n")
        for path in directory.rglob("*"):
            log.write(f"file\t{path.stat().st_ino}\t{path.stat().st_size}\n")


def trial(folder, expected, deaths, chance):
    """Whether a run that dies these deaths ends with the expected bits; and how often it really died."""
    directory, died = start(folder, expected.spec), Counter()
    for death in deaths:
        kind, number = DEATHS[death]
        if kind == "time":
            code, notes = victim(directory, kill_after_s=chance.uniform(0.1, expected.wall_s))
        else:
            at = chance.randint(1, expected.lines if kind == "line" else expected.calls)
            code, notes = victim(directory, kind, at, number)
        if code:  # else the run, which others had begun, was over before the moment came
            died[death] += 1
            if death.startswith("power"):
                cut_power(directory, notes, chance)
    while not (directory / "record.json").exists() or store.read_record(directory) is None:
        assert victim(directory)[0] == 0
    equal = bits(directory) == expected.bits
    if equal:
        shutil.rmtree(directory.parent)
    return directory, died, equal


def main():
    """Make the trials and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="how many deaths, at least")
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ganbench-stress-"))
    died, planned, trials, unequal = Counter(), 0, Counter(), []
    specs = {name: {**spec_without_seed(SUITE, name, "cpu"), "seed": 0} for name in EXPERIMENTS}

    def one(i):
        name = EXPERIMENTS[i % len(EXPERIMENTS)]
        own = random.Random(f"{arguments.seed}-{i}")
        return name, trial(folder, references[name], own.choices(list(DEATHS), k=own.randint(1, 3)), own)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        references = dict(zip(specs, pool.map(lambda spec: whole(folder, spec), specs.values()), strict=True))
        while died.total() < arguments.kills:
            batch = range(planned, planned := planned + 2 * len(EXPERIMENTS))
            for name, (directory, deaths, equal) in pool.map(one, batch):
                trials[name] += 1
                died.update({(name, death): n for death, n in deaths.items()})
                if not equal:
                    unequal.append((name, directory))
            print(
                f"{died.total()} deaths in {trials.total()} runs, {len(unequal)} not equal", file=sys.stderr
            )
    rows = [
        (
            name,
            trials[name],
            *(died[name, death] for death in DEATHS),
            trials[name] - sum(n == name for n, _ in unequal),
        )
        for name in EXPERIMENTS
    ]
    rows.append(("all", *(sum(row[i] for row in rows) for i in range(1, len(rows[0])))))
    text = (
        f"{died.total()} deaths in {trials.total()} runs; {trials.total() - len(unequal)} of the runs ended "
        f"with the bits of one left alone. ({BUDGET} G-iterations, evaluated every {SUITE.evaluate_every}, a "
        f"checkpoint every {CADENCE['gen_iters']}; "
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {_revision()}, torch {provenance.packages()['torch']}, "
        f"`python tests/reliability/stress.py --kills {arguments.kills} --seed {arguments.seed}`)\n\n"
        + document.table(("experiment", "runs", *DEATHS, "equal bit for bit"), rows)
    )
    print(text)
    for name, directory in unequal:
        print(f"not equal: {name} in {directory}", file=sys.stderr)
    if arguments.write and not unequal:
        document.replace("stress", text)
    return 1 if unequal else 0


def _revision():
    git = provenance.git()
    return "no git checkout" if git is None else git["sha"][:12] + (" with changes" if git["dirty"] else "")


if __name__ == "__main__":
    sys.exit(main())
