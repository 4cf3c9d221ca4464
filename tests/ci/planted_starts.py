"""How far starts are from the accepted ones, and what `planted.py` lets the trees compute themselves."""

import json
from pathlib import Path

from benchmark.judging import starts

PROBED = """
import json, sys
from pathlib import Path
from benchmark.engines.probing import pool
from benchmark.judging import probe_file, probes
from benchmark.records import environment

OURS = ("settings", "initial_weights", "resumes", "portable", "portable_scores")
THEIRS = ("float32", "float64", "scores")
accepted, _ = probe_file.read(Path(sys.argv[1]))
here = environment.describe("cpu")
found = []
for name, result in pool.compute({n: accepted[n].get("plan") for n in sys.argv[2:]}, 1).items():
    def judged(without):
        then, now = ({k: v for k, v in one.items() if k not in without} for one in (accepted[name], result))
        return probes.judge(name, then, now, here)
    ours, theirs = judged(THEIRS), judged(OURS)
    found.append({**judged(()).as_dict(), "portable": ours.reason, "faithful": theirs.reason})
print(json.dumps(found))
"""
"""Arguments: the accepted probes, experiments. What is said of each, and of each half alone."""

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
"""Arguments: a results folder, its suite. Mean and sd over seeds of what the gate compares."""


def rows(accepted, current):
    """One row for each run below the results folder `current` whose experiment and seed were accepted.

    `by_range`: at G-iteration 1, 2 …, the largest |difference| / R of a loss; `tolerances`: the largest
    of all that is compared, as a multiple of its tolerance, and `what` that is.
    """
    then = {(r["experiment"], r["seed"]): r for r in _records(accepted)}
    found = []
    for now in _records(current):
        before = then.get((now["experiment"], now["seed"]))
        if before is None:
            continue
        off = max(starts.differences(before, now), key=lambda pair: pair[1], default=("", 0.0))
        found.append(
            {
                "experiment": now["experiment"],
                "seed": now["seed"],
                "by_range": starts.by_range(before, now),
                "tolerances": min(off[1], 1e300),
                "what": off[0],
            }
        )
    return sorted(found, key=lambda row: (row["experiment"], row["seed"]))


def _records(out):
    return [json.loads(path.read_text(encoding="utf-8")) for path in Path(out).glob("runs/**/record.json")]
