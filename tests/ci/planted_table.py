"""docs/planted-bugs.md, from the log that `planted.py` writes."""

import json
import shlex
from collections import Counter
from pathlib import Path

from planted_bugs import BUGS
from planted_trees import ARMS, OTHER

from benchmark.judging.probes import FAILING
from benchmark.judging.starts import GEN_ITERS, share

INTRODUCTION = """\
# Planted bugs, and what notices them

![Difference to the accepted losses in the first ten G-iterations: legitimate environments stay below the \
tolerance, bugs leave it](start-band.svg)

One bug at a time was put into a copy of ganbench ({revision}), and the gate was asked on another machine
than that of the accepted runs. It is simulated: {other}.
Two things look at it:

* **start**: `ganbench check` of the first {n_iters} G-iterations of seed {first_seed}, and of seeds
  {start_seeds} where that one does not depart, against accepted ones of the clean code. Named are the loss or
  score that is off and by how many tolerances.
* **probe**: `ganbench probe` of one experiment, on drawn images, and of the scores. **Bits** is its half in
  portable numerics, which is equal on every machine unless our code changed; the other half is computed by
  the library.

*Statistics* are what final scores over seeds say: below the table. Bold is what fails. Where the experiment's
data are not embedded there is no start; the experiment is named.

"""
READING = """
## No false alarms

The clean code in environments that are legitimate, five experiments and {n_seeds} seeds each, against the
same accepted runs. *Worst* is the largest difference, as a multiple of what may differ: of losses, and of all
that is compared:

{alarms}

{probes}

## How to read it

`check` compares what a run computes first, so it sees at once what every update does, and never what acts
late: the end of a decay, the order of a later epoch, a run that is continued. Those are what probes start
late for. Probes in turn do not see the data, nor any seed but 0.

A library that computes something else under an unchanged version leaves the portable half as it is where that
has a function of its own (softplus): `theirs` is the answer. What the portable half takes from the library as
exact (leaky ReLU) shows in both, with sources that did not change.
{statistics}
## Make it again

```
{command}
```

Everything above but statistics is of one tree, {revision}.
"""
STATISTICS = """
*Statistics* are {n_bug} seeds trained with the bug ({seeds}) against {n_reference} accepted ones
({reference_seeds}) in `tests/ci/planted.toml`, by value alone, on one machine. `no-evidence` means that the
difference is not larger than seeds make it, *not* that there is none. Rows that name a commit are of an
earlier table, made with that commit, whose draws were others. `unchanged` of runs that were bit for bit the
accepted ones says that the bug does not reach them. Where the data are not embedded nothing was run.
"""
SPREADS = """
The spread over seeds is what limits it:

{spreads}
"""
EARLIER = json.loads(Path(__file__).with_name("planted_statistics.json").read_text(encoding="utf-8"))
"""Statistics of the table of another revision, by bug and metric."""
OPTIONAL = {
    "tests": ("tests", lambda e: f"`{short(e['failed'])}`" if e["failed"] else "not detected"),
    "verify": ("`verify`", lambda e: e["accepted_run"].split(":")[0] or "not detected"),
}
"""Columns of steps that are not always run: there if one was."""


def markdown(found, options):
    """The page; what was not run says so."""
    extra = [step for step in OPTIONAL if any((bug.name, step) in found for bug in BUGS)]
    columns = ("bug", "edited", "bits", "start", "probe", "statistics")
    header = (*columns, *(OPTIONAL[step][0] for step in extra))
    rows = [row(bug, found, extra) for bug in BUGS]
    names = {
        **{key: options[key] for key in ("seeds", "reference_seeds", "start_seeds")},
        "n_bug": count(options["seeds"]),
        "n_reference": count(options["reference_seeds"]),
        "n_seeds": count(options["start_seeds"]),
        "n_iters": gen_iters(options["start_suite"]),
        "first_seed": options["start_seeds"].split("-")[0].split(",")[0],
        "revision": found["clean", "tree"]["revision"],
        "other": OTHER.what,
    }
    command = ["python", "tests/ci/planted.py", "--folder", "FOLDER", "--jobs", "2", "--write"]
    statistics = STATISTICS.format(**names)
    if ("clean", "spread") in found:
        statistics += SPREADS.format(spreads=spreads(found))
    return (
        INTRODUCTION.format(**names)
        + counts(found)
        + table([header, *rows])
        + unseen(found)
        + READING.format(
            **names,
            alarms=alarms(found),
            probes=control(found),
            statistics=statistics,
            command=shlex.join(command),
        )
    )


