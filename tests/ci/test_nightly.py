"""The parts of nightly.yml that decide: which suite, whether it is complete, what is kept of it."""

import itertools
import re
import sys
from pathlib import Path

import pytest

from benchmark import suites

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".github" / "workflows" / "nightly.yml"


def with_tools(made, folder, **scripts):
    """Put commands of ours before all others."""
    folder.mkdir()
    for tool, script in scripts.items():
        (folder / tool).write_text(f"#!/bin/bash\n{script}\n")
        (folder / tool).chmod(0o755)
    made.path = f"{folder}:{made.path}"


@pytest.fixture
def nightly(runner, tmp_path):
    """Performs the training job with a `ganbench` that only does what the test says."""
    made = runner("nightly.yml")

    def perform(ganbench="exit 0", date="", name="machine", **values):
        today = f"echo {date}" if date else "exec /bin/date $*"
        with_tools(made, tmp_path / f"tools of {name}", ganbench=ganbench, date=today)
        workspace = tmp_path / name
        workspace.mkdir()
        given = {"HOURS": "1", "OUT": str(tmp_path / "kept"), "GIVEN": ""}
        given |= {"GANBENCH_DATA_DIR": "", "GANBENCH_WEIGHTS": "", **values}
        return made.perform("train", workspace, given), workspace

    return perform


@pytest.fixture
def nightly_check(runner, tmp_path):
    """Performs the job that judges, with such a `ganbench`."""
    made = runner("nightly.yml")
    (tmp_path / "runner" / "artifacts" / "records").mkdir(parents=True)

    def perform(ganbench):
        with_tools(made, tmp_path / "tools", ganbench=ganbench)
        workspace = tmp_path / "machine"
        workspace.mkdir()
        return made.perform("check", workspace, {"SUITE": "quick"})

    return perform


def test_every_week_has_a_suite_and_every_suite_a_week(nightly):
    found = [nightly(date=f"{week:02}", name=f"week {week}")[0].variables["suite"] for week in range(1, 54)]
    full = set(suites.names()) - {"quick", "first-look", "ci-gpu", "portable", "digits-questions"}
    assert set(found) == full
    assert all(a != b for a, b in itertools.pairwise(found))


def test_a_suite_given_by_hand_is_taken(nightly):
    done, _ = nightly(GIVEN="quick")
    assert (done.variables["suite"], done.variables["SUITE"]) == ("quick", "quick")
    assert done.variables["complete"] == "yes"


def test_a_night_that_is_over_leaves_the_suite_to_the_next_one(nightly, tmp_path):
    """The command gets Ctrl-C, as a person would give it, and the job is neither complete nor failed."""
    told = tmp_path / "told"
    trap = f'trap "echo INT > {told}; exit 130" INT'
    slow = f'[ "$1" = run ] || exit 0\n{trap}\nfor i in {{1..100}}; do sleep .05; done'
    done, _ = nightly(slow, HOURS="0.0001")
    assert told.read_text() == "INT\n"
    assert done.codes["Train"] == 0
    assert "complete" not in done.variables
    assert "the next night continues" in done.summary


def test_a_failed_run_is_complete_and_fails(nightly):
    done, _ = nightly('[ "$1" = run ] && exit 3; exit 0')
    assert done.codes["Train"] == 3
    assert done.variables["complete"] == "yes"


LEAVES_A_RUN = """
[ "$1" = run ] || exit 0
while [ "$1" != --out ]; do shift; done
runs="$2/runs/a/b/c"
mkdir -p "$runs/checkpoints"
touch "$runs/record.json" "$runs/.lock" "$runs/checkpoints/1.safetensors"
"""


def test_records_are_uploaded_without_checkpoints_and_stay_for_the_next_night(nightly, tmp_path):
    done, _ = nightly(LEAVES_A_RUN)
    assert not done.failed, done.output
    kept = tmp_path / "kept" / done.variables["suite"] / "runs" / "a" / "b" / "c"
    assert (kept / "checkpoints" / "1.safetensors").exists()
    artifact = tmp_path / "runner" / "artifacts" / "records"
    found = [str(path.relative_to(artifact)) for path in artifact.rglob("*") if path.is_file()]
    assert found == ["runs/a/b/c/record.json"]


OTHER_MODEL = f"""exec '{sys.executable}' -c '
import sys
from benchmark.records import environment
here = environment.describe("cpu")
environment.describe = lambda kind: dict(here, device="A GPU that made no reference")
environment.resolve_device = lambda asked: asked
from benchmark.cli import main
main(sys.argv[1:])' "$@"
"""
"""`ganbench` on a machine of another model than any reference's."""


def with_reference():
    """Suites of the nightly list that have a committed reference."""
    (listed,) = re.findall(r"suites=\((.*?)\)", FILE.read_text(encoding="utf-8"))
    there = [
        suite for suite in listed.split() if (ROOT / "results" / "reference" / f"{suite}.json").is_file()
    ]
    assert there
    return there


@pytest.mark.parametrize("suite", with_reference())
def test_a_machine_of_another_model_than_the_references_is_told_and_trains(suite, nightly):
    done, _ = nightly(f'[ "$4" = --like-reference ] || exit 0\n{OTHER_MODEL}', GIVEN=suite)
    assert (done.codes["Machine"], done.codes["Train"]) == (0, 0), done.output
    (notice,) = re.findall(r"^::notice::(.*)$", done.output["Machine"], re.MULTILINE)
    assert re.search(r"The reference was made on .*; this machine is A GPU that made no reference", notice)
    assert "A GPU that made no reference" in " ".join(done.summary.split())


def test_a_machine_of_the_references_model_is_no_notice(nightly):
    done, _ = nightly('[ "$4" = --like-reference ] && echo "this machine too"; exit 0')
    assert "this machine too" in done.output["Machine"]
    assert "::notice::" not in done.output["Machine"]
    assert done.codes["Train"] == 0


def test_a_damaged_reference_stops_the_night(nightly):
    done, _ = nightly('[ "$4" = --like-reference ] && exit 2; exit 0')
    assert done.codes["Machine"] == 2
    assert "Train" not in done.codes


@pytest.mark.parametrize(
    ("paper", "reference", "failed"),
    [(0, 0, False), (4, 4, False), (1, 0, True), (0, 1, True), (0, 3, True), (2, 0, True)],
)
def test_only_nothing_to_judge_is_forgiven(paper, reference, failed, nightly_check):
    done = nightly_check(f'case "$*" in *paper*) exit {paper};; *reference*) exit {reference};; esac')
    assert done.failed is failed
    assert set(done.codes) == {"Report", "Against the papers", "Against the reference"}
