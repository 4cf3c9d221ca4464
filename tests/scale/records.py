"""Commands on thousands of records: ``python tests/scale/records.py 100 1000 10000 [--write]``.

The records are copies of five real ones: each has another seed, the ids that belong to it, scores moved by a
thousandth at most, losses and digests of its own, and is sealed again. Pictures are hard links. `--write`
puts the table into docs/scale.md. CPU seconds (user and system) and peak memory are those of the command's
process, the least of three calls; wall time on a busy machine says less.
"""

import argparse
import functools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save

from benchmark.records import identity, loss_file, record, store

sys.path.append(str(Path(__file__).parents[1] / "reliability"))
import document

SUITE = Path(__file__).with_name("copied.toml")
DOCUMENT = Path(__file__).parents[2] / "docs" / "scale.md"
REPEATS = 3
COMMANDS = {
    "plan": ["plan", "--device", "cpu", "--json"],
    "status": ["status", "--device", "cpu"],
    "status, of other code": ["status", "--device", "cpu"],
    "status, environment not known": ["status", "--device", "cuda"],
    "accept": ["accept", "--yes", "--allow-dirty"],
    "check": ["check"],
    "report": ["report", "--device", "cpu"],
}


class Cost(NamedTuple):
    """CPU and wall seconds, and MiB at most."""

    cpu_s: float
    wall_s: float
    peak_mib: float


def copied(original, losses, seed):
    """The record of the same run under another seed, with these losses."""
    rng = random.Random(f"{original['run_id']} {seed}")
    spec = {**original["spec"], "seed": seed}
    curve = [
        {
            **point,
            "scores": {
                p: {m: moved(x, rng) for m, x in found.items()} for p, found in point["scores"].items()
            },
        }
        for point in original["curve"]
    ]
    weights = {
        name: identity.digest([old, seed])
        for name, old in original["digests"].items()
        if name.endswith("_weights")
    }
    return record.sealed(
        {
            **original,
            "seed": seed,
            "run_id": identity.run_id(spec),
            "spec": spec,
            "curve": curve,
            "final": {"gen_iters": original["gen_iters"], "scores": curve[-1]["scores"]},
            "digests": {**original["digests"], **weights, "losses": loss_file.digest(losses)},
        }
    )


def moved(value, rng):
    """A score a little off."""
    return None if value is None else value * (1 + 1e-3 * rng.uniform(-1, 1))


def of_other_code(original):
    """The record as if one of its sources had been another."""
    sources = original["spec"]["sources"]
    spec = {**original["spec"], "sources": {**sources, next(iter(sources)): "0" * 64}}
    return {**original, "spec": spec, "cell_id": identity.cell_id(spec)}


def fill(out, originals, n, change=lambda content: content):
    """A results folder with n records, equally many of each original."""
    for directory in originals:
        content, losses = change(store.load_record(directory)), losses_of(directory)
        for seed in range(n // len(originals)):
            own = {name: column * np.float32(1 + 1e-6 * seed) for name, column in losses.items()}
            new = copied(content, own, seed)
            to = store.run_directory(out, new["experiment"], new["run_id"], new["env_id"])
            (to / "samples").mkdir(parents=True)
            for name, text in (("record", new), ("spec", new["spec"])):
                (to / f"{name}.json").write_text(
                    json.dumps(text, indent=1, ensure_ascii=False), encoding="utf-8"
                )
            (to / loss_file.NAME).write_bytes(save(own))  # `loss_file.write` waits for the disk
            for picture in (directory / "samples").iterdir():
                os.link(picture, to / "samples" / picture.name)


@functools.cache
def losses_of(directory):
    """The losses of the real run."""
    return loss_file.read(directory, store.load_record(directory))


def cost_of(command):
    """Of one call in a process of its own."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}: {said}")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - begin, used.ru_maxrss / 1024)


def measured(originals, n, folder, repeats):
    """The cost of each command on n records."""
    now, then = folder / f"now-{n}", folder / f"then-{n}"
    fill(now, originals, n)
    fill(then, originals, n, of_other_code)
    seeds = ["--seeds", f"0-{n // len(originals) - 1}"]
    found = {}
    for name, (verb, *options) in COMMANDS.items():
        out = ["--out", then if "other code" in name else now]
        calls = [
            cost_of([verb, SUITE, *options, *seeds, *out]) for _ in range(1 if verb == "accept" else repeats)
        ]
        found[name] = min(calls)
        print(f"{name} of {n}: {found[name]}", flush=True)
    return found


def table(costs):
    """Rows of commands, columns of numbers of records."""
    sizes = list(costs)
    lines = [
        "| command | " + " | ".join(f"{n:,} records".replace(",", " ") for n in sizes) + " |",
        "|---" * (len(sizes) + 1) + "|",
    ]
    for name in COMMANDS:
        cells = [f"{costs[n][name].cpu_s:.1f} s, {costs[n][name].peak_mib:.0f} MiB" for n in sizes]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="+", help="Numbers of records, multiples of five.")
    parser.add_argument(
        "--source", type=Path, help="Results folder with the five runs, instead of making them."
    )
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--write", action="store_true", help="Put the table into docs/scale.md.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(
        prefix="ganbench-scale-", dir=given.source and given.source.parent
    ) as name:
        source = given.source or Path(name) / "source"
        cost_of(["run", SUITE, "--device", "cpu", "--no-report", "--out", source])
        originals = sorted(path.parent for path in source.rglob("record.json"))
        found = table({n: measured(originals, n, Path(name), given.repeats) for n in given.sizes})
    print(found)
    if given.write:
        document.replace("records", found, DOCUMENT)


if __name__ == "__main__":
    main()