def counts(found):
    """How many of the bugs each half of the gate noticed."""
    started = [bug for bug in BUGS if (bug.name, "start") in found]
    by_start = [bug for bug in started if fails(found[bug.name, "start"])]
    probed = [bug for bug in BUGS if (bug.name, "probe") in found]
    by_probe = [bug for bug in probed if failing(found[bug.name, "probe"])]
    by_bits = [bug for bug in probed if half(found[bug.name, "probe"], "portable").startswith("**differ")]
    either = {bug.name for bug in (*by_start, *by_probe)}
    return (
        f"Of {len(BUGS)} bugs the gate noticed **{len(either)}**: starts {len(by_start)} of the "
        f"{len(started)} that were run, probes {len(by_probe)} of {len(probed)} "
        f"({len(by_bits)} by their bits).\n\n"
    )


def row(bug, found, extra):
    what = f"`{bug.name}`: {bug.what}" + ("" if bug.runs else f" (`{bug.experiment}`)")
    start, probe = found.get((bug.name, "start")), found.get((bug.name, "probe"))
    cells = [
        OPTIONAL[step][1](found[bug.name, step]) if (bug.name, step) in found else "not run" for step in extra
    ]
    return (
        what,
        f"`{bug.path}`",
        "not run" if probe is None else half(probe, "portable"),
        "no data" if not bug.runs else "not run" if start is None else starts_as(start),
        "not run" if probe is None else outcome(probe),
        by_statistics(bug, found),
        *cells,
    )


def departed(start):
    return [d for d in start["gate"]["decisions"] if d["outcome"] == "departed"]


def fails(start):
    """Whether the runs failed, or one departs."""
    return start["exit"] == 3 or bool(departed(start))


def starts_as(start):
    """What `check` says of how runs start, and in what else it fails."""
    others = {"failed", "diverged", "missing", "nondeterministic"}
    told = dict.fromkeys(d["outcome"] for d in start["gate"]["decisions"] if d["outcome"] in others)
    also = "".join(f"; {name}" for name in told)
    if start["exit"] == 3:
        return f"**{start['conclusion'].split(': ', 1)[-1]}**"
    if found := departed(start):
        return f"**departed**: {short_reason(found[0]['reason'])}{also}"
    return f"as accepted (seeds {start['seeds']}){also}"


def short_reason(reason):
    """The first seed, what is off and by how many tolerances, without the values."""
    what, off, _ = reason.split(": ", 1)[-1].partition(" tolerances off ")
    return what + off.rstrip()


def failing(probe):
    return [f for f in probe["findings"] if f["outcome"] in FAILING]


def half(probe, which):
    """The first that differs in one half; of the experiment before the scores."""
    if any(f["outcome"] == "failed" for f in probe["findings"]):
        return "not computed"
    told = (f[which].split(";")[0] for f in probe["findings"] if f[which])
    return next((f"**differ**: {one}" for one in told), "equal")


def outcome(probe):
    """The outcome, and which halves differ."""
    bad = failing(probe)
    if not bad:
        return "unchanged"
    if bad[0]["outcome"] == "failed":
        return f"**failed**: {bad[0]['reason']}"
    halves = [name for name in ("portable", "faithful") if any(f[name] for f in bad)]
    which = "both halves" if len(halves) == 2 else f"{halves[0]} half alone" if halves else bad[0]["reason"]
    faithful = next((f["faithful"] for f in bad if f["faithful"]), "")
    where = " (scores)" if all(f["experiment"] == "scores" for f in bad) else ""
    return f"**{bad[0]['outcome']}**{where}: {which}" + (f"; {faithful.split(';')[0]}" if faithful else "")


