"""docs/planted-bugs.md, from the log that `planted.py` writes."""

import shlex

from planted_bugs import BUGS

INTRODUCTION = """\
# Planted bugs, and what notices them

One bug at a time was put into a copy of ganbench, and everything that should notice it was asked:

* **tests**: the test files about the baseline, up to the first failure; named is the test that failed first.
* **`verify`**: `ganbench verify` of an accepted run, with the code that has the bug.
* **gate**: `ganbench check --against reference`: {n_bug} seeds trained with the bug ({seeds}) against
  {n_reference} accepted ones ({reference_seeds}) of the clean code, on a CPU, in the suite
  `tests/ci/planted.toml`. Bold is what fails it; `improved` passes with a warning.

"""
READING = """
## How to read it

An edit of a source that decides numbers gives every run another `run_id`, so the gate's bitwise path has
nothing to compare: what it says of such a bug is statistics over {n_bug} and {n_reference} seeds.
`no-evidence` means that the difference is not larger than seeds make it, *not* that there is none. Only a
change that `run_id` does not cover, such as a library's, meets the accepted bits (`nondeterministic`),
however small it is. A changed *setting* is another cell, so the accepted one is `missing`.

`verify` never judges a method. Of a run that other code made it says that the code has changed, which is true
of a bug and of a comment alike; a run that a bug made is consistent with that bug: {own_run}

The spread over seeds in this suite is what limits the gate (reference, mean over the last evaluations of a
run):

{spreads}

Under Holm's rule for two metrics, 3 runs against 5 have to differ by about 1.8 of these standard deviations
(t_{{.975, 6}} · √(1/5 + 1/3)). More seeds see smaller differences.

The suite is short, so that it fits a CPU; the experiments are far from what they can reach in it, and a
bug that only shows late in training cannot show here at all. GAN has 1 200 G-iterations since a first attempt
with 400, as in `quick`: there only `gan.scaling` of its four bugs was noticed by the gate. Nothing else was
changed after a look at results.

## Make it again

```
{command}
```

Code: {revision}. The steps above took {minutes:.0f} minutes of wall time in all, on two cores shared with
other work; the reference is not in that.
"""
PASSED = ("unchanged", "no-evidence", "improved")


def markdown(found, revision, options):
    """The page; what was not run says so."""
    rows = [row(bug, found) for bug in BUGS if any((bug.name, step) in found for step in ("tests", "gate"))]
    header = ("bug", "edited", "tests", "`verify`", "gate", "what the gate says")
    by_tests, by_gate = sum("::" in r[2] for r in rows), sum("**" in r[4] for r in rows)  # bold is what fails
    neither = sum("::" not in r[2] and "**" not in r[4] for r in rows)
    counts = (
        f"Of {len(rows)} bugs tests noticed {by_tests}, the gate {by_gate}; neither noticed {neither}.\n\n"
    )
    names = {
        "seeds": options["seeds"],
        "reference_seeds": options["reference_seeds"],
        "n_bug": count(options["seeds"]),
        "n_reference": count(options["reference_seeds"]),
    }
    own = found.get((BUGS[0].name, "verify"), {}).get("own_run")
    command = [
        *("python", "tests/ci/planted.py", "--folder", "FOLDER", "--seeds", options["seeds"]),
        *("--reference-seeds", options["reference_seeds"], "--write"),
    ]
    return (
        INTRODUCTION.format(**names)
        + counts
        + table([header, *rows])
        + READING.format(
            **names,
            own_run="not run."
            if own is None
            else f"`{BUGS[0].name}`, computed again, "
            + ("is equal bit for bit." if not own else f"fails: {own}."),
            spreads=spreads(found).strip(),
            command=shlex.join(command),
            revision=revision,
            minutes=sum(entry["wall_s"] for entry in found.values() if "wall_s" in entry) / 60,
        )
    )


def row(bug, found):
    tests, verify, gate = (found.get((bug.name, step)) for step in ("tests", "verify", "gate"))
    failed = (
        "not run" if tests is None else f"`{short(tests['failed'])}`" if tests["failed"] else "not detected"
    )
    said = "not run" if verify is None else verify["accepted_run"].split(":")[0] or "not detected"
    outcomes, reasons = ["not run"], []
    if gate is not None:
        decisions = [d for d in gate["gate"]["decisions"] if d["experiment"] == bug.experiment]
        outcomes = [
            f"{d['metric']}: " + (d["outcome"] if d["outcome"] in PASSED else f"**{d['outcome']}**")
            for d in decisions
        ]
        reasons = [f"{d['metric']}: {d['reason']}" for d in decisions if d["metric"] or len(decisions) == 1]
    return (
        f"`{bug.name}`: {bug.what}",
        f"`{bug.path}`",
        failed,
        said,
        "; ".join(dict.fromkeys(outcomes)),
        "; ".join(dict.fromkeys(reasons)),
    )


def short(test):
    """File and function, without folders and parameters."""
    path, _, name = test.partition("::")
    return f"{path.rsplit('/', 1)[-1]}::{name.split('[')[0]}"


def spreads(found):
    """Reference means and standard deviations as the clean tree's step wrote them down."""
    entry = found.get(("clean", "spread"))
    if entry is None:
        return "(not computed)"
    return table([("experiment", "metric", "mean", "sd", "sd / mean"), *entry["rows"]])


def count(seeds):
    """How many seeds `0-4` or `0,2` are."""
    total = 0
    for part in seeds.split(","):
        first, _, last = part.partition("-")
        total += int(last or first) - int(first) + 1
    return total


def table(rows):
    header, *body = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *body)) + "\n"
