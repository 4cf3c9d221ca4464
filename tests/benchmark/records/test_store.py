"""The results folder: every state a run directory can tell, whatever a crash left in it."""

import copy
import functools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from benchmark.engines.worker import Log
from benchmark.errors import UserError
from benchmark.judging import verify
from benchmark.records import locks, places, record, store
from benchmark.records.store import RunState

ACCEPTED = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
RECORD = json.loads(ACCEPTED.read_text(encoding="utf-8"))["records"][0]
LOST = {"status": "diverged", "final": None}


@pytest.fixture
def run(tmp_path):
    """A run directory that has been started."""
    directory = tmp_path / "a ü" / "runs" / "gan" / "digits" / "0123-4567"
    (directory / "checkpoints").mkdir(parents=True)
    (directory / "spec.json").write_text("{}")
    return directory


PROGRESS = {"phase": "train", "gen_iters": 14, "budget": 20, "iters_per_s": 3.0}


def write(directory, name, content):
    (directory / name).write_text(content if isinstance(content, str) else json.dumps(content))


def events(directory, *lines):
    (directory / "events.jsonl").write_text("".join(line + "\n" for line in lines))


def test_nothing_there_is_not_run(tmp_path):
    assert store.state(tmp_path / "none") == RunState("not run")
    assert store.state(tmp_path) == RunState("not run")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, RunState("done", RECORD["gen_iters"])),
        ({**LOST, "diverged_at": 7}, RunState("diverged", 7)),
        ({**LOST, "diverged_at": 0}, RunState("diverged", 0)),
    ],
)
def test_a_record_finishes_a_run(changes, expected, run):
    write(run, "record.json", record.sealed({**RECORD, **changes}))
    events(run, '{"event": "failed", "reason": "an earlier attempt"}')
    assert store.state(run) == expected
    assert store.state(run).finished


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ('{"schema_version": 2, "status": "do', "is no JSON"),
        ("[]", "is no record"),
        ("null", "is no record"),
        ("\x00" * 40, "is no JSON"),
        ("[" * 100_000, "is nested deeper than 24 levels"),
        (f"{'[' * 30}{']' * 30}", "is nested deeper than 24 levels"),
        (f'{{"a": 1{"0" * 400}}}', "holds a number that is out of range"),
        ('{"a": 1e400}', "is no JSON (Number out of range"),
        ({"schema_version": 999}, "has schema 999"),
        (
            {"schema_version": record.SCHEMA_VERSION},
            "was altered or damaged: it does not have its own SHA-256",
        ),
        ({**RECORD, "gen_iters": 21}, "was altered or damaged"),
        ({**RECORD, "extra": None}, "was altered or damaged"),
        ({**RECORD, "gen_iters": math.nan}, "is no JSON"),
    ],
)
def test_a_damaged_or_foreign_record_does_not(content, why, run):
    write(run, "record.json", content)
    assert store.read_record(run) is None
    state = store.state(run)
    assert (state.name, state.finished) == ("interrupted", False)
    assert state.reason.startswith(f"damaged: {run / 'record.json'}, {why}")
    assert store.records_below(run) == ([], [state.reason])


def changed(path, value):
    """The record with the value at a path of keys, sealed as a forger would; absent for `...`."""
    content = copy.deepcopy(RECORD)
    *above, last = path
    inner = functools.reduce(lambda found, key: found[key], above, content)
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return record.sealed(content)