def unseen(found):
    """Bugs that nothing noticed, with the reason."""
    lines = [
        f"* `{bug.name}`: {bug.unseen or 'not explained.'}"
        for bug in BUGS
        if {(bug.name, "probe")} <= found.keys()
        and not failing(found[bug.name, "probe"])
        and not ((bug.name, "start") in found and fails(found[bug.name, "start"]))
    ]
    return "\nNot noticed:\n\n" + "\n".join(lines) + "\n" if lines else ""


def alarms(found):
    """A line for every arm: outcomes of its experiments, and the worst difference."""
    lines = []
    for arm in ARMS:
        entry = found.get((arm.name, "start"))
        if entry is None:
            lines.append((f"{arm.name}: {arm.what}", "not run", "", "", "", ""))
            continue
        runs = entry["starts"]
        per_outcome = Counter(d["outcome"] for d in entry["gate"]["decisions"])
        loss, whose = max((worst_loss(r), f"{r['experiment']}, seed {r['seed']}") for r in runs)
        worst = max(runs, key=lambda r: r["tolerances"])
        lines.append(
            (
                f"{arm.name}: {arm.what}",
                len(runs),
                len(departed(entry)),
                ", ".join(f"{n} {name}" for name, n in sorted(per_outcome.items())),
                f"{loss:.2g} ({whose})",
                f"{worst['tolerances']:.2g} ({worst['what'].partition(' is ')[0]})",
            )
        )
    header = (
        "environment",
        "runs",
        "departed",
        "outcomes (experiment × metric)",
        "worst loss",
        "worst of all",
    )
    return table([header, *lines]).strip()


def worst_loss(run):
    """In tolerances, over losses and G-iterations."""
    return max((x or 0.0) / share(k) for k, x in enumerate(run["by_range"][:GEN_ITERS], 1))


def control(found):
    """What probes say of the clean code on the other machine."""
    entry = found.get((OTHER.name, "probe"))
    if entry is None:
        return "Probes of the clean code there: not run."
    outcomes = Counter(f["outcome"] for f in entry["findings"])
    text = ", ".join(f"{n} {name}" for name, n in outcomes.items())
    which = "of every experiment in the table above and of the scores"
    return f"Probes of the clean code on the {OTHER.name}, {which}: {text}."


def by_statistics(bug, found):
    """What statistics say of each metric, here or in an earlier table."""
    if (bug.name, "gate") in found:
        decisions = found[bug.name, "gate"]["gate"]["decisions"]
        outcomes = [(d["metric"], d["outcome"]) for d in decisions if d["metric"] not in ("", "start")]
        made = ""
    elif bug.name in EARLIER["outcomes"]:
        outcomes = EARLIER["outcomes"][bug.name].items()
        made = f" ({EARLIER['revision']})"
    else:
        return "not measured" if bug.runs else "no data"
    passed = ("unchanged", "no-evidence", "improved")
    texts = [f"{metric}: " + (told if told in passed else f"**{told}**") for metric, told in outcomes]
    return "; ".join(dict.fromkeys(texts)) + made


def short(test):
    """File and function, without folders and parameters."""
    path, _, name = test.partition("::")
    return f"{path.rsplit('/', 1)[-1]}::{name.split('[')[0]}"


def spreads(found):
    """Reference means and standard deviations as the clean tree's step wrote them down."""
    entry = found["clean", "spread"]
    return table([("experiment", "metric", "mean", "sd", "sd / mean"), *entry["rows"]]).strip()


def gen_iters(suite):
    import tomllib

    return tomllib.loads(suite.read_text(encoding="utf-8"))["gen_iters"]


def count(seeds):
    """How many seeds `0-4` or `0,2` are."""
    parts = [part.partition("-") for part in seeds.split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in parts)


def table(rows):
    header, *body = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *body)) + "\n"