@pytest.mark.parametrize("key", sorted(RECORD.keys() - {"record_sha256", "schema_version"}))
def test_a_record_lacks_no_key(key, run):
    write(run, "record.json", changed((key,), ...))
    assert f"missing required field `{key}`" in store.state(run).reason


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("experiment",), "../../etc/passwd"),
        (("experiment",), "gan"),
        (("spec", "experiment", "name"), "/abs/olute"),
        (("samples",), ["samples/../../../x.png"]),
        (("samples",), ["/etc/passwd"]),
        (("run_id",), "../up"),
        (("seed",), -1),
        (("seed",), "0"),
        (("seed",), True),
        (("gen_iters",), 1.5),
        (("curve",), {}),
        (("curve", 0, "scores", "digits-2k", "fid"), "300"),
        (("curve", 0, "gen_iters"), 10**18),
        (("curve", 0, "gen_iters"), 400),
        (("final",), None),
        (("final", "gen_iters"), 1),
        (("curve", -1, "gen_iters"), RECORD["gen_iters"] + 1),
        (("final", "scores", "digits-2k", "fid"), 1.0),
        (("status",), "fine"),
        (("first_losses",), [{"critic": "1"}]),
        (("first_losses",), [{"critic": 1.0}, {"critic": 1.0, "x": 1.0}]),
        (("first_losses",), [{"critic": 1.0}, {"generator": 1.0}]),
        (("real_data", "digits-2k", "fid"), 1e101),
        (("real_data", "digits-2k", "fid"), -1e300),
        (("spec", "starts_from"), {"experiment": "gan/digits\n", "run_id": "0" * 64}),
        (("spec", "protocols", 0, "name"), "digits-2k\n"),
        (("run_id",), "0" * 64 + "\n"),
        (("samples",), ["samples/0.png\n"]),
        (("provenance", "environment"), []),
        (("spec", "protocols"), [{"name": "../x", "metrics": []}]),
        (("timing", "wall_s"), -1.0),
        (("spec", "protocols", 0, "metrics"), []),
        (("spec", "protocols", 0, "metrics"), ["fid", "fid"]),
        (("spec", "protocols", 0, "metrics"), [f"m{i}" for i in range(101)]),
        (("spec", "protocols"), RECORD["spec"]["protocols"] * 2),
        (("curve", 0, "losses"), {f"l{i}": 1.0 for i in range(101)}),
        (("provenance", "finished_utc"), "yesterday"),
        (("provenance", "finished_utc"), "2026-11-01T00:00:00+14:00"),
        (("provenance", "finished_utc"), "2126-13-01T00:00:00Z"),
        (("provenance", "finished_utc"), "2126-02-29T00:00:00Z"),
        (("provenance", "finished_utc"), "2126-01-01T24:61:00Z"),
        (("provenance", "started_utc"), "2126-01-01T00:00:00Z"),
        (("curve", 0, "scores", "digits-2k", "fid"), -5.0),
        (("curve", 0, "scores", "digits-2k", "is"), 0.5),
        (("real_data", "digits-2k", "fid"), -5.0),
        (("real_data", "another"), {"classification_error": 100.1}),
        (("curve", 0, "scores", "digits-2k", "recall"), -0.1),
        (("samples",), RECORD["samples"][:-1]),
        (("samples",), [*RECORD["samples"], RECORD["samples"][0]]),
        (("digests", "samples", "samples/000000401.png"), "0" * 64),
    ],
)
def test_a_value_of_another_kind_or_out_of_range_is_no_record_however_well_sealed(path, value, run):
    write(run, "record.json", changed(path, value))
    assert store.state(run).reason.startswith("damaged: ")


@pytest.mark.parametrize(("budget", "at"), [(10, 11), (10, 10**9)])
def test_a_divergence_beyond_the_budget_is_no_record(budget, at, run):
    spec, curve = {**RECORD["spec"], "gen_iters": budget}, RECORD["curve"][:1]
    content = {**RECORD, **LOST, "spec": spec, "gen_iters": budget, "curve": curve}
    write(run, "record.json", record.sealed({**content, "diverged_at": budget}))
    assert store.state(run) == RunState("diverged", budget)
    write(run, "record.json", record.sealed({**content, "diverged_at": at}))
    assert "do not fit the budget" in store.state(run).reason


def test_a_spec_of_another_version_is_refused_and_says_what_reads_it(run):
    write(run, "record.json", changed(("spec", "spec_version"), 2))
    why = "has spec_version 2; this version of ganbench reads 1, so use the one that made it"
    assert why in store.state(run).reason


def test_what_is_no_regular_file_is_not_read(run):
    record_file = run / "record.json"
    os.mkfifo(record_file)
    assert store.state(run).reason == f"damaged: {record_file}, is no regular file"
    record_file.unlink()
    record_file.symlink_to("/dev/zero")
    assert store.state(run).reason == f"damaged: {record_file}, is no regular file"
    record_file.unlink()
    record_file.mkdir()
    assert store.state(run).reason.startswith(f"damaged: {record_file}, ")


def test_a_file_of_unreasonable_size_is_not_read(run):
    with (run / "record.json").open("wb") as file:
        file.truncate(10 * 2**30)
    assert "has 10,240 MiB; at most 256 are read" in store.state(run).reason


def test_of_endless_events_the_last_are_read(run):
    with (run / "events.jsonl").open("wb") as file:
        file.truncate(2**30)
        file.seek(0, os.SEEK_END)
        file.write(b'\n{"event": "failed", "reason": "out of memory"}\n')
    assert store.state(run) == RunState("failed", 0, "out of memory")


def test_an_interrupted_run_is_where_its_newest_checkpoint_is(run):
    for gen_iters in (5, 12):
        (run / "checkpoints" / f"{gen_iters:09d}.safetensors").touch()
    (run / "checkpoints" / ".000000099.safetensors.77.tmp").touch()
    write(run, "progress.json", PROGRESS)
    events(run, '{"event": "started"}')
    assert store.state(run) == RunState("interrupted", 12)
    assert store.state(run).text() == "interrupted at 12"


def test_only_names_that_a_run_writes_are_checkpoints(run):
    for stem in ("000000100 (1)", "7", "00000012", "00000001²", "0000000１2", "000000012a", "1" * 16):
        (run / "checkpoints" / f"{stem}.safetensors").touch()
    assert store.state(run) == RunState("interrupted", 0)
    for stem in ("000000012", "999999999", "1000000000"):
        (run / "checkpoints" / f"{stem}.safetensors").touch()
    assert [path.stem for path in places.checkpoints(run / "checkpoints")] == [
        "1000000000",
        "999999999",
        "000000012",
    ]
    assert store.state(run) == RunState("interrupted", 10**9)


def test_a_failed_run_tells_its_reason(run):
    write(run, "progress.json", PROGRESS)
    events(run, '{"event": "started"}', '{"event": "failed", "reason": "out of memory"}')
    assert store.state(run) == RunState("failed", 14, "out of memory")
    assert store.state(run).text() == "failed: out of memory"


def test_a_failure_is_forgotten_when_the_run_was_started_again(run):
    events(run, '{"event": "failed", "reason": "out of memory"}', '{"event": "started"}')
    assert store.state(run).name == "interrupted"


def test_a_locked_run_is_running_until_its_process_is_killed(run):
    write(run, "progress.json", PROGRESS)
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from benchmark.records import locks
        with locks.hold(Path(sys.argv[1])):
            print("locked", flush=True)
            sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"locked\n"
        assert store.state(run) == RunState("running", 14)
        process.kill()
        process.wait()
    assert store.state(run) == RunState("interrupted", 0)


def test_looking_at_a_run_writes_nothing_and_does_not_take_its_lock(run):
    before = sorted(run.rglob("*"))
    assert store.state(run).name == "interrupted"
    assert sorted(run.rglob("*")) == before
    with locks.hold(run):
        pass
    inodes = [path.stat().st_mtime_ns for path in sorted(run.rglob("*"))]
    store.state(run)
    assert [path.stat().st_mtime_ns for path in sorted(run.rglob("*"))] == inodes


# --- Events -------------------------------------------------------------------------------------------


def test_a_line_cut_off_by_a_crash_is_passed_over(run):
    (run / "events.jsonl").write_bytes(
        b'{"event": "started"}\n\n[1]\n"text"\n{"event": "che\xff\n{"event": "evaluated"}\n{"event": "fail'
    )
    assert [event["event"] for event in store.events(run)] == ["started", "evaluated"]
    assert store.last_event(run)["event"] == "evaluated"


def test_a_cut_off_line_does_not_swallow_the_next_event(run):
    (run / "events.jsonl").write_bytes(b'{"event": "started"}\n{"event": "che')
    Log(run, 20).event("resumed", gen_iters=3)
    Log(run, 20).event("failed", reason="ü")
    assert [event["event"] for event in store.events(run)] == ["started", "resumed", "failed"]
    assert store.state(run) == RunState("failed", 0, "ü")
    assert b"\n\n" not in (run / "events.jsonl").read_bytes()


def test_events_have_every_key_and_those_of_other_types_are_passed_over(run):
    wrong = [{"file": 1}, {"gen_iters": "4"}, {"gen_iters": -1}, {"reason": None}, {"utc": []}, {"event": 1}]
    lines = [json.dumps({"event": "checkpoint", **change}) for change in wrong]
    events(run, *lines, '{"event": "resumed", "pid": 7}')
    (event,) = store.events(run)
    assert event == {"event": "resumed", "utc": "", "reason": "", "file": "", "gen_iters": 0, "pid": 7}


def test_no_events_are_no_last_event(run):
    assert store.last_event(run) == {}


# --- Folders ------------------------------------------------------------------------------------------


def test_a_new_folder_is_made_with_all_above_it(tmp_path):
    out = tmp_path / "with space" / "ünïcode" / "results"
    store.open_folder(out)
    assert [path.name for path in out.iterdir()] == ["runs"]
    assert list((out / "runs").iterdir()) == []


def test_a_folder_of_ganbench_is_opened_again(tmp_path):
    for name in ("runs", "reports", "reference"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").touch()
    store.open_folder(tmp_path)


def test_the_folder_that_comes_with_ganbench_receives_results(tmp_path):
    """README's `ganbench run` writes beside what is committed there."""
    for path in (Path(__file__).parents[3] / "results").iterdir():
        (tmp_path / path.name).mkdir() if path.is_dir() else (tmp_path / path.name).touch()
    store.open_folder(tmp_path)
    assert (tmp_path / "RESULTS.md").exists()


@pytest.mark.parametrize("foreign", ["thesis.tex", ".git"])
def test_a_foreign_folder_is_refused_and_left_alone(foreign, tmp_path):
    (tmp_path / foreign).touch()
    with pytest.raises(UserError, match=f"holds '{re.escape(foreign)}', which is not ganbench's"):
        store.open_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [foreign]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="exists and is not a folder"):
        store.open_folder(tmp_path / "file")
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\)"):
        store.open_folder(tmp_path / "file" / "below")


@pytest.fixture
def forbidden():
    """Makes a folder with the given mode, for a user whom modes concern (root gives up its rights)."""
    root, user = Path(tempfile.mkdtemp()), os.geteuid()
    root.chmod(0o755)

    def make(mode):
        folder = root / "folder"
        folder.mkdir()
        folder.chmod(mode)
        if user == 0:
            os.seteuid(65534)
        return folder

    yield make
    os.seteuid(user)
    (root / "folder").chmod(0o700)
    shutil.rmtree(root)


@pytest.mark.parametrize("mode", [0o555, 0o000])
@pytest.mark.parametrize("below", ["", "results"])
def test_a_folder_without_permission_is_refused(mode, below, forbidden):
    with pytest.raises(UserError, match=r"cannot be written \(Permission denied\)"):
        store.open_folder(forbidden(mode) / below)


def test_runs_without_permission_are_a_user_error(forbidden):
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
        store.state(forbidden(0o000) / "run")


def test_setting_aside_loses_nothing_and_hides_the_records(run):
    root = run.parents[3]
    for _ in range(2):
        run.mkdir(exist_ok=True)
        write(run, "record.json", RECORD)
        assert [run.directory for run in store.records_below(root)[0]] == [run]
        store.set_aside(run)
    assert sorted(path.name for path in run.parent.iterdir()) == ["0123-4567.old1", "0123-4567.old2"]
    assert all(store.is_set_aside(path) for path in run.parent.iterdir())
    assert all(store.read_record(path) == RECORD for path in run.parent.iterdir())
    assert [run.directory for run in store.records_below(root)[0]] == []
    assert not store.is_set_aside(run)


def test_only_readable_records_are_found(run):
    root = run.parents[3]
    other = run.with_name("89ab-cdef")
    other.mkdir()
    write(other, "record.json", "{")
    write(run, "record.json", RECORD)
    assert [run.directory for run in store.records_below(root)[0]] == [run]


def test_runs_may_lie_on_another_disk(run, tmp_path):
    write(run, "record.json", RECORD)
    out = tmp_path / "shards" / "out"
    out.mkdir(parents=True)
    (out / "runs").symlink_to(run.parents[2])
    (out / "elsewhere").symlink_to(run.parents[2])
    found = out / run.relative_to(run.parents[3])
    assert store.directories_with(out, "record.json") == [found]
    assert store.directories_with(out.parent, "record.json", "spec.json") == [found]
    assert verify.runs_at(out) == [found]
    assert [one.directory for one in store.records_below(out)[0]] == [found]


@pytest.mark.parametrize("to", ["runs", ".", "..", "/nowhere"])
def test_links_in_a_circle_end(to, run, tmp_path):
    write(run, "record.json", RECORD)
    (tmp_path / "out").mkdir()
    run.parents[3].rename(tmp_path / "out" / "more")
    (tmp_path / "out" / "runs").symlink_to(to)
    assert len(store.directories_with(tmp_path / "out", "record.json")) == 1


def test_a_folder_that_cannot_be_read_is_not_passed_over(forbidden):
    folder = forbidden(0o000)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)") as error:
        store.records_below(folder.parent)
    assert error.value.where == str(folder)
    assert store.records_below(folder.parent / "none") == ([], [])


def test_the_systems_folder_on_a_fresh_volume_is_none_of_ours(forbidden):
    folder = forbidden(0o000)
    os.seteuid(os.getuid())
    folder.rename(folder.with_name("lost+found"))
    folder.mkdir()
    os.seteuid(65534 if os.getuid() == 0 else os.getuid())
    assert store.records_below(folder.parent) == ([], [])
    os.seteuid(os.getuid())
    (folder.parent / "lost+found").chmod(0o700)
